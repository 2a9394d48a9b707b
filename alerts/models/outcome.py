"""What the portal tells Microsoft of its decisions, and what both sides last said."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from alerts.models.alert import Alert
from alerts.models.case import Case


class WriteBack(models.Model):
    """One alert or incident of Microsoft's that a decision here is about: outbox and agreement.

    `wanted` is what our case said when it was last compared, `base` what Microsoft said then. Who
    differs from that has moved since; so a change is told apart from its echo. Both hold `status`,
    `classification` and `determination`. `assign_to` and `assigned` are ids of public.user: a
    person's address is read when it is sent and never kept.
    """

    class Kind(models.TextChoices):
        ALERT = "alert"
        INCIDENT = "incident"

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        AGREED = "agreed", "Both sides said the same"
        OVERRULED = "overruled", "Microsoft's side was changed meanwhile and was taken"
        FAILED = "failed", "Refused for good"
        OFF = "off", "Not written: switched off for this tenant"

    kind = models.CharField(max_length=10, choices=Kind)
    target_id = models.CharField(max_length=200, help_text="Microsoft's id of it")
    alert = models.OneToOneField(Alert, models.CASCADE, null=True, related_name="write_back")
    case = models.ForeignKey(Case, models.CASCADE, related_name="write_backs")
    version = models.IntegerField(help_text="Case.version that it was compared at")
    wanted = models.JSONField(default=dict)
    base = models.JSONField(default=dict)
    assign_to = models.IntegerField(null=True)
    assigned = models.IntegerField(null=True)
    comment = models.CharField(max_length=20, blank=True, default="", help_text="Which of our own")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "target_id"], name="one_write_back_a_target"),
        ]
        indexes = [
            # What waits to be written.
            models.Index(
                fields=["due_at"], condition=models.Q(state="pending"), name="write_back_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of case {self.case_id}: {self.state}"
