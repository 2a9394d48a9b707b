"""Who uses the portal, and what they may do there."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from tenants.models.tenant import Tenant


class User(AbstractUser):
    """A person at the provider or a customer's CISO. Rights come from grants alone."""

    preferences = models.JSONField(default=dict, blank=True)


class Grant(models.Model):
    """What a user may do, for one tenant or (tenant is empty) for all of them."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        ANALYST = "analyst"
        ADMIN = "admin"

    user = models.ForeignKey(User, models.CASCADE, related_name="grants")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="grants", null=True, blank=True)
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tenant"], name="one_grant_a_tenant", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.tenant_id or '*'}:{self.role}"
