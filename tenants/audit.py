"""Who did or saw what. Rows can be added, never changed: the database holds the portal to it."""

from __future__ import annotations

from tenants.models import AuditEntry, Tenant

SYSTEM = "system"


def record(
    actor: str,
    action: str,
    tenant: Tenant | None = None,
    subject: str = "",
    facts: dict[str, object] | None = None,
) -> None:
    """Write one entry. `subject` is a kind and public id; `facts` hold counts and our own words."""
    AuditEntry.objects.create(
        actor=actor, action=action, tenant=tenant, subject=subject, facts=facts or {}
    )
