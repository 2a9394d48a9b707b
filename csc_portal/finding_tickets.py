"""Which findings get a ticket: rules for all tenants or one, planned whenever findings change."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from tenants.models import FindingRule, Tenant, TicketConnection
from tenants.scope import scope
from ticketing.plan import plan_findings


def rules_for(tenant: Tenant) -> list[dict[str, object]]:
    """The rules that count for a tenant: its own go before those for all. One query."""
    found = FindingRule.objects.filter(Q(tenant=None) | Q(tenant=tenant))
    chosen = {rule.kind: rule for rule in sorted(found, key=lambda rule: rule.tenant_id or 0)}
    return [
        {"kind": rule.kind, "min_severity": rule.min_severity, "min_size": rule.min_size}
        for rule in chosen.values()
        if rule.is_on
    ]


def plan_finding_tickets(tenant: Tenant) -> int:
    """Save what tickets of findings are owed, and let it be sent. Enters the scope itself.

    Safe to repeat; what was missed because a worker died is planned within the hour.
    """
    if not TicketConnection.objects.filter(tenant_id=tenant.pk, is_enabled=True).exists():
        return 0
    rules = rules_for(tenant)
    with scope(tenant):
        planned = plan_findings(rules)
    if planned:
        Tenant.objects.filter(pk=tenant.pk).update(next_delivery_at=timezone.now())
    return planned
