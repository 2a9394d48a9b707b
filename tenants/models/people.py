"""Who uses the portal, and what they may do there."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from tenants.models.tenant import SLUG, Tenant


class User(AbstractUser):
    """A person at the provider or a customer's CISO. Rights come from grants alone."""

    preferences = models.JSONField(default=dict, blank=True)
    is_service = models.BooleanField(
        default=False, db_default=False, help_text="Of a program: has keys, never signs in"
    )


class TenantGroup(models.Model):
    """Tenants that are looked at or granted together. One tenant may be in several groups."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    name = models.CharField(max_length=100)
    tenants = models.ManyToManyField(Tenant, related_name="groups", blank=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.slug


class Grant(models.Model):
    """A role for one tenant, for a group of tenants, or (both are empty) for all of them.

    What a role may do stands in tenants/roles.py. Grants from the directory are made anew at each
    sign-in; those given by hand stay. Change them through tenants/grants.py, which keeps the rules.
    """

    class Role(models.TextChoices):
        VIEWER = "viewer", "Read-only"
        ANALYST = "analyst", "Analyst"
        LEAD = "lead", "Lead"
        ADMIN = "admin", "Provider admin"
        CUSTOMER_CISO = "customer_ciso", "Customer CISO"
        CUSTOMER_ADMIN = "customer_admin", "Customer admin"

    class Source(models.TextChoices):
        MANUAL = "manual", "By hand"
        DIRECTORY = "directory", "From the directory"

    user = models.ForeignKey(User, models.CASCADE, related_name="grants")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="grants", null=True, blank=True)
    group = models.ForeignKey(
        TenantGroup, models.CASCADE, related_name="grants", null=True, blank=True
    )
    role = models.CharField(max_length=20, choices=Role)
    source = models.CharField(
        max_length=10, choices=Source, default=Source.MANUAL, db_default="manual"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tenant", "group", "source"],
                name="one_grant_a_scope",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(tenant=None) | Q(group=None), name="grant_of_tenant_or_group"
            ),
            models.CheckConstraint(
                condition=~Q(role__in=["customer_ciso", "customer_admin"])
                | Q(tenant__isnull=False),
                name="customers_one_tenant",
            ),
        ]

    def __str__(self) -> str:
        where = f"group {self.group_id}" if self.group_id else self.tenant_id or "*"
        return f"{self.user_id}:{where}:{self.role}"
