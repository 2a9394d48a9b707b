"""What belongs together, and its timeline."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from tenants.changes import change_column
from tenants.pseudonyms import crockford

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
UNDECIDED_FOR = timedelta(minutes=10)
"""A case that no judgement has seen by then gets its ticket all the same."""


class Case(models.Model):
    """What belongs together. Its row is also the queue's row (`public.queue_entry`)."""

    class Status(models.IntegerChoices):
        NEW = 0, "New"
        IN_PROGRESS = 1, "In progress"
        RESOLVED = 2, "Resolved"
        MERGED = 3, "Merged"

    class Verdict(models.TextChoices):
        TRUE_POSITIVE = "truePositive", "True positive"
        EXPECTED = "informationalExpectedActivity", "Expected activity"
        FALSE_POSITIVE = "falsePositive", "False positive"

    class ClosedBy(models.TextChoices):
        """What closed it, if that was the portal by itself; empty: a person or Microsoft."""

        PROOF = "proof", "Proven harmless"
        RULE = "rule", "Closed by a rule"
        SUPPRESSED = "suppressed", "Suppressed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.SmallIntegerField(choices=Status, default=Status.NEW)
    verdict = models.CharField(max_length=40, choices=Verdict, blank=True, default="")
    determination = models.CharField(max_length=40, blank=True, default="", db_default="")
    verdict_reason = models.CharField(
        max_length=30, blank=True, default="", db_default="", help_text="alerts.verdicts.Reason"
    )
    title = models.CharField(max_length=300, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    source = models.CharField(max_length=60, default="")
    severity = models.SmallIntegerField(default=0, help_text="0 unknown ... 4 high")
    severity_by_hand = models.SmallIntegerField(null=True, help_text="Wins over the alerts' own")
    priority = models.SmallIntegerField(default=0, help_text="0 to 100")
    pillars = models.SmallIntegerField(default=0)
    is_vip = models.BooleanField(default=False)
    alert_count = models.IntegerField(default=0)
    entity_count = models.IntegerField(default=0)
    entities = models.JSONField(default=list, help_text="First two for display: [kind, pseudonym]")
    growth = models.IntegerField(default=1, help_text="Rises whenever alerts join")
    terms = models.JSONField(
        default=list, db_default=[], help_text="Of the priority: [code, points, words]"
    )
    closed_by = models.CharField(
        max_length=12, choices=ClosedBy, blank=True, default="", db_default=""
    )
    decided = models.UUIDField(null=True, help_text="Digest of the last decision; tells news")
    judge_at = models.DateTimeField(
        null=True, db_default=AT_ONCE, help_text="When it is to be judged again; empty: not"
    )
    ticket_after = models.DateTimeField(
        null=True, db_default=Now() + UNDECIDED_FOR, help_text="No ticket before; empty: at once"
    )
    snoozed_until = models.DateTimeField(null=True, help_text="Not in the queue before")
    snoozed_growth = models.IntegerField(default=0, db_default=0)
    snoozed_severity = models.SmallIntegerField(default=0, db_default=0)
    version = models.IntegerField(default=1, help_text="Rises with every decision on it")
    told_version = models.IntegerField(
        default=1, db_default=1, help_text="Version up to which Microsoft's side was compared"
    )
    assignee_id = models.IntegerField(null=True, help_text="public.user, read outside the scope")
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, related_name="merged")
    continues = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="continued", help_text="The one before"
    )
    ticket_ref = models.CharField(max_length=40, blank=True, default="")
    ticket_url = models.CharField(max_length=300, blank=True, default="")
    first_activity_at = models.DateTimeField()
    last_activity_at = models.DateTimeField()
    opened_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    change = change_column()

    class Meta:
        ordering = ["-last_activity_at", "-pk"]
        indexes = [
            models.Index(fields=["change", "id"], name="case_change"),
            # Deliveries ask for open cases; there are few of them beside the closed ones.
            models.Index(fields=["id"], condition=models.Q(status__lt=2), name="case_open"),
            # What was opened in a month; rows lie in that order.
            BrinIndex(fields=["opened_at"], name="case_opened"),
            # Decisions that Microsoft's side was not compared with yet.
            models.Index(
                fields=["id"],
                condition=models.Q(version__gt=models.F("told_version")),
                name="case_untold",
            ),
            # What is to be judged.
            models.Index(
                fields=["judge_at"],
                condition=models.Q(judge_at__isnull=False, status__lt=3),
                name="case_judge",
            ),
            # What a snooze or a wait ends for.
            models.Index(
                fields=["snoozed_until"],
                condition=models.Q(snoozed_until__isnull=False),
                name="case_snoozed",
            ),
            models.Index(
                fields=["ticket_after"],
                condition=models.Q(ticket_after__isnull=False, status__lt=2),
                name="case_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status in (self.Status.NEW, self.Status.IN_PROGRESS)

    @property
    def reference(self) -> str:
        """Ours, in tickets and comments: 60 bits of the random id."""
        return "CSC-" + crockford(self.public_id.int >> 68, 12)


class CaseEvent(models.Model):
    """The case's timeline: who or what did what, and why. No text of people or from Microsoft."""

    case = models.ForeignKey(Case, models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    actor_id = models.IntegerField(null=True, help_text="public.user; empty: the portal itself")
    kind = models.CharField(max_length=30)
    facts = models.JSONField(default=dict)
    change = change_column()

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["change", "id"], name="caseevent_change")]

    def __str__(self) -> str:
        return f"{self.kind} of case {self.case_id}"
