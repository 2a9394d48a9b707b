"""Reports of a tenant, as small rows of numbers in the tenant's own schema, and links to them.

A report's text and its PDF are made anew from the numbers. No name of a person or thing is in them.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from reports.periods import Period


class Report(models.Model):
    """What was counted for a period, frozen when it was made. One row a period.

    `figures` and `before` hold `reports.figures.Figures` of the period and of the one before it.
    """

    class Delivery(models.TextChoices):
        NONE = "none", "Not sent"
        PENDING = "pending", "To be sent"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Refused"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    since = models.DateTimeField()
    until = models.DateTimeField(help_text="The first instant that does not belong to it")
    zone = models.CharField(max_length=64, help_text="Time zone in which its days are counted")
    is_month = models.BooleanField(default=False, help_text="A whole month of that zone")
    figures = models.JSONField()
    before = models.JSONField(null=True, help_text="Of the period before; empty: not known")
    made_at = models.DateTimeField(help_text="The numbers are those of this moment")
    delivery = models.CharField(max_length=10, choices=Delivery, default=Delivery.NONE)
    attempts = models.IntegerField(default=0, help_text="To open its ticket")
    asked_at = models.DateTimeField(null=True, help_text="Its ticket is owed since then")
    ticket_ref = models.CharField(max_length=40, blank=True, default="")
    ticket_url = models.CharField(max_length=300, blank=True, default="")
    problem = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["-until", "-since", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["since", "until"], name="one_report_a_period"),
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("since")), name="report_period_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"report {self.public_id}"

    @property
    def period(self) -> Period:
        return Period(self.since, self.until, self.zone)


class ReportLink(models.Model):
    """Opens one report without signing in, until a day. Its token is derived, never stored."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    report = models.ForeignKey(Report, models.CASCADE, related_name="links")
    made_at = models.DateTimeField(db_default=Now())
    actor_id = models.IntegerField(null=True, help_text="public.user; empty: the portal itself")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    opened = models.IntegerField(default=0, help_text="How often")
    opened_at = models.DateTimeField(null=True, help_text="The last time")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"link {self.public_id}"
