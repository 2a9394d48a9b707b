"""Alerts and the entities that they name, by pseudonym; documents that could not be read."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from alerts.models.case import Case
from tenants.changes import change_column


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
    joined_by = models.CharField(max_length=20, blank=True, default="", help_text="alerts.reasons")
    join_facts = models.JSONField(null=True, help_text="What tied it, as alerts.reasons reads it")
    duplicate_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="duplicates", db_index=False
    )
    ingested_at = models.DateTimeField(db_default=Now())
    change = change_column()

    class Meta:
        ordering = ["activity_at", "pk"]
        indexes = [
            # What is new for the lake; so in other tables.
            models.Index(fields=["change", "id"], name="alert_change"),
            # The youngest change; counts of a window of the ledger.
            models.Index(fields=["updated_at"], name="alert_updated"),
            # Alerts of the same Microsoft incident.
            models.Index(
                fields=["incident_id"], condition=~models.Q(incident_id=""), name="alert_incident"
            ),
            # What became of earlier alerts of the same detection, the latest first.
            models.Index(
                fields=["detector_id", "activity_at"],
                condition=~models.Q(detector_id=""),
                name="alert_detector",
            ),
            models.Index(
                fields=["title", "activity_at"],
                condition=models.Q(detector_id=""),
                name="alert_detection_title",
            ),
            # What came in during a month: rows lie in that order, so a tiny index tells where.
            BrinIndex(fields=["ingested_at"], name="alert_ingested"),
            # Reports of the same event by another product; few beside all alerts.
            models.Index(
                fields=["duplicate_of"],
                condition=models.Q(duplicate_of__isnull=False),
                name="alert_duplicate",
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
