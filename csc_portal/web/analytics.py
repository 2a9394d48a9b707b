"""Analytics: what is often wrong, how long it takes, who has how much, what makes noise, what
comes again. Figures counted from the lake; every table leads to the cases in the queue.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from csc_portal.analytics import (
    LEAST_JUDGED,
    Figure,
    Reach,
    Times,
    detections,
    figures,
    reach,
    times,
)
from csc_portal.figure_charts import Columns, bars, columns, shares
from csc_portal.figures import PERIODS
from csc_portal.filters import LONGEST_TEXT, Filter
from csc_portal.people import people
from csc_portal.templatetags.portal import source_name
from csc_portal.web.desk import Desk, desk_of, user_of
from tenants.models import SEVERITIES
from tenants.roles import Right

DEFAULT_DAYS = 30
DRAWN = 12
TABS = {
    "detections": "False positives",
    "times": "Times",
    "analysts": "Analysts",
    "sources": "Sources",
    "entities": "Recurring entities",
}
FIRST = "detections"


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at. `ids`: tenants that the user may see the cases of."""

    desk: Desk
    ids: tuple[int, ...]
    days: int
    by_tenant: bool
    me: int
    reach: Reach

    def tenant(self, figure: Figure) -> tuple[str, ...]:
        """Slugs that a link to the queue names."""
        if figure.tenant_id:
            return (self.desk.rights.tenants[figure.tenant_id].slug,)
        return tuple(value for name, value in self.desk.pairs if name == "tenant")

    def queue(self, figure: Figure, **wanted: Any) -> str:
        """The query of the queue, with closed cases and of every severity."""
        groups = tuple(value for name, value in self.desk.pairs if name == "group")
        base = Filter(
            tenant=self.tenant(figure),
            group=() if figure.tenant_id else groups,
            status=("any",),
            severity=("any",),
        )
        return base.query(**wanted)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: the figure, what it is called, and where its cases are."""

    figure: Figure
    name: str
    tenant: str
    query: str

    @property
    def full_name(self) -> str:
        return f"{self.tenant}: {self.name}" if self.tenant else self.name

    @property
    def label(self) -> tuple[str, uuid.UUID]:
        """Of an entity, for the filter `pseudonym`."""
        return (self.figure.more, uuid.UUID(self.figure.key))


@require_safe
def analytics_page(request: HttpRequest, tab: str = FIRST) -> HttpResponse:
    """Of the figures alone: some statements, however many tenants and cases."""
    desk = desk_of(request)
    rights = desk.rights
    allowed = set(rights.having(Right.SEE_CASES))
    ids = tuple(pk for pk in desk.ids if pk in allowed)
    sees_people = rights.may_somewhere(Right.SEE_PROVIDER)
    tabs = [name for name in TABS if name != "analysts" or sees_people]
    if tab not in tabs:
        raise Http404
    given = request.GET.get("days", "")
    days = int(given) if given in map(str, PERIODS) else DEFAULT_DAYS
    by_tenant = request.GET.get("by") == "tenant" and len(ids) > 1
    view = View(desk, ids, days, by_tenant, user_of(request).pk, reach(ids, timezone.now()))
    context = {
        "view": view,
        "tab": tab,
        "tabs": [(name, TABS[name]) for name in tabs],
        "periods": PERIODS,
        "least": LEAST_JUDGED,
        "kept": urlencode([*({"by": "tenant"}.items() if by_tenant else ()), *desk.pairs]),
        **({} if view.reach.is_empty else CONTENT[tab](view)),
    }
    return render(request, "analytics/page.html", context)


def _colleagues(desk: Desk, ids: Sequence[int]) -> tuple[int, ...]:
    """Tenants where the user may know who at the provider works for them."""
    seeing = set(desk.rights.having(Right.SEE_PROVIDER))
    return tuple(pk for pk in ids if pk in seeing)


def _lines(
    view: View,
    found: Sequence[Figure],
    name: Callable[[Figure], str],
    wanted: Callable[[Figure], dict[str, Any]],
) -> list[Line]:
    tenants = view.desk.rights.tenants
    return [
        Line(
            one, name(one), tenants[one.tenant_id].name if one.tenant_id else "",
            view.queue(one, **wanted(one)),
        )
        for one in found
    ]  # fmt: skip


def _detections(view: View) -> dict[str, Any]:
    found = detections(view.days, view.ids, by_tenant=view.by_tenant)
    lines = _lines(
        view, found, lambda one: one.key,
        lambda one: {"q": one.key[:LONGEST_TEXT], "source": (one.more,) if one.more else ()},
    )  # fmt: skip
    drawn = [
        (
            line.full_name, line.figure.share,
            line.figure.interval, f"{line.figure.false_positive} of {line.figure.judged}",
        )
        for line in lines[:DRAWN]
    ]  # fmt: skip
    return {"lines": lines, "chart": shares(drawn)}


def _times(view: View) -> dict[str, Any]:
    found = figures("severity", view.days, view.ids)
    found.sort(key=lambda one: one.key, reverse=True)
    lines = _lines(view, found, _severity, lambda one: {"severity": (_severity(one).lower(),)})
    triage = times(
        "triage", view.days, view.ids,
        sum(one.triaged for one in found), sum(one.triage_s for one in found),
    )  # fmt: skip
    resolve = times(
        "resolve", view.days, view.ids,
        sum(one.resolved for one in found), sum(one.resolve_s for one in found),
    )  # fmt: skip
    by_day = {one.key: one.cases for one in figures("day", view.days, view.ids)}
    return {
        "lines": lines,
        "triage": triage,
        "resolve": resolve,
        "charts": [
            ("Until triaged", "triaged within", _steps(triage)),
            ("Until resolved", "resolved within", _steps(resolve)),
        ],
        "trend": _trend(by_day, view),
    }


def _severity(figure: Figure) -> str:
    rank = int(figure.key)
    return (SEVERITIES[rank] if rank < len(SEVERITIES) else "unknown").capitalize()


def _steps(found: Times) -> Columns:
    return columns([(_span(end), _span(end), number) for end, number in found.steps], marks=13)


def _span(minutes: int | None) -> str:
    if minutes is None:
        return "longer"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 1440:
        return f"{minutes / 60:g} h"
    return f"{minutes // 1440} d"


def _trend(by_day: dict[str, int], view: View) -> Columns:
    """Every day of the period, also those without a case."""
    last = (view.reach.until or timezone.now()).date()
    days = [last - timedelta(days=back) for back in range(view.days - 1, -1, -1)]
    return columns([(day.isoformat(), _short(day), by_day.get(day.isoformat(), 0)) for day in days])


def _short(day: date) -> str:
    return f"{day:%b} {day.day}"


def _analysts(view: View) -> dict[str, Any]:
    ids = _colleagues(view.desk, view.ids)
    found = figures("analyst", view.days, ids)
    known = people(int(one.key) for one in found).by_id
    names = {one.key: known[int(one.key)].name for one in found if int(one.key) in known}
    lines = _lines(
        view, found, lambda one: names.get(one.key, "somebody who has gone"),
        lambda one: {"assignee": "me"} if one.key == str(view.me) else {"assignee": "anyone"},
    )  # fmt: skip
    drawn = [
        (line.name, line.figure.cases, f"{line.figure.cases:,}, {line.figure.open:,} open")
        for line in lines[:DRAWN]
    ]
    return {"lines": lines, "chart": bars(drawn), "my_key": str(view.me)}


def _sources(view: View) -> dict[str, Any]:
    found = figures("source", view.days, view.ids, by_tenant=view.by_tenant)
    lines = _lines(
        view, found, lambda one: source_name(one.key) or "Unknown",
        lambda one: {"source": (one.key,) if one.key else ()},
    )  # fmt: skip
    drawn = [
        (
            line.full_name, line.figure.cases,
            f"{line.figure.cases:,}",
        )
        for line in lines[:DRAWN]
    ]  # fmt: skip
    return {"lines": lines, "chart": bars(drawn)}


def _entities(view: View) -> dict[str, Any]:
    """Pseudonyms of two tenants never meet, so each is of one tenant."""
    found = figures("entity", view.days, view.ids, by_tenant=True)
    lines = _lines(view, found, lambda one: one.more, lambda one: {"entity": one.key})
    return {"lines": lines}


CONTENT: dict[str, Callable[[View], dict[str, Any]]] = {
    "detections": _detections,
    "times": _times,
    "analysts": _analysts,
    "sources": _sources,
    "entities": _entities,
}
