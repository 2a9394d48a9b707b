"""One tenant's alerts, entities and cases: metadata and pseudonyms, in the tenant's own schema.

No text here comes from Microsoft unscrubbed; names, addresses and descriptions are never stored.
"""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
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


class Alert(models.Model):
    """One provider's finding, by the provider's id. Written by `alerts.ingest` alone."""

    provider_id = models.CharField(max_length=200, unique=True)
    api = models.CharField(max_length=12, help_text="alerts_v2 or legacy")
    title = models.CharField(max_length=300)
    category = models.CharField(max_length=100)
    techniques = ArrayField(models.CharField(max_length=12))
    severity = models.SmallIntegerField()
    status = models.CharField(max_length=20)
    classification = models.CharField(max_length=40)
    determination = models.CharField(max_length=40)
    service_source = models.CharField(max_length=60)
    detection_source = models.CharField(max_length=60)
    product = models.CharField(max_length=100)
    detector_id = models.CharField(max_length=100)
    incident_id = models.CharField(max_length=64)
    pillars = models.SmallIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(help_text="lastUpdateDateTime, Microsoft's clock")
    activity_at = models.DateTimeField(help_text="First activity, else creation: ties use it")
    last_activity_at = models.DateTimeField()
    fingerprint = models.UUIDField(help_text="Of what is stored; tells news from re-delivery")
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="alerts")
    case_growth = models.IntegerField(default=0, help_text="Case.growth when it joined")
    joined_by = models.CharField(max_length=20, blank=True, default="", help_text="Why: Tie")
    ingested_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["activity_at", "pk"]
        indexes = [
            # The youngest change; counts of a window of the ledger.
            models.Index(fields=["updated_at"], name="alert_updated"),
            # Alerts of the same Microsoft incident.
            models.Index(
                fields=["incident_id"], condition=~models.Q(incident_id=""), name="alert_incident"
            ),
        ]

    def __str__(self) -> str:
        return self.provider_id


class Entity(models.Model):
    """A thing that alerts name, known here by pseudonym only."""

    kind = models.CharField(max_length=24)
    pseudonym = models.UUIDField()
    key_version = models.CharField(max_length=8, help_text="Version of the pseudonym key")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pseudonym}"


class EntityKey(models.Model):
    """A pseudonym under which an entity is found: of an identifier, or of a mere name."""

    pk = models.CompositePrimaryKey("pseudonym", "entity_id")
    pseudonym = models.UUIDField()
    entity = models.ForeignKey(Entity, models.CASCADE, related_name="keys")
    is_identity = models.BooleanField(help_text="Identifies; two records that share it are one")

    def __str__(self) -> str:
        return str(self.pseudonym)


class AlertEntity(models.Model):
    """An alert names an entity. `at` repeats the alert's activity time for the ties' index."""

    pk = models.CompositePrimaryKey("alert_id", "entity_id")
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="links", db_index=False)
    entity = models.ForeignKey(Entity, models.CASCADE, related_name="links", db_index=False)
    at = models.DateTimeField()
    ties = models.BooleanField()
    roles = models.CharField(max_length=120)
    verdict = models.CharField(max_length=40)

    class Meta:
        indexes = [
            # Nearest alerts of an entity before and after a time; pages of one entity.
            models.Index(fields=["entity", "at"], include=["alert"], name="alert_entity_at"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} names {self.entity_id}"


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


class Cursor(models.Model):
    """How far a source has been read, by Microsoft's clock. The row is also the ingest's lock."""

    source = models.CharField(max_length=20, primary_key=True)
    watermark = models.DateTimeField(null=True)

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


class Quarantined(models.Model):
    """A document that could not be read: its id and the problem, never its content."""

    reference = models.CharField(max_length=200, unique=True, help_text="Provider id, or a hash")
    is_provider_id = models.BooleanField()
    field = models.CharField(max_length=60)
    problem = models.CharField(max_length=200)
    attempts = models.IntegerField(default=1)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.reference
