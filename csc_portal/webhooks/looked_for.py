"""Happenings that leave no mark on a case's row: looked for now and then, told once each.

To add one, write a function and add it to LOOKED_FOR. The id of an event is made of what happened,
so that it is the same however often it is found.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from csc_portal.webhooks.collect import spread
from csc_portal.webhooks.events import Kind, Occurred
from csc_portal.webhooks.hooks import covered
from posture.findings import open_findings
from posture.secure_score import KIND
from tenants.models import SEVERITIES, Tenant, Webhook
from tenants.scope import scope
from ticketing.models import Delivery

_NAMES = uuid.UUID("4f0e7f8e-3f0c-4d0b-9a53-5d1d5e0c7c11")
_RECENT = timedelta(days=14)
"""Shorter than the log is kept: what is still in the log is not told again."""
_MOST = 500


def ticket_failed(tenant: Tenant, now: datetime) -> Iterator[Occurred]:
    """Deliveries that were given up. One that is tried again and fails again is told again."""
    with scope(tenant):
        failed = list(
            Delivery.objects.filter(
                state=Delivery.State.FAILED, created_at__gt=now - _RECENT, case__isnull=False
            )
            .order_by("-created_at", "-pk")
            .values_list("pk", "kind", "due_at", "case__public_id", "case_id")[:_MOST]
        )
    for pk, kind, due_at, public_id, number in failed:
        data = {
            "case": str(public_id), "number": number, "tenant": tenant.slug, "delivery": kind
        }  # fmt: skip
        event_id = _event_id(Kind.TICKET_FAILED, tenant, f"{pk} {due_at.isoformat()}")
        yield Occurred(event_id, Kind.TICKET_FAILED, tenant.pk, now, data)


def tenant_silent(tenant: Tenant, now: datetime) -> Iterator[Occurred]:
    if tenant.silent_since is not None:
        since = tenant.silent_since.isoformat()
        data = {"tenant": tenant.slug, "silent_since": since}
        event_id = _event_id(Kind.TENANT_SILENT, tenant, since)
        yield Occurred(event_id, Kind.TENANT_SILENT, tenant.pk, now, data)


def score_dropped(tenant: Tenant, now: datetime) -> Iterator[Occurred]:
    """Told once for each time that it fell: while a finding is open it is the same fall."""
    with scope(tenant):
        found = open_findings(KIND)
    for one in found:
        if one.opened_at > now - _RECENT:
            told = {name: one.facts.get(name) for name in ("since", "before", "now", "own")}
            data = {
                "tenant": tenant.slug,
                "finding": str(one.public_id),
                "severity": SEVERITIES[one.severity],
                **told,
            }
            event_id = _event_id(Kind.SCORE_DROPPED, tenant, str(one.public_id))
            yield Occurred(event_id, Kind.SCORE_DROPPED, tenant.pk, one.opened_at, data)


LOOKED_FOR: dict[Kind, Callable[[Tenant, datetime], Iterator[Occurred]]] = {
    Kind.TICKET_FAILED: ticket_failed,
    Kind.TENANT_SILENT: tenant_silent,
    Kind.SCORE_DROPPED: score_dropped,
}


def look(now: datetime) -> None:
    """Only in tenants and for happenings that a webhook wants."""
    coverage = covered(Webhook.objects.filter(state=Webhook.State.ON).select_related("owner"))
    for kind, find in LOOKED_FOR.items():
        wanted = {pk for kinds in coverage.values() for pk in kinds.get(kind, ())}
        for tenant in Tenant.objects.filter(pk__in=wanted, state=Tenant.State.ACTIVE):
            spread(find(tenant, now), coverage)


def _event_id(kind: Kind, tenant: Tenant, what: str) -> uuid.UUID:
    return uuid.uuid5(_NAMES, f"{kind} {tenant.public_id} {what}")
