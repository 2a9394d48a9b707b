"""When a tenant's write-backs and tickets are to be looked at next. State is in Postgres alone."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, Q
from django.utils import timezone

from alerts.models import Case
from tenants.models import Tenant
from tenants.scope import scope


def look_soon(tenant_ids: Iterable[int]) -> None:
    """Somebody decided something: Microsoft and the ticket system are told within seconds."""
    Tenant.objects.filter(pk__in=list(tenant_ids)).update(next_outcome_at=timezone.now())


def note_due(tenant: Tenant) -> None:
    """After alerts were read and judged: whether something is to be told, or looked at at all."""
    with scope(tenant):
        is_owed = Case.objects.filter(version__gt=F("told_version")).exists()
    same = Tenant.objects.filter(pk=tenant.pk)
    if not is_owed:
        same = same.filter(Q(next_outcome_at=None) & Q(ticketing__is_enabled=True))
    same.update(next_outcome_at=timezone.now())
