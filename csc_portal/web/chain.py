"""The chain: Identity, Device, App, Data and Infrastructure side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from csc_portal import queue
from csc_portal.access import TenantRef
from csc_portal.chain_top import Top, top_entities
from csc_portal.filters import Filter
from csc_portal.queue import Counts
from csc_portal.web.desk import Desk, desk_of
from csc_portal.web.facets import SHOWN_SEVERITIES
from tenants.models import PILLARS, Tenant

LARGEST_TENANTS = 3
SHOWN_ENTITIES = 6
LABELS = {
    "identity": "Identity",
    "device": "Device",
    "app": "App",
    "data": "Data",
    "infrastructure": "Infrastructure",
}


@dataclass(frozen=True, slots=True)
class Bar:
    severity: str
    number: int
    width: float
    url: str


@dataclass(frozen=True, slots=True)
class Column:
    """One link of the chain. `next_*`: open cases that touch it and the next one as well."""

    name: str
    label: str
    number: int
    url: str
    bars: list[Bar]
    top: list[tuple[Top, TenantRef]]
    next_number: int
    next_url: str
    others: list[tuple[str, int]]


@require_safe
def chain_page(request: HttpRequest) -> HttpResponse:
    desk = desk_of(request)
    counts = queue.counts(desk.ids)
    together = queue.touched_together(desk.ids)
    largest = [pk for pk, _ in queue.busiest(desk.ids, LARGEST_TENANTS)]
    tops = _tops(largest, desk)
    context = {
        "columns": [_column(index, counts, together, tops, desk) for index in range(len(PILLARS))],
        "counts": counts,
        "largest": [desk.rights.tenants[pk] for pk in largest],
        "is_partial": len(desk.ids) > len(largest),
        "unknown": desk.unknown,
    }
    return render(request, "chain/page.html", context)


def _tops(largest: Sequence[int], desk: Desk) -> list[tuple[Top, TenantRef]]:
    """Of the tenants with most open cases only: each is a scope of its own."""
    tenants = Tenant.objects.in_bulk(list(largest))
    found = [(top, desk.rights.tenants[pk]) for pk in largest for top in top_entities(tenants[pk])]
    return sorted(found, key=lambda item: (-item[0].cases, -item[0].alerts))


def _column(
    index: int,
    counts: Counts,
    together: dict[tuple[str, str], int],
    tops: list[tuple[Top, TenantRef]],
    desk: Desk,
) -> Column:
    name = PILLARS[index]
    slugs = tuple(tenant.slug for tenant in desk.chosen)
    wanted = Filter(tenant=slugs, pillar=(name,))
    following = PILLARS[index + 1] if index + 1 < len(PILLARS) else ""
    most = max(1, *(counts.pillar(other) for other in PILLARS))
    return Column(
        name=name,
        label=LABELS[name],
        number=counts.pillar(name),
        url=wanted.query(severity=("any",)),
        bars=[
            Bar(
                severity,
                counts.pillar(name, severity),
                round(100 * counts.pillar(name, severity) / most, 1),
                wanted.query(severity=(severity,)),
            )
            for severity in SHOWN_SEVERITIES
        ],
        top=[item for item in tops if item[0].pillar == name][:SHOWN_ENTITIES],
        next_number=together.get((name, following), 0),
        next_url=wanted.query(severity=("any",)),
        others=[
            (LABELS[other], number)
            for other in PILLARS
            if other != name
            and (number := together.get((name, other)) or together.get((other, name)) or 0)
        ],
    )
