"""What was decided about cases and why, what is suppressed, and whose audits are watched.

Facts and reasons are words of our own, numbers and pseudonyms; nothing here comes from Microsoft.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from alerts.models.alert import Alert
from alerts.models.case import Case
from tenants.changes import change_column


class Decision(models.Model):
    """One change of mind about a case. Rows are added, never changed: they explain themselves.

    `rule` and `rule_version` name a rule of the portal (`tenants.models.RuleVersion`), or a
    suppression of this tenant; what it said then is repeated in `facts`.
    """

    class Outcome(models.TextChoices):
        RAISED = "raised", "Raised"
        WAITING = "waiting", "Waiting for facts"
        CLOSED = "closed", "Closed"
        WOULD_CLOSE = "would_close", "Would have closed"
        SUPPRESSED = "suppressed", "Suppressed"
        SNOOZED = "snoozed", "Snoozed"
        REOPENED = "reopened", "Reopened"

    case = models.ForeignKey(Case, models.CASCADE, related_name="decisions")
    at = models.DateTimeField(db_default=Now())
    outcome = models.CharField(max_length=12, choices=Outcome)
    basis = models.CharField(max_length=12, help_text="proof, rule, suppression, evidence, default")
    rule = models.UUIDField(null=True)
    rule_version = models.IntegerField(null=True)
    priority = models.SmallIntegerField()
    facts = models.JSONField(default=dict)
    reasons = models.JSONField(default=list, help_text="[code, sentence]")
    change = change_column()

    class Meta:
        ordering = ["at", "pk"]
        indexes = [
            models.Index(fields=["change", "id"], name="decision_change"),
            # The report of everything that the portal closed by itself.
            models.Index(
                fields=["at"],
                condition=models.Q(outcome__in=["closed", "suppressed", "would_close"]),
                name="decision_closing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} of case {self.case_id}"


class Suppression(models.Model):
    """Cases of one detection, of one entity or of all, are closed until a day, for a reason."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    service_source = models.CharField(max_length=60)
    detection = models.CharField(max_length=300, help_text="The scrubbed title")
    entity = models.UUIDField(null=True, help_text="One of its pseudonyms; empty: whatever it is")
    most_severity = models.SmallIntegerField(help_text="What is more severe is shown")
    reason = models.CharField(max_length=200)
    actor_id = models.IntegerField(help_text="public.user")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="Ended by a person before it expired")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")), name="suppression_ends"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="suppression_has_reason"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class Watch(models.Model):
    """The directory audits of an alert's user are read until `until`. It does not hold the user."""

    alert = models.OneToOneField(Alert, models.CASCADE, related_name="watch")
    since = models.DateTimeField(help_text="The sign-in; audits before it are not meant")
    until = models.DateTimeField()
    read_until = models.DateTimeField(help_text="Audits have been read up to here")
    next_at = models.DateTimeField(null=True, help_text="Empty: the watch is over")
    failures = models.SmallIntegerField(default=0)
    problem = models.CharField(max_length=20, blank=True, default="", help_text="Kind of error")

    class Meta:
        ordering = ["pk"]
        indexes = [
            # What is to be read next.
            models.Index(
                fields=["next_at"], condition=models.Q(next_at__isnull=False), name="watch_due"
            ),
        ]

    def __str__(self) -> str:
        return f"watch of alert {self.alert_id}"


class WatchHit(models.Model):
    """A risky directory change by or to the watched user. `record`: pseudonym of the audit's id."""

    watch = models.ForeignKey(Watch, models.CASCADE, related_name="hits")
    record = models.UUIDField()
    operation = models.CharField(max_length=60, help_text="Our word for it")
    at = models.DateTimeField()
    found_at = models.DateTimeField(db_default=Now())
    is_success = models.BooleanField(default=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["watch", "record"], name="one_hit_a_record"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} in watch {self.watch_id}"
