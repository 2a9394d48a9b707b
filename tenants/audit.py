"""Who did or saw what. Entries can be added, never changed; tenants/audit_seals.py chains them."""

from __future__ import annotations

from collections.abc import Mapping

from tenants.models import AuditEntry, Tenant

SYSTEM = "system"


def record(
    actor: str,
    action: str,
    tenant: Tenant | None = None,
    subject: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """Write one entry. `subject` is a kind and public id; `facts` hold counts and our own words."""
    AuditEntry.objects.create(
        actor=actor, action=action, tenant=tenant, subject=subject, facts=dict(facts or {})
    )
