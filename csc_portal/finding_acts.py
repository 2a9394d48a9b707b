"""What people do with findings: who looks after one, and whether its risk is accepted for a time.

Findings open and close by themselves; nobody closes one. Each act is audited.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from posture.findings import publish
from posture.models import Finding
from tenants.audit import record
from tenants.models import FindingEntry, Tenant
from tenants.scope import granted, scope


def entry_of(public_id: uuid.UUID, tenant_ids: Sequence[int]) -> FindingEntry | None:
    """The slim row, if it is of one of these tenants."""
    with granted(tenant_ids):
        return FindingEntry.objects.filter(public_id=public_id, tenant_id__in=tenant_ids).first()


def finding_of(tenant: Tenant, public_id: uuid.UUID) -> Finding:
    with scope(tenant):
        return Finding.objects.get(public_id=public_id)


@transaction.atomic
def assign(tenant: Tenant, public_id: uuid.UUID, owner_id: int | None, *, actor: str) -> bool:
    """Whether it is open, so that somebody can look after it."""
    if not _change(tenant, public_id, owner_id=owner_id):
        return False
    record(actor, "finding_assigned", tenant, f"finding {public_id}", {"owner": owner_id})
    return True


@transaction.atomic
def accept(tenant: Tenant, public_id: uuid.UUID, why: str, until: datetime, *, actor: str) -> bool:
    """Its risk is accepted until then: it is not in the list of open ones, and gets no ticket."""
    if not _change(tenant, public_id, accepted_until=until, accepted_why=why):
        return False
    facts: dict[str, object] = {"why": why, "until": until.date().isoformat()}
    record(actor, "finding_accepted", tenant, f"finding {public_id}", facts)
    return True


@transaction.atomic
def end_acceptance(tenant: Tenant, public_id: uuid.UUID, *, actor: str) -> bool:
    if not _change(tenant, public_id, accepted_until=None, accepted_why=""):
        return False
    record(actor, "finding_acceptance_ended", tenant, f"finding {public_id}")
    return True


def _change(tenant: Tenant, public_id: uuid.UUID, **changes: object) -> bool:
    with scope(tenant), transaction.atomic():
        row = Finding.objects.filter(public_id=public_id, closed_at=None)
        changed = row.update(**changes)
        publish(list(row))
    return bool(changed)
