"""How one tenant fares: its reads, its quarantine, what waits to be sent. In its own scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from alerts.feed import SOURCE
from alerts.models import Cursor, Poll, Quarantined, Subscription, WriteBack
from clients.throttle import FamilyState
from tenants.directories import governor
from tenants.models import Tenant
from tenants.scope import scope
from ticketing.models import Delivery

SHOWN = 20


@dataclass(frozen=True, slots=True)
class TenantHealth:
    """`deliveries`: state -> count, sent ones left out. `troubled`: those with an error.

    `write_backs` and `unwritten`: the same for what is to be written to Microsoft.
    """

    polls: list[Poll]
    watermark: datetime | None
    quarantined: list[Quarantined]
    quarantine_count: int
    deliveries: dict[str, int]
    troubled: list[Delivery]
    subscriptions: list[Subscription]
    write_backs: dict[str, int]
    unwritten: list[WriteBack]

    @property
    def unwritten_count(self) -> int:
        return self.write_backs.get(str(WriteBack.State.PENDING), 0)

    @property
    def failed(self) -> int:
        return self.deliveries.get(Delivery.State.FAILED, 0)

    @property
    def waiting(self) -> int:
        states = (Delivery.State.PENDING, Delivery.State.SENDING)
        return sum(self.deliveries.get(state, 0) for state in states)


def read_health(tenant: Tenant) -> TenantHealth:
    """Nine queries, each bounded."""
    unsent = (Delivery.State.PENDING, Delivery.State.SENDING, Delivery.State.FAILED)
    with scope(tenant):
        open_quarantine = Quarantined.objects.filter(resolved_at=None)
        waiting = Delivery.objects.filter(state__in=unsent)
        outbox = WriteBack.objects.filter(
            state__in=(WriteBack.State.PENDING, WriteBack.State.FAILED)
        )
        states = waiting.order_by().values_list("state").annotate(Count("pk"))
        troubled = waiting.exclude(error="").select_related("case", "finding").order_by("-pk")
        return TenantHealth(
            polls=list(Poll.objects.order_by("-pk")[:SHOWN]),
            watermark=Cursor.objects.filter(source=SOURCE)
            .values_list("watermark", flat=True)
            .first(),
            quarantined=list(open_quarantine.order_by("-last_seen_at", "-pk")[:SHOWN]),
            quarantine_count=open_quarantine.count(),
            deliveries=dict(states),
            troubled=list(troubled[:SHOWN]),
            subscriptions=list(Subscription.objects.order_by("resource")[:SHOWN]),
            write_backs=dict(outbox.order_by().values_list("state").annotate(Count("pk"))),
            unwritten=list(outbox.exclude(error="").select_related("case").order_by("-pk")[:SHOWN]),
        )


def budget(tenant: Tenant) -> list[FamilyState]:
    """What the directory's request budget looks like, families in use first; one round trip."""
    states = governor().state(str(tenant.directory_id))
    return sorted(
        (state for state in states if state.used or state.paused_s), key=lambda state: -state.used
    )
