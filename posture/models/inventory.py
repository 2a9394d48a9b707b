"""Azure resources of a tenant, by pseudonym, and what was said of each by the tenant's rule.

No name, no id and no tag of Azure's is stored: only types, places, and whether it is watched.
"""

from __future__ import annotations

import uuid

from django.db import models

from posture.coverage import State, Why
from tenants.changes import change_column


class WatchRule(models.Model):
    """The tenant's rule: at most one row. Its tags are what the provider asks for, not Azure's."""

    tags = models.JSONField(default=list, help_text="[[name, [value, ...]], ...]")
    needs_all = models.BooleanField(default=False)
    exact_case = models.BooleanField(default=False)
    from_group = models.BooleanField(default=False)
    from_subscription = models.BooleanField(default=False)
    ignored_types = models.JSONField(default=list)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="watch_rule_only_one"),
        ]

    def __str__(self) -> str:
        return f"rule of {len(self.tags)} tags"


class Exemption(models.Model):
    """Need not be watched until then: a resource, or all that lies in a group or subscription."""

    class Reason(models.TextChoices):
        """A closed list: free text might name people."""

        TEST = "test", "Test or development"
        SHORT = "short", "Short-lived"
        ELSEWHERE = "elsewhere", "Watched by other means"
        LEAVING = "leaving", "Is being shut down"
        ACCEPTED = "accepted", "Risk accepted by the customer"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    covers = models.UUIDField(help_text="Pseudonym of what is exempt")
    covers_kind = models.CharField(max_length=12, help_text="resource, group or subscription")
    reason = models.CharField(max_length=12, choices=Reason)
    until = models.DateTimeField()
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["until", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["covers"], name="exemption_once"),
        ]

    def __str__(self) -> str:
        return f"exemption of a {self.covers_kind}"


class InventoryRead(models.Model):
    """One reading of the inventory; its number marks what was seen in it."""

    is_full = models.BooleanField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_complete = models.BooleanField(default=False)
    by_listing = models.IntegerField(default=0, help_text="Subscriptions read without the Graph")
    resources = models.IntegerField(default=0)
    states = models.JSONField(
        default=dict, db_default={}, help_text="Resources by state when it ended"
    )
    problem = models.CharField(max_length=300, blank=True)
    change = change_column()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["change", "id"], name="inventoryread_change")]

    def __str__(self) -> str:
        return f"read {self.pk}"


class AzureSubscription(models.Model):
    """An Azure subscription. `plans`: Defender for Cloud's, name -> is on; null: not readable."""

    pseudonym = models.UUIDField(primary_key=True)
    state = models.CharField(max_length=20, blank=True)
    plans = models.JSONField(null=True)
    log_settings = models.IntegerField(null=True, help_text="Of its activity log; null: unknown")
    seen_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text="All of its resources were read last")
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["pseudonym"]

    def __str__(self) -> str:
        return f"subscription {self.pseudonym}"


class AzureResource(models.Model):
    """One resource. Pseudonyms are those of alerts' entities of the kind cloud_resource."""

    pseudonym = models.UUIDField(primary_key=True)
    subscription = models.UUIDField()
    resource_group = models.UUIDField(null=True)
    type = models.CharField(max_length=120)
    location = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=10, choices=[(one.value, one.value) for one in State])
    why = models.CharField(max_length=20, choices=[(one.value, one.value) for one in Why])
    generation = models.BigIntegerField(help_text="The read that saw it last")
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="When its state changed last")

    class Meta:
        ordering = ["pseudonym"]
        indexes = [
            # What has gone is what a read of its subscription did not see.
            models.Index(fields=["subscription", "generation"], name="resource_generation"),
            # The list of a tenant, the unwatched first of all.
            models.Index(fields=["state", "pseudonym"], name="resource_by_state"),
            models.Index(fields=["first_seen_at"], name="resource_new"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pseudonym}"
