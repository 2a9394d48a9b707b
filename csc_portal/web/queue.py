"""The queue: its page, what changed on it, the last day by the hour, and exports."""

from __future__ import annotations

import csv
import io
import json
import uuid
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from alerts.models import AlertEntity, Case
from csc_portal import queue
from csc_portal.access import TenantRef
from csc_portal.filters import Filter, parse
from csc_portal.people import people
from csc_portal.queue import Changes, Hour, Page, Row
from csc_portal.templatetags.portal import (
    pillar_list,
    pseudonym,
    severity_name,
    source_name,
    status_name,
    verdict_name,
)
from csc_portal.web.desk import ALL, Desk, desk_of, user_of
from csc_portal.web.facets import counters, facets
from tenants.audit import record
from tenants.models import Tenant
from tenants.scope import scope

FACET_TENANTS = 12
ENTITY_CASES = 500
MOST_EXPORTED = 5_000
MOST_WALKS = 20
SEEN_HEADER = "X-Queue-Seen"
BAR_HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A row with what only its tenant and the users' table know."""

    row: Row
    tenant: TenantRef
    assignee: str


@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    desk, user = desk_of(request), user_of(request)
    wanted = _filter(request, desk)
    counts = queue.counts(desk.ids)
    found = _page(request, wanted, desk, user.pk, counts.total)
    busiest = queue.busiest(desk.ids, FACET_TENANTS)
    context = {
        "filter": wanted,
        "lines": _lines(found.rows, desk),
        "page": found,
        "older": _continued(wanted, "after", found.after),
        "newer": _continued(wanted, "before", found.before),
        "counts": counts,
        "counters": counters(wanted, counts),
        "facets": facets(wanted, counts, busiest, desk.rights.tenants),
        "problems": _problems(wanted, desk),
        "verdicts": Case.Verdict.choices,
        "empty": "" if found.rows else _why_empty(wanted, desk, counts.total),
        "scans": queue.SCANS,
    }
    is_part = request.htmx and request.htmx.target == "queue"
    return render(request, "queue/_queue.html" if is_part else "queue/page.html", context)


@require_safe
def queue_changes(request: HttpRequest) -> HttpResponse:
    """Rows written since the page was made, or 204. The header says where to go on."""
    desk = desk_of(request)
    wanted = _filter(request, desk)
    try:
        found = queue.changes(wanted, desk.ids, user_of(request).pk, request.GET.get("seen", ""))
    except ValueError:
        return HttpResponse("Reload the page.", status=400, content_type="text/plain")
    response = _changes(request, found, wanted, desk) if found.rows else HttpResponse(status=204)
    response.headers[SEEN_HEADER] = found.seen
    return response


def _changes(request: HttpRequest, found: Changes, wanted: Filter, desk: Desk) -> HttpResponse:
    lines = _lines([row for row, _ in found.rows], desk)
    matches = {row.id for row, is_match in found.rows if is_match}
    counts = queue.counts(desk.ids)
    context = {
        "lines": [(line, line.row.id in matches) for line in lines],
        "is_cut": found.is_cut,
        "counts": counts,
        "counters": counters(wanted, counts),
    }
    return render(request, "queue/_changes.html", context)


@require_safe
def queue_histogram(request: HttpRequest) -> HttpResponse:
    """The last 24 hours as a picture that filters the queue."""
    desk = desk_of(request)
    wanted = _filter(request, desk)
    hours = queue.hours(desk.ids, timezone.now())
    most = max(1, *(hour.open for hour in hours))
    bars = [_bar(index, hour, most, wanted) for index, hour in enumerate(hours)]
    return render(
        request,
        "queue/_histogram.html",
        {
            "bars": bars,
            "most": most,
            "filter": wanted,
            "all_hours": wanted.query(since="", until=""),
        },
    )


def _bar(index: int, hour: Hour, most: int, wanted: Filter) -> dict[str, object]:
    start = hour.start.isoformat().replace("+00:00", "Z")
    end = hour.end.isoformat().replace("+00:00", "Z")
    height, high = (round(BAR_HEIGHT * number / most, 1) for number in (hour.open, hour.high))
    return {
        "x": index * 10,
        "hour": hour,
        "top": BAR_HEIGHT - height,
        "height": height,
        "high_top": BAR_HEIGHT - high,
        "high": high,
        "url": f"?{wanted.query(since=start, until=end)}",
        "is_on": wanted.since == start,
    }


@require_safe
def queue_export(request: HttpRequest, kind: str) -> HttpResponse:
    """Up to MOST_EXPORTED rows of the filter: pseudonyms, never names."""
    desk, user = desk_of(request), user_of(request)
    wanted = _filter(request, desk)
    if _problems(wanted, desk):
        return HttpResponse(
            "\n".join(_problems(wanted, desk)), status=400, content_type="text/plain"
        )
    rows = [_plain(line) for line in _lines(_exported(wanted, desk, user.pk), desk)]
    record(user.username, "exported", facts={"rows": len(rows), "format": kind})
    if kind == "json":
        response = HttpResponse(json.dumps(rows, indent=1), content_type="application/json")
    else:
        response = HttpResponse(_csv(rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="queue.{kind}"'
    return response


def _exported(wanted: Filter, desk: Desk, me: int) -> list[Row]:
    """Walks on where a page was cut, so that a rare filter is not exported in part."""
    cases = _cases_of_entity(wanted, desk)
    total = queue.counts(desk.ids).total
    rows: list[Row] = []
    after = ""
    for _ in range(MOST_WALKS):
        limit = MOST_EXPORTED - len(rows)
        found = queue.page(wanted, desk.ids, me, after=after, limit=limit, cases=cases, total=total)
        rows += found.rows
        after = found.after
        if not after or len(rows) >= MOST_EXPORTED:
            break
    return rows


def _continued(wanted: Filter, way: str, cursor: str) -> str:
    """The address of the next or the previous page; "" if there is none."""
    if not cursor:
        return ""
    return "?" + "&".join(filter(None, (wanted.query(), f"{way}={cursor}")))


def _filter(request: HttpRequest, desk: Desk) -> Filter:
    """The address' filter with the tenants in effect, so that links made of it keep them."""
    slugs = tuple(tenant.slug for tenant in desk.chosen)
    if not slugs and desk.kept and ALL in desk.asked:
        slugs = (ALL,)
    return replace(parse(request.GET), tenant=slugs + desk.unknown)


def _problems(wanted: Filter, desk: Desk) -> list[str]:
    unknown = [f"You have no tenant '{slug}'." for slug in desk.unknown]
    return [*wanted.problems, *unknown]


def _page(request: HttpRequest, wanted: Filter, desk: Desk, me: int, total: int) -> Page:
    ids = () if wanted.problems else desk.ids
    return queue.page(
        wanted,
        ids,
        me,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
        cases=_cases_of_entity(wanted, desk),
        total=total,
    )


def _cases_of_entity(wanted: Filter, desk: Desk) -> list[tuple[int, int]] | None:
    """(tenant id, case id) of the newest cases that name the entity; None without that filter."""
    if not wanted.entity:
        return None
    found = queue.find_entities([uuid.UUID(wanted.entity)], desk.ids, 1)
    if not found:
        return []
    tenant_id, entity_id = found[0]
    with scope(Tenant.objects.get(pk=tenant_id)):
        links = AlertEntity.objects.filter(entity_id=entity_id, alert__case__isnull=False)
        newest = links.order_by("-at").values_list("alert__case_id", flat=True)[:ENTITY_CASES]
        return [(tenant_id, case_id) for case_id in set(newest)]


def _lines(rows: list[Row], desk: Desk) -> list[Line]:
    found, tenants = people(row.assignee_id for row in rows), desk.rights.tenants
    return [
        Line(row, tenants[row.tenant_id], found.name(row.assignee_id, tenants[row.tenant_id]))
        for row in rows
    ]


def _why_empty(wanted: Filter, desk: Desk, total: int) -> str:
    """Which of the explanations in queue/_empty.html is true."""
    if not desk.rights.ids:
        return "no_rights"
    if _problems(wanted, desk):
        return "problem"
    if total:
        return "filter"
    states = {desk.rights.tenants[pk].state for pk in desk.ids}
    return "no_cases" if Tenant.State.ACTIVE in states else "not_active"


def _plain(line: Line) -> dict[str, object]:
    row = line.row
    pillars = [str(pillar["name"]) for pillar in pillar_list(row.pillars) if pillar["is_on"]]
    return {
        "case": str(row.public_id),
        "number": row.case_id,
        "tenant": line.tenant.slug,
        "severity": severity_name(row.severity),
        "priority": row.priority,
        "title": row.title,
        "chain": " ".join(pillars),
        "entities": "; ".join(pseudonym(entity) for entity in row.entities),
        "source": source_name(row.source),
        "alerts": row.alert_count,
        "status": status_name(row.status),
        "assignee": line.assignee,
        "verdict": verdict_name(row.verdict),
        "ticket": row.ticket_ref,
        "first_activity": row.first_activity_at.isoformat(),
        "last_activity": row.last_activity_at.isoformat(),
        "opened": row.opened_at.isoformat(),
    }


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    columns = list(rows[0]) if rows else ["case"]
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: no_formula(value) for name, value in row.items()})
    return text.getvalue()


def no_formula(value: object) -> object:
    """Text that a spreadsheet would run gets an apostrophe in front. See OWASP, CSV injection."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
