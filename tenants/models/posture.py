"""What lists over many tenants show of posture: findings, and how similar tenants fare."""

from __future__ import annotations

from django.db import models


class FindingEntry(models.Model):
    """The slim row of a finding. Written with it, under the queue's row-level security."""

    public_id = models.UUIDField(primary_key=True)
    tenant_id = models.IntegerField()
    kind = models.CharField(max_length=40)
    severity = models.SmallIntegerField(help_text="As a case's: 1 informational ... 4 high")
    summary = models.CharField(max_length=200, help_text="Our own words and counts")
    size = models.IntegerField(default=0, db_default=0, help_text="How many things it is about")
    owner_id = models.IntegerField(null=True)
    accepted_until = models.DateTimeField(null=True)
    accepted_why = models.CharField(max_length=12, blank=True, default="", db_default="")
    ticket_ref = models.CharField(max_length=60, blank=True, default="", db_default="")
    ticket_url = models.CharField(max_length=300, blank=True, default="", db_default="")
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]
        indexes = [
            # The open ones, newest first, over many tenants.
            models.Index(
                fields=["-opened_at", "-public_id", "tenant_id"],
                condition=models.Q(closed_at=None),
                name="finding_open_newest",
            ),
            # All of few tenants.
            models.Index(
                fields=["tenant_id", "-opened_at", "-public_id"], name="finding_tenant_newest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of tenant {self.tenant_id}"


class ScoreBand(models.Model):
    """How tenants of one size fare, so that nobody can tell which of them has what.

    Each number is the mean of at least three tenants of at least ten, in whole percent.
    """

    name = models.CharField(max_length=20, primary_key=True)
    members = models.IntegerField(help_text="Rounded down to tens")
    lower = models.SmallIntegerField(help_text="Mean of the lower third, in percent")
    middle = models.SmallIntegerField(help_text="Mean of all, in percent")
    upper = models.SmallIntegerField(help_text="Mean of the upper third, in percent")
    counted_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class FindingRule(models.Model):
    """When a finding of a kind gets a ticket. A tenant's own rule goes before that for all."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, null=True, help_text="Empty: all")
    kind = models.CharField(max_length=40)
    is_on = models.BooleanField(default=True, help_text="Off: never a ticket of this kind")
    min_severity = models.SmallIntegerField(default=1, help_text="As a case's: 1 to 4")
    min_size = models.IntegerField(default=1)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["kind", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind"], nulls_distinct=False, name="finding_rule_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.tenant_id or 'all'}"
