"""Keys and applications of programs, what they asked to be done, and cases that left the queue."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models.people import TenantGroup, User
from tenants.models.tenant import Tenant


class ApiKey(models.Model):
    """A key to the API. It may never do more than its owner may at that moment.

    The secret is shown once; a hash is kept, which is enough for 32 random bytes. A key for
    neither all nor any tenant opens nothing. A row with `application` has no secret: it is opened
    by the tokens that the provider's directory gives to that program, and `narrowed_to` holds the
    scopes of the token at hand.
    """

    narrowed_to: frozenset[str] | None = None

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    prefix = models.CharField(max_length=20, unique=True, help_text="Begins the key; is shown")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the whole key")
    application = models.UUIDField(null=True, help_text="Its id in the provider's directory")
    name = models.CharField(max_length=60)
    owner = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    scopes = ArrayField(models.CharField(max_length=20), default=list)
    is_for_all = models.BooleanField(default=False, help_text="Every tenant of the owner")
    tenants = models.ManyToManyField(Tenant, related_name="+", blank=True)
    groups = models.ManyToManyField(TenantGroup, related_name="+", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True, help_text="To some minutes")
    requests_a_day = models.PositiveIntegerField(
        null=True, help_text="Fewer than all keys may; empty: as many"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["application"],
                condition=models.Q(revoked_at=None),
                name="api_application_once",
            ),
        ]

    def __str__(self) -> str:
        return self.prefix


class ApiTask(models.Model):
    """A change of many cases that a key asked for, and what became of each.

    `order` holds words of closed lists, times and ids. `results` are in the order of `cases`;
    what is done is saved with each part, so that a task goes on where it was killed.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="tasks")
    order = models.JSONField()
    cases = ArrayField(models.UUIDField())
    results = models.JSONField(default=list, help_text="[outcome, message] of each case so far")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    created_at = models.DateTimeField(db_default=Now())
    moved_at = models.DateTimeField(db_default=Now(), help_text="Last sign of life")

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # What waits or stands still.
            models.Index(
                fields=["moved_at"], condition=~models.Q(state="done"), name="api_task_open"
            ),
        ]

    def __str__(self) -> str:
        return f"task {self.public_id}"


class QueueTombstone(models.Model):
    """A case that is no more in the queue: merged or erased. Kept by triggers on the queue's rows,
    which also remove it when the case comes back. Under the same row-level security.
    """

    public_id = models.UUIDField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.BigIntegerField(help_text="Id of the transaction that took the case away")

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["tenant_id", "change"], name="tombstone_tenant"),
            models.Index(fields=["change", "tenant_id"], name="tombstone_change"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} is gone"
