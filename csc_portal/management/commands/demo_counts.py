"""manage.py demo_counts: what is stored and what is still on its way, over all tenants."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q

from alerts.models import Alert, Case, Poll, Quarantined
from csc_portal.management.base import PortalCommand
from tenants.models import Tenant
from tenants.scope import scope
from ticketing.models import Delivery, Ticket


class Command(PortalCommand):
    help = "Count tenants, alerts, cases and tickets, and what is pending. Loops over all tenants."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenants = list(Tenant.objects.filter(state=Tenant.State.ACTIVE))
        counts = dict.fromkeys(
            ("tenants_with_alerts", "alerts", "cases", "tickets", "duplicates", "overlaps",
             "quarantined", "pending", "failed"),
            0,
        )  # fmt: skip
        for tenant in tenants:
            with scope(tenant):
                for name, number in _count().items():
                    counts[name] += number
            counts["pending"] += tenant.polled_at is None
        return {"tenants": len(tenants), **counts}


def _count() -> dict[str, int]:
    alerts = Alert.objects.count()
    polls = Poll.objects.values_list("counts", flat=True)
    deliveries = Delivery.objects.aggregate(
        pending=Count("pk", filter=Q(state__in=["pending", "sending"])),
        failed=Count("pk", filter=Q(state="failed")),
    )
    return {
        "tenants_with_alerts": int(alerts > 0),
        "alerts": alerts,
        "cases": Case.objects.exclude(status=Case.Status.MERGED).count(),
        "tickets": Ticket.objects.count(),
        "duplicates": sum(poll.get("duplicate", 0) for poll in polls),
        "overlaps": sum(poll.get("overlap", 0) for poll in polls),
        "quarantined": Quarantined.objects.filter(resolved_at=None).count(),
        **deliveries,
    }
