"""The chain: Identity, Device, App, Data and Infrastructure side by side, and what links them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from csc_portal import charts, queue
from csc_portal.access import TenantRef
from csc_portal.chain_top import Top, top_entities
from csc_portal.charts import Day, Detection
from csc_portal.filters import ANY, LONGEST_TEXT, Filter
from csc_portal.queue import Counts
from csc_portal.web.desk import Desk, desk_of
from csc_portal.web.facets import SHOWN_SEVERITIES
from csc_portal.web.lines import filter_of
from tenants.models import PILLARS, Tenant

LARGEST_TENANTS = 3
SHOWN_ENTITIES = 6
SHOWN_DETECTIONS = 5
BAR_HEIGHT = 36
COLUMN_WIDTH = 200
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
class Link:
    """Open cases that touch two columns. `path` is the arc between them in the picture."""

    label: str
    number: int
    url: str
    path: str
    weight: int


@dataclass(frozen=True, slots=True)
class Common:
    """A detection that many cases have, and the queue of those."""

    detection: Detection
    url: str


@dataclass(frozen=True, slots=True)
class Column:
    """One link of the chain."""

    name: str
    label: str
    number: int
    url: str
    bars: list[Bar]
    top: list[tuple[Top, TenantRef]]
    detections: list[Common]


@require_safe
def chain_page(request: HttpRequest) -> HttpResponse:
    desk = desk_of(request)
    scope = filter_of(request, desk)
    plain = Filter(scope.tenant, scope.group)
    counts = queue.counts(desk.ids)
    detections = charts.top_detections(desk.ids, SHOWN_DETECTIONS)
    largest = [pk for pk, _ in queue.busiest(desk.ids, LARGEST_TENANTS)]
    tops = _tops(largest, desk)
    context = {
        "columns": [_column(name, counts, tops, detections, plain) for name in PILLARS],
        "links": _links(charts.touched_together(desk.ids), plain),
        "counts": counts,
        "largest": [desk.rights.tenants[pk] for pk in largest],
        "is_partial": len(desk.ids) > len(largest),
        "newest": charts.NEWEST,
    }
    return render(request, "chain/page.html", context)


def _tops(largest: Sequence[int], desk: Desk) -> list[tuple[Top, TenantRef]]:
    """Of the tenants with most open cases only: each is a scope of its own."""
    tenants = Tenant.objects.in_bulk(list(largest))
    found = [(top, desk.rights.tenants[pk]) for pk in largest for top in top_entities(tenants[pk])]
    return sorted(found, key=lambda item: (-item[0].cases, -item[0].alerts))


def _column(
    name: str,
    counts: Counts,
    tops: list[tuple[Top, TenantRef]],
    detections: Mapping[str, list[Detection]],
    plain: Filter,
) -> Column:
    most = max(1, *(counts.pillar(other) for other in PILLARS))
    return Column(
        name=name,
        label=LABELS[name],
        number=counts.pillar(name),
        url=plain.query(pillar=(name,), severity=(ANY,)),
        bars=[
            Bar(
                severity,
                counts.pillar(name, severity),
                round(100 * counts.pillar(name, severity) / most, 1),
                plain.query(pillar=(name,), severity=(severity,)),
            )
            for severity in SHOWN_SEVERITIES
        ],
        top=[item for item in tops if item[0].pillar == name][:SHOWN_ENTITIES],
        detections=[
            Common(
                one,
                plain.query(
                    pillar=(name,),
                    severity=(ANY,),
                    source=(one.source,),
                    q=one.title[:LONGEST_TEXT],
                ),
            )
            for one in detections[name]
        ],
    )


def _links(together: Mapping[tuple[str, str], int], plain: Filter) -> list[Link]:
    """The commonest first. Arcs of more cases are thicker; wider ones are higher."""
    most = max(together.values(), default=1)
    links = []
    for (one, other), number in sorted(together.items(), key=lambda item: (-item[1], item[0])):
        start, end = (
            PILLARS.index(name) * COLUMN_WIDTH + COLUMN_WIDTH // 2 for name in (one, other)
        )
        height = 96 - 22 * ((end - start) // COLUMN_WIDTH)
        links.append(
            Link(
                f"{LABELS[one]} and {LABELS[other]}",
                number,
                plain.query(also=(one, other), severity=(ANY,)),
                f"M{start} 100 C{start} {height} {end} {height} {end} 100",
                max(1, round(12 * number / most)),
            )
        )
    return links


@require_safe
def chain_trend(request: HttpRequest) -> HttpResponse:
    """Seven days of each column, put into the page after it has come."""
    desk = desk_of(request)
    scope = filter_of(request, desk)
    plain = Filter(scope.tenant, scope.group, status=(ANY,), severity=(ANY,))
    days = charts.days(desk.ids, timezone.now())
    trends = [(name, LABELS[name], _trend(name, days, plain)) for name in PILLARS]
    return render(request, "chain/_trend.html", {"trends": trends})


def _trend(name: str, days: Sequence[Day], plain: Filter) -> dict[str, object]:
    most = max(1, *(day.numbers[name] for day in days))
    bars = []
    for index, day in enumerate(days):
        number = day.numbers[name]
        height = round(BAR_HEIGHT * number / most, 1)
        start, end = (at.isoformat().replace("+00:00", "Z") for at in (day.start, day.end))
        url = plain.query(pillar=(name,), since=start, until=end)
        bars.append(
            {"x": index * 10, "top": BAR_HEIGHT - height, "height": height, "day": day.start.date(),
             "number": number, "url": url}
        )  # fmt: skip
    return {"bars": bars, "most": most, "total": sum(day.numbers[name] for day in days)}
