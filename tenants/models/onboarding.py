"""How far the onboarding of a customer is, so that it can be left and resumed."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.models.people import User
from tenants.models.tenant import Tenant


class Onboarding(models.Model):
    """One run of the wizard, and of each later consent. It holds no secret and nothing personal.

    Of a consent that is under way only hashes are kept: of the `state` that Microsoft brings back,
    and of what the browser's session holds.
    """

    class Step(models.IntegerChoices):
        DIRECTORY = 1
        CONSENT = 2
        PERMISSIONS = 3
        TICKETS = 4
        ASSETS = 5
        FIRST_READ = 6

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.OneToOneField(Tenant, models.CASCADE, null=True, related_name="onboarding")
    started_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=100)
    slug = models.CharField(max_length=40)
    directory_id = models.UUIDField()
    client_id = models.UUIDField()
    credential_secret = models.CharField(max_length=127)
    reached = models.SmallIntegerField(choices=Step, default=Step.CONSENT)
    consent_state = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256")
    consent_browser = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256")
    consent_user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    consent_expires_at = models.DateTimeField(null=True)
    consent_told_at = models.DateTimeField(
        null=True, help_text="A redirect said yes; only a token proves it"
    )
    consented_at = models.DateTimeField(null=True, help_text="Proven by a token")
    expected = models.IntegerField(null=True, help_text="Alerts of the first read, as counted then")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-changed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["directory_id"],
                condition=models.Q(finished_at=None),
                name="one_onboarding_a_directory",
            ),
            # A redirect finds its onboarding by the hash of its state alone.
            models.UniqueConstraint(
                fields=["consent_state"],
                condition=models.Q(consent_state__gt=""),
                name="one_onboarding_a_state",
            ),
        ]

    def __str__(self) -> str:
        return f"onboarding of {self.slug}"
