"""Who did or saw what."""

from __future__ import annotations

from django.db import models

from tenants.models.tenant import Tenant


class AuditEntry(models.Model):
    """Who did or saw what. The database lets nobody change or remove a row."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=150, help_text="User name, or 'system'")
    action = models.CharField(max_length=40)
    tenant = models.ForeignKey(Tenant, models.DO_NOTHING, null=True, db_constraint=False)
    subject = models.CharField(max_length=100, blank=True, help_text="Kind and public id")
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
