"""How far Microsoft's sources have been read, and which of them can be."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Cursor(models.Model):
    """How far a source has been read, by Microsoft's clock. The row is also the ingest's lock."""

    source = models.CharField(max_length=20, primary_key=True)
    watermark = models.DateTimeField(null=True)
    position = models.BigIntegerField(null=True, help_text="Of a source that counts rows of ours")

    def __str__(self) -> str:
        return f"{self.source} to {self.watermark}"


class Poll(models.Model):
    """One window of the ledger: a source's changes between two times of Microsoft's clock.

    The windows of a source follow each other without a gap; the youngest is open (`until` is empty)
    until it has been read. Extra reads (`is_extra`: a replay, a reconciliation) are not part of it.
    """

    class State(models.TextChoices):
        PLANNED = "planned"
        FETCHED = "fetched"
        RETRYING = "retrying"
        FAILED = "failed"
        GAP = "gap"

    source = models.CharField(max_length=20)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    is_extra = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    attempts = models.IntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True, default="")
    checked_at = models.DateTimeField(null=True, help_text="Compared with Microsoft's count")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["source"],
                condition=models.Q(until=None, is_extra=False),
                name="one_open_window",
            ),
        ]
        indexes = [
            # What is still to be read.
            models.Index(
                fields=["source", "since"],
                condition=~models.Q(state="fetched"),
                name="poll_unread",
            ),
            # What is still to be compared.
            models.Index(
                fields=["source", "until"],
                condition=models.Q(state="fetched", checked_at=None),
                name="poll_unchecked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} from {self.since}"


class Subscription(models.Model):
    """A resource that Microsoft should tell us about, and whether it does. It holds no secret."""

    class State(models.TextChoices):
        ACTIVE = "active"
        POLLED = "polled"

    resource = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.POLLED)
    subscription_id = models.CharField(max_length=64, blank=True, default="")
    url = models.CharField(max_length=300, blank=True, default="")
    key_version = models.CharField(max_length=8, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True, default="", help_text="Why it is polled")
    retry_at = models.DateTimeField(null=True, help_text="Empty: not by itself")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["resource"]

    def __str__(self) -> str:
        return f"{self.resource} is {self.state}"


class Redirect(models.Model):
    """A Microsoft incident that was merged into another. `final`: where the chain of them ends."""

    source = models.CharField(max_length=64, primary_key=True)
    target = models.CharField(max_length=64)
    final = models.CharField(max_length=64)
    updated_at = models.DateTimeField(help_text="lastUpdateDateTime, Microsoft's clock")

    def __str__(self) -> str:
        return f"incident {self.source} is now {self.final}"


class SourceAbility(models.Model):
    """Whether one of Microsoft's sources can be read for this tenant, as the last probe found."""

    class State(models.TextChoices):
        THERE = "there"
        NO_PERMISSION = "no_permission"
        NO_LICENCE = "no_licence"
        UNKNOWN = "unknown"

    source = models.CharField(max_length=20, primary_key=True)
    state = models.CharField(max_length=16, choices=State)
    problem = models.CharField(max_length=300, blank=True, default="", help_text="In our words")
    checked_at = models.DateTimeField()

    class Meta:
        ordering = ["source"]

    def __str__(self) -> str:
        return f"{self.source}: {self.state}"
