"""How long the lake keeps what was written of a tenant. What is older goes with the next export."""

from __future__ import annotations

from django.db import transaction

from tenants.audit import record
from tenants.models import Tenant

LEAST_DAYS = 30
MOST_DAYS = 36_500


@transaction.atomic
def keep(tenant: Tenant, days: int, actor: str) -> None:
    facts: dict[str, object] = {"before": tenant.lake_days, "after": days}
    Tenant.objects.filter(pk=tenant.pk).update(lake_days=days)
    record(actor, "lake_retention_set", tenant, facts=facts)
