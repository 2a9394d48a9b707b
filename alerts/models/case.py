"""What belongs together, and its timeline."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now


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

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.SmallIntegerField(choices=Status, default=Status.NEW)
    verdict = models.CharField(max_length=40, choices=Verdict, blank=True, default="")
    title = models.CharField(max_length=300, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    source = models.CharField(max_length=60, default="")
    severity = models.SmallIntegerField(default=0, help_text="0 unknown ... 4 high")
    priority = models.SmallIntegerField(default=0, help_text="0 to 100")
    pillars = models.SmallIntegerField(default=0)
    is_vip = models.BooleanField(default=False)
    alert_count = models.IntegerField(default=0)
    entity_count = models.IntegerField(default=0)
    entities = models.JSONField(default=list, help_text="First two for display: [kind, pseudonym]")
    growth = models.IntegerField(default=1, help_text="Rises whenever alerts join")
    version = models.IntegerField(default=1, help_text="Rises with every change by a person")
    assignee_id = models.IntegerField(null=True, help_text="public.user, read outside the scope")
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, related_name="merged")
    ticket_ref = models.CharField(max_length=40, blank=True, default="")
    ticket_url = models.CharField(max_length=300, blank=True, default="")
    first_activity_at = models.DateTimeField()
    last_activity_at = models.DateTimeField()
    opened_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-last_activity_at", "-pk"]
        indexes = [
            # Deliveries ask for open cases; there are few of them beside the closed ones.
            models.Index(fields=["id"], condition=models.Q(status__lt=2), name="case_open"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status in (self.Status.NEW, self.Status.IN_PROGRESS)


class CaseEvent(models.Model):
    """The case's timeline: who or what did what, and why. No text of people or from Microsoft."""

    case = models.ForeignKey(Case, models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    actor_id = models.IntegerField(null=True, help_text="public.user; empty: the portal itself")
    kind = models.CharField(max_length=30)
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.kind} of case {self.case_id}"
