"""Webhooks out: who is told, what is to be told, and what cases looked like when told last."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models.people import TenantGroup, User
from tenants.models.tenant import Tenant


class Webhook(models.Model):
    """An address that is told what happens in the tenants of its owner, or in some of them.

    The secret is nowhere: it is derived from a key in the vault, the public id and `key_number`.
    """

    class State(models.TextChoices):
        ON = "on", "On"
        OFF = "off", "Off"
        FAILED = "failed", "Switched off after failures"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="webhooks")
    name = models.CharField(max_length=60)
    url = models.CharField(max_length=300)
    events = ArrayField(models.CharField(max_length=30), default=list)
    is_for_all = models.BooleanField(default=False, help_text="Every tenant of the owner")
    tenants = models.ManyToManyField(Tenant, related_name="+", blank=True)
    groups = models.ManyToManyField(TenantGroup, related_name="+", blank=True)
    key_number = models.IntegerField(default=1, help_text="Rises with each new secret")
    state = models.CharField(max_length=10, choices=State, default=State.ON)
    failing_since = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, help_text="In a row")
    next_at = models.DateTimeField(db_default=Now(), help_text="Not called before")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"webhook {self.public_id}"


class WebhookDelivery(models.Model):
    """An event for a webhook: waits to be sent, and tells later what became of it.

    `body` holds ids, times and words of our own. `event_id` is the same in every attempt.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        SENT = "sent", "Delivered"
        FAILED = "failed", "Given up"
        DROPPED = "dropped", "Not sent: the right was lost"

    webhook = models.ForeignKey(
        Webhook, models.CASCADE, related_name="deliveries", db_index=False
    )  # fmt: skip
    event_id = models.UUIDField()
    kind = models.CharField(max_length=30)
    tenant_id = models.IntegerField(null=True, help_text="Empty: a test")
    body = models.JSONField()
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    status = models.IntegerField(null=True, help_text="Of the last answer")
    problem = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # An event is told once, however often it is found.
            models.UniqueConstraint(fields=["webhook", "event_id"], name="one_event_a_webhook"),
        ]
        indexes = [
            # What waits, the oldest first.
            models.Index(
                fields=["webhook", "due_at"],
                condition=models.Q(state="pending"),
                name="webhook_waiting",
            ),
            # The log of one webhook.
            models.Index(fields=["webhook", "-id"], name="webhook_log"),
            # What is old enough to be forgotten.
            models.Index(fields=["created_at"], name="webhook_old"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class WebhookCursor(models.Model):
    """Up to where the queue's changes were compared. One row; its lock makes one collector."""

    change = models.BigIntegerField()
    place = models.BigIntegerField()
    gone = models.UUIDField(null=True)
    began_at = models.DateTimeField(db_default=Now(), help_text="Cases older than this were not")

    def __str__(self) -> str:
        return f"up to {self.change}"


class WebhookCase(models.Model):
    """A case as it was when webhooks were told last."""

    public_id = models.UUIDField(primary_key=True)
    tenant_id = models.IntegerField()
    status = models.SmallIntegerField()
    decision = models.BigIntegerField(default=0, help_text="The newest one that was told")
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            # What can be forgotten: closed long ago.
            models.Index(
                fields=["seen_at"], condition=models.Q(status=2), name="webhook_case_closed"
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)
