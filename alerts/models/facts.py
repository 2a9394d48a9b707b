"""What enrichment found: facts of alerts, classes of assets, who was seen with what.

Words of our own, numbers, times and pseudonyms. Pseudonyms here are found through EntityKey, not by
foreign keys: entities merge, and much that a sign-in or a list names was never in an alert.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from alerts.models.alert import Alert
from tenants.changes import change_column


class AlertFact(models.Model):
    """`enrichment.facts.AlertFacts` of one alert, and when Microsoft is to be asked again."""

    alert = models.OneToOneField(Alert, models.CASCADE, primary_key=True, related_name="facts_row")
    facts = models.JSONField(default=dict)
    attempts = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, help_text="Empty: everything asked is final")
    asked_at = models.DateTimeField(null=True)
    change = change_column()

    class Meta:
        indexes = [
            models.Index(fields=["change", "alert_id"], name="alertfact_change"),
            # What is to be asked next.
            models.Index(
                fields=["due_at"], condition=models.Q(due_at__isnull=False), name="alertfact_due"
            ),
        ]

    def __str__(self) -> str:
        return f"facts of alert {self.alert_id}"


class SignInTrace(models.Model):
    """Token, session, device or address of the sign-in that an alert is about.

    Under every version of the pseudonym key, so that it is also met again after a rotation.
    """

    pk = models.CompositePrimaryKey("alert_id", "pseudonym")
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="traces", db_index=False)
    pseudonym = models.UUIDField()
    kind = models.CharField(max_length=8, help_text="enrichment.facts.TraceKind")

    class Meta:
        indexes = [
            # The same token or device in another case.
            models.Index(fields=["pseudonym"], name="trace_pseudonym"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of alert {self.alert_id}"


class AssetClass(models.Model):
    """People, devices, data or apps that count for more, by an uploaded list or an Entra group."""

    class Kind(models.TextChoices):
        VIP = "vip", "VIP"
        CROWN_JEWEL = "crown_jewel", "Crown jewel"
        OWN = "own", "Own class"

    class Holds(models.TextChoices):
        PEOPLE = "people", "People"
        DEVICES = "devices", "Devices"
        DATA = "data", "Data"
        APPS = "apps", "Apps"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=12, choices=Kind)
    holds = models.CharField(max_length=8, choices=Holds)
    sealed_group = models.BinaryField(null=True, help_text="Id of the Entra group, encrypted")
    refresh_at = models.DateTimeField(null=True, help_text="The group's members are read then")
    refreshed_at = models.DateTimeField(null=True, help_text="Upload, or the group's last reading")
    problem = models.CharField(max_length=300, blank=True, default="", help_text="In our words")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class AssetMember(models.Model):
    """A pseudonym of something in a class. `member`: the first of those that one line has."""

    pk = models.CompositePrimaryKey("asset_class_id", "pseudonym")
    asset_class = models.ForeignKey(
        AssetClass, models.CASCADE, related_name="members", db_index=False
    )
    pseudonym = models.UUIDField()
    member = models.UUIDField()

    class Meta:
        indexes = [
            # Is this entity in a class?
            models.Index(fields=["pseudonym"], include=["asset_class"], name="asset_pseudonym"),
        ]

    def __str__(self) -> str:
        return f"{self.member} in {self.asset_class_id}"


class EntityLink(models.Model):
    """Two things were seen together: who used what. `near` is the person, `far` the thing."""

    pk = models.CompositePrimaryKey("near", "far")
    near = models.UUIDField()
    far = models.UUIDField()
    near_kind = models.CharField(max_length=24)
    far_kind = models.CharField(max_length=24)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.IntegerField(help_text="Alerts and sign-ins")

    class Meta:
        indexes = [
            # Who used this thing; the other way is the primary key.
            models.Index(fields=["far"], name="entitylink_far"),
        ]

    def __str__(self) -> str:
        return f"{self.near} with {self.far}"


class LinkSource(models.Model):
    """A pair that an alert or a sign-in has been counted for, so that it counts once."""

    pk = models.CompositePrimaryKey("source", "near", "far")
    source = models.UUIDField(help_text="Alert id as a number, or pseudonym of a sign-in")
    near = models.UUIDField()
    far = models.UUIDField()
    at = models.DateTimeField()
    is_sign_in = models.BooleanField()

    class Meta:
        indexes = [
            # Sign-ins that Microsoft has forgotten can't come again, so their rows go.
            models.Index(
                fields=["at"], condition=models.Q(is_sign_in=True), name="linksource_sign_ins"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.near} with {self.far}"
