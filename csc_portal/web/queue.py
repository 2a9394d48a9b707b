"""The queue: its page, what changed on it, the counts beside it, and the last day by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from csc_portal import charts, queue
from csc_portal.charts import Hour
from csc_portal.columns import COLUMNS, FIRST, Column, chosen
from csc_portal.filters import ANY, Filter
from csc_portal.people import people
from csc_portal.queue import Changes, Page
from csc_portal.tallies import FacetCounts, facet_counts, tab_counts
from csc_portal.views import View, views_of
from csc_portal.web.desk import Desk, desk_of, user_of
from csc_portal.web.facets import Option, colleagues, counted, counters, facets
from csc_portal.web.lines import cases_of_entity, filter_of, lines, permitted, problems
from tenants.models import Tenant, User
from tenants.roles import Right

FACET_TENANTS = 12
SEEN_HEADER = "X-Queue-Seen"
BAR_HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Head:
    """The heading of a column; `url` puts the queue into its order."""

    column: Column
    url: str
    is_on: bool
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Tab:
    view: View
    url: str
    is_on: bool
    is_changed: bool


@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    desk, user = desk_of(request), user_of(request)
    wanted = filter_of(request, desk)
    views = views_of(user, desk.rights)
    if default := _default(request, user, views):
        return redirect(f"{reverse('queue')}?{default.address}{_and(desk.query)}")
    view = next((one for one in views if one.key == wanted.view), None)
    columns = columns_of(user, view)
    counts = queue.counts(desk.ids)
    found = _page(request, wanted, desk, user.pk, counts.total)
    busiest = queue.busiest(desk.ids, FACET_TENANTS)
    told = problems(wanted, desk)
    context = {
        "filter": wanted,
        "columns": columns,
        "heads": _heads(columns, wanted),
        "is_own_columns": columns != FIRST,
        "all_columns": [*map(COLUMNS.get, columns), *_others(columns)],
        "is_unordered": wanted.sort and wanted.ordering.name != wanted.sort,
        "tabs": [_tab(one, wanted) for one in views],
        "view": view,
        "may_share": desk.rights.may_somewhere(Right.SHARE_VIEWS),
        "default_view": user.preferences.get("view", ""),
        "lines": lines(found.rows, desk),
        "page": found,
        "older": _continued(wanted, "after", found.after),
        "newer": _continued(wanted, "before", found.before),
        "counts": counts,
        "counters": counters(wanted, counts),
        "facets": facets(wanted, counts, busiest, desk.rights.tenants),
        "problems": told,
        "empty": "" if found.rows else _why_empty(wanted, desk, counts.total),
        "scans": queue.SCANS,
    }
    is_part = request.htmx and request.htmx.target == "queue"
    return render(request, "queue/_queue.html" if is_part else "queue/page.html", context)


def _default(request: HttpRequest, user: User, views: Sequence[View]) -> View | None:
    """The view to open with, if the address says nothing but tenants."""
    key = user.preferences.get("view", "")
    if not key or set(request.GET) - {"tenant", "group"}:
        return None
    return next((view for view in views if view.key == key), None)


def _and(query: str) -> str:
    return f"&{query}" if query else ""


def columns_of(user: User, view: View | None) -> tuple[str, ...]:
    """Those of the view if it has its own, else those that the user chose."""
    if view and view.columns:
        return view.columns
    return chosen(user.preferences.get("columns", ()))


def _others(columns: Sequence[str]) -> list[Column]:
    return [column for name, column in COLUMNS.items() if name not in columns]


def _heads(columns: Sequence[str], wanted: Filter) -> list[Head]:
    order = wanted.ordering
    heads = []
    for name in columns:
        sort = COLUMNS[name].sort
        is_on = sort is not None and sort == ("" if order.is_by_time else order.name)
        if sort == "" and is_on:  # by time it goes both ways
            sort = "" if order.name else "oldest"
        url = "" if sort is None else f"?{wanted.query(sort=sort)}"
        heads.append(Head(COLUMNS[name], url, is_on, order.is_descending))
    return heads


def _tab(view: View, wanted: Filter) -> Tab:
    is_on = view.key == wanted.view
    url = f"?{wanted_by(view, wanted)}"
    return Tab(view, url, is_on, is_on and not view.is_shown_by(wanted))


def wanted_by(view: View, wanted: Filter) -> str:
    """The view's query string with the tenants that the page has now."""
    return view.filter.query(view=view.key, tenant=wanted.tenant, group=wanted.group)


@require_safe
def queue_changes(request: HttpRequest) -> HttpResponse:
    """Rows written since the page was made, or 204. The header says where to go on."""
    desk, user = desk_of(request), user_of(request)
    wanted = filter_of(request, desk)
    try:
        found = queue.changes(wanted, desk.ids, user.pk, request.GET.get("seen", ""))
    except ValueError:
        return HttpResponse("Reload the page.", status=400, content_type="text/plain")
    response = _changes(request, found, wanted, desk) if found.rows else HttpResponse(status=204)
    response.headers[SEEN_HEADER] = found.seen
    return response


def _changes(request: HttpRequest, found: Changes, wanted: Filter, desk: Desk) -> HttpResponse:
    matches = {row.id for row, is_match in found.rows if is_match}
    counts = queue.counts(desk.ids)
    shown = lines([row for row, _ in found.rows], desk)
    context = {
        # The page says which columns it has: the user may have chosen others in another window.
        "columns": chosen(request.GET.get("columns", "").split()),
        "lines": [(line, line.row.id in matches) for line in shown],
        "is_cut": found.is_cut,
        "counts": counts,
        "counters": counters(wanted, counts),
        "filter": wanted,
    }
    return render(request, "queue/_changes.html", context)


@require_safe
def queue_tallies(request: HttpRequest) -> HttpResponse:
    """The counts that the page does not wait for: beside filters, and on the tabs."""
    desk, user = desk_of(request), user_of(request)
    wanted = filter_of(request, desk)
    views = views_of(user, desk.rights)
    filters = [permitted(view.filter, desk) for view in views]
    numbers = tab_counts(filters, desk.ids, user.pk)
    options = counted(facets(wanted, queue.counts(desk.ids), [], {}))
    found = facet_counts(desk.ids, user.pk)
    context = {
        "tabs": list(zip(views, numbers, strict=True)),
        "options": [(option, found.of(option.name, option.value)) for option in options],
        "is_cut": found.is_cut,
        "colleagues": _colleagues(wanted, found, desk),
    }
    return render(request, "queue/_tallies.html", context)


def _colleagues(wanted: Filter, found: FacetCounts, desk: Desk) -> list[Option]:
    """Nobody is named to whom the provider's people are not."""
    if not desk.ids or not desk.sees_provider:
        return []
    named = people(
        [*found.colleagues, int(wanted.assignee) if wanted.assignee.isdecimal() else None]
    )
    return colleagues(wanted, found.colleagues, named.names(desk.rights.tenants[desk.ids[0]]))


@require_safe
def queue_histogram(request: HttpRequest) -> HttpResponse:
    """The last 24 hours as a picture that filters the queue."""
    desk = desk_of(request)
    wanted = filter_of(request, desk)
    hours = charts.hours(desk.ids, timezone.now())
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


def _continued(wanted: Filter, way: str, cursor: str) -> str:
    """The address of the next or the previous page; "" if there is none."""
    if not cursor:
        return ""
    return "?" + "&".join(filter(None, (wanted.query(), f"{way}={cursor}")))


def _page(request: HttpRequest, wanted: Filter, desk: Desk, me: int, total: int) -> Page:
    ids = () if wanted.problems else desk.ids
    return queue.page(
        wanted,
        ids,
        me,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
        cases=cases_of_entity(wanted, desk),
        total=total,
    )


def _why_empty(wanted: Filter, desk: Desk, total: int) -> str:
    """Which of the explanations in queue/_empty.html is true."""
    if not desk.rights.ids:
        return "no_tenant" if Right.ONBOARD in desk.rights.everywhere else "no_rights"
    if problems(wanted, desk):
        return "problem"
    if total:
        is_plain = wanted.is_default and wanted.view in ("", ANY)
        return "all_done" if is_plain else "filter"
    states = {desk.rights.tenants[pk].state for pk in desk.ids}
    if Tenant.State.ACTIVE not in states:
        return "not_active"
    is_broken = Tenant.objects.filter(pk__in=desk.ids, failures__gt=0).exists()
    return "feed_broken" if is_broken else "no_cases"
