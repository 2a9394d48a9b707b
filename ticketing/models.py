"""Tickets and the deliveries that make and feed them, in the tenant's own schema."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from alerts.models import Case
from posture.models import Finding

ABOUT_ONE = models.Q(case=None, finding__isnull=False) | models.Q(case__isnull=False, finding=None)
"""A ticket is about a case or a finding; all else is the same for both."""


class Ticket(models.Model):
    """The one ticket of a case, or of a finding, in the customer's system."""

    case = models.OneToOneField(Case, models.PROTECT, related_name="ticket", null=True)
    finding = models.OneToOneField(Finding, models.PROTECT, related_name="ticket", null=True)
    system = models.CharField(max_length=30)
    reference = models.CharField(max_length=40, unique=True, help_text="Ours; found in the ticket")
    external_id = models.CharField(max_length=60)
    url = models.CharField(max_length=300)
    status = models.CharField(
        max_length=40, blank=True, help_text="Theirs, in our words, last seen"
    )
    told = models.CharField(
        max_length=10, default="open", db_default="open", help_text="Ours, as it was told last"
    )
    stamp = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text="Of its last change there"
    )
    assignee = models.UUIDField(null=True, help_text="Pseudonym of who has it there")
    notes = models.IntegerField(default=0, db_default=0, help_text="By people, last counted")
    gone_at = models.DateTimeField(null=True, help_text="It was found to be deleted there")
    seen_at = models.DateTimeField(null=True, help_text="Last compared")
    covers_growth = models.IntegerField(help_text="The subject's growth that the ticket tells of")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [models.CheckConstraint(condition=ABOUT_ONE, name="ticket_about_one")]
        indexes = [
            # The case of a ticket that changed there.
            models.Index(fields=["external_id"], name="ticket_external"),
            # Whose state there is not ours, and who is asked for one by one.
            models.Index(
                fields=["case"],
                condition=models.Q(told="open", gone_at=None),
                name="ticket_open",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class Delivery(models.Model):
    """The intent to create or extend a ticket, saved before anything is sent."""

    class Kind(models.TextChoices):
        CREATE = "create"
        NOTE = "note"
        UPDATE = "update"

    class State(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        CANCELLED = "cancelled"

    case = models.ForeignKey(Case, models.CASCADE, related_name="deliveries", null=True)
    finding = models.ForeignKey(Finding, models.CASCADE, related_name="deliveries", null=True)
    kind = models.CharField(max_length=10, choices=Kind)
    growth = models.IntegerField(
        help_text="The subject's growth that it tells of; for an update of a case its version"
    )
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    claimed_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=ABOUT_ONE, name="delivery_about_one"),
            models.UniqueConstraint(
                fields=["finding"], condition=models.Q(kind="create"), name="one_ticket_a_finding"
            ),
            models.UniqueConstraint(
                fields=["finding", "kind", "growth"], name="one_delivery_a_growth"
            ),
            models.UniqueConstraint(
                fields=["case"], condition=models.Q(kind="create"), name="one_ticket_a_case"
            ),
            models.UniqueConstraint(
                fields=["case", "growth"], condition=models.Q(kind="note"), name="one_note_a_growth"
            ),
            models.UniqueConstraint(
                fields=["case", "growth"],
                condition=models.Q(kind="update"),
                name="one_update_a_version",
            ),
        ]
        indexes = [
            # What is waiting or stands still.
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=["pending", "sending"]),
                name="delivery_waiting",
            ),
            # What was given up, for webhooks that tell of it.
            models.Index(
                fields=["created_at"],
                condition=models.Q(state="failed"),
                name="delivery_failed",
            ),
        ]

    def __str__(self) -> str:
        subject = f"case {self.case_id}" if self.case_id else f"finding {self.finding_id}"
        return f"{self.kind} for {subject}: {self.state}"
