"""The end of a customer: reading stops, push is revoked, and on demand all is forgotten."""

from __future__ import annotations

from csc_portal.push import end_push
from tenants.audit import record
from tenants.models import Tenant
from tenants.onboarding import erase_tenant


def off_board(tenant: Tenant, actor: str) -> str:
    """Stop reading and being pushed. What is stored stays. What went wrong with push, or ""."""
    Tenant.objects.filter(pk=tenant.pk).update(
        state=Tenant.State.OFFBOARDED, next_poll_at=None, next_delivery_at=None
    )
    # Whoever is not read any more should not be pushed either. What stays behind expires.
    problem = end_push(tenant)
    record(actor, "tenant_offboarded", tenant)
    return problem


def erase(tenant: Tenant, actor: str) -> None:
    """Everything that is stored of it, for good."""
    public_id = tenant.public_id
    erase_tenant(tenant)
    # The tenant's row is gone, so the entry names none: only that one was erased.
    record(actor, "tenant_erased", subject=f"tenant {public_id}")
