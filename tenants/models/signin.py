"""How the portal's own people sign in: sessions, second factors, and their account in Entra ID.

Nothing here is a customer's. Addresses of people are not kept; what a browser is called is.
"""

from __future__ import annotations

import uuid

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from tenants.models.people import Grant, TenantGroup, User
from tenants.models.tenant import Tenant


class PortalSession(AbstractBaseSession):
    """One browser. `session_key` is a digest of what its cookie holds."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    method = models.CharField(max_length=20, blank=True, default="")
    client = models.CharField(max_length=60, blank=True, default="")
    signed_in_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    class Meta(AbstractBaseSession.Meta):
        abstract = False
        ordering = ["-seen_at", "pk"]

    def __str__(self) -> str:
        return f"session {self.public_id}"


class TotpDevice(models.Model):
    """An app that shows six digits. The secret is sealed with a key from Key Vault."""

    user = models.OneToOneField(User, models.CASCADE, related_name="totp")
    sealed = models.BinaryField()
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0, help_text="Digits up to this one are used up")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"authenticator app of user {self.user_id}"


class Passkey(models.Model):
    """A public key; its private half never leaves the person's device."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=60)
    credential_id = models.BinaryField(max_length=1023, unique=True)
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"passkey {self.public_id}"


class RecoveryCode(models.Model):
    """A code that opens once, kept as an HMAC under a key from Key Vault."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="one_recovery_code"),
        ]

    def __str__(self) -> str:
        return f"recovery code of user {self.user_id}"


class EntraMapping(models.Model):
    """An app role or group of the provider's own directory, and the right that it gives."""

    class Kind(models.TextChoices):
        APP_ROLE = "app_role", "App role"
        GROUP = "group", "Group"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.CharField(max_length=120, help_text="The app role's value, or the group's id")
    role = models.CharField(max_length=20, choices=Grant.Role)
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, blank=True, related_name="+")
    group = models.ForeignKey(TenantGroup, models.CASCADE, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["kind", "value", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "value", "tenant", "group"],
                name="one_mapping",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(tenant=None) | models.Q(group=None),
                name="mapping_of_tenant_or_group",
            ),
            models.CheckConstraint(
                condition=~models.Q(role__in=["customer_ciso", "customer_admin"])
                | models.Q(tenant__isnull=False),
                name="mapping_customers_one_tenant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} gives {self.role}"


class EntraIdentity(models.Model):
    """Who a user is in Entra ID: directory and object id. A mail address proves nothing."""

    user = models.OneToOneField(User, models.CASCADE, related_name="entra")
    directory_id = models.UUIDField()
    object_id = models.UUIDField()
    mappings = models.ManyToManyField(EntraMapping, related_name="identities")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["directory_id", "object_id"], name="one_entra_account"),
        ]

    def __str__(self) -> str:
        return f"Entra account of user {self.user_id}"
