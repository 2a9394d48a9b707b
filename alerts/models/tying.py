"""What decides which alerts belong together: classes of detections, hubs, what people parted."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class OverlapOverride(models.Model):
    """The tenant's own version of a class of equivalent detections; see `alerts.overlap`."""

    name = models.CharField(max_length=40, primary_key=True)
    body = models.JSONField(help_text="As alerts.overlap.read_class reads it")
    version = models.IntegerField(default=1)
    actor_id = models.IntegerField(null=True)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Hub(models.Model):
    """An entity that was looked at because many alerts name it. A hub ties nothing.

    `entity_id` is no foreign key: entities that turn out to be one are merged, and the older stays.
    """

    entity_id = models.BigIntegerField(primary_key=True)
    is_hub = models.BooleanField()
    pinned = models.BooleanField(null=True, help_text="A person said so; empty: learned")
    alerts = models.IntegerField(default=0, help_text="Of the days looked back")
    days = models.IntegerField(default=0)
    peers = models.IntegerField(default=0, help_text="People and devices named beside it")
    learned_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["entity_id"]

    def __str__(self) -> str:
        return f"entity {self.entity_id}: {'hub' if self.is_hub else 'no hub'}"


class Apart(models.Model):
    """Two cases, alerts or entities that a person said are never to be tied. `a` is below `b`."""

    class Kind(models.TextChoices):
        CASES = "cases"
        ALERTS = "alerts"
        ENTITIES = "entities"

    kind = models.CharField(max_length=10, choices=Kind)
    a = models.BigIntegerField()
    b = models.BigIntegerField()
    actor_id = models.IntegerField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "a", "b"], name="apart_once"),
            models.CheckConstraint(condition=models.Q(a__lt=models.F("b")), name="apart_in_order"),
        ]
        indexes = [models.Index(fields=["kind", "b"], name="apart_other")]

    def __str__(self) -> str:
        return f"{self.kind} {self.a} and {self.b} apart"
