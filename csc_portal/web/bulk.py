"""The queue's bar for many cases: what it asks, what it does, and all that match a filter."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from alerts.triage import Refused
from alerts.verdicts import DETERMINATIONS, FALSE_POSITIVE_REASONS, SEVERITY_REASONS, VERDICTS
from csc_portal import queue
from csc_portal.filters import Filter, parse
from csc_portal.many import COMMENT, ORDERS, Order, Result, run_order
from csc_portal.people import workers
from csc_portal.web.desk import Desk, desk_at, desk_of, user_of
from csc_portal.web.lines import cases_of_entity, filter_of
from tenants.models import SEVERITIES

MOST_CASES = 500
MOST_MATCHING = 1000
AT_ONCE = 500
SHOWN_FAILURES = 100
FIELDS = (
    "verdict", "determination", "reason", "severity", "severity_reason", "assignee", "until", "at",
    "snooze_reason", "into", "comment", "nonce", "to_microsoft",
)  # fmt: skip
ASKED = {
    "resolve": "Resolve",
    "judge": "Set the verdict",
    "severity": "Change the severity",
    "assign": "Assign",
    "snooze": "Snooze",
    "ticket": "Open tickets now",
    "merge": "Merge",
    "comment": "Comment",
}
"""Orders that ask something first, as the dialog's title says it."""


@sensitive_variables("fields", "order")
@sensitive_post_parameters("comment")
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """`case` is PUBLIC_ID~SEEN_STATE, repeated, or `all=yes` with the filter in `query`; `do` one
    of ORDERS; FIELDS as the order needs them.
    """
    desk, user = desk_of(request), user_of(request)
    fields = {name: request.POST[name] for name in FIELDS if name in request.POST}
    author = user.get_full_name() or user.get_username()
    order = Order(request.POST.get("do", ""), fields, user.pk, author)
    problem, results = "", []
    seen = _seen(request, user.pk)
    if order.do not in (*ORDERS, COMMENT) or not seen:
        problem = "Choose cases and what to do with them."
    else:
        try:
            results = run_order(desk.rights, seen, order)
        except Refused as err:
            problem = str(err)
    return _answer(request, order, results, problem)


def _seen(request: HttpRequest, me: int) -> dict[str, str]:
    """Of `all`, the tenants are those of the page that was looked at, which `query` names."""
    if request.POST.get("all") != "yes":
        return dict(item.partition("~")[::2] for item in request.POST.getlist("case")[:MOST_CASES])
    query = QueryDict(request.POST.get("query", ""))
    return _matching(parse(query), desk_at(request, query), me)


def _matching(wanted: Filter, desk: Desk, me: int) -> dict[str, str]:
    """All cases that meet the filter as they are now, in its order; at most MOST_MATCHING."""
    if wanted.problems:
        return {}
    ids = [pk for pk in desk.ids if desk.rights.tenants[pk].may_act]
    cases, after = cases_of_entity(wanted, desk), ""
    seen: dict[str, str] = {}
    while len(seen) < MOST_MATCHING:
        limit = min(AT_ONCE, MOST_MATCHING - len(seen))
        found = queue.page(wanted, ids, me, after=after, limit=limit, cases=cases)
        seen.update((str(row.public_id), row.seen_state) for row in found.rows)
        after = found.after
        if not after:
            break
    return seen


def _answer(
    request: HttpRequest, order: Order, results: list[Result], problem: str
) -> HttpResponse:
    failed = [result for result in results if not result.is_done]
    context = {
        "results": results,
        "problem": problem,
        "done": len(results) - len(failed),
        "failed": failed[:SHOWN_FAILURES],
        "failures": len(failed),
        "again": [result for result in failed if result.seen],
        "order": order,
    }
    is_part = bool(request.htmx)
    response = render(request, "queue/_bulk.html" if is_part else "queue/bulk.html", context)
    response.headers["HX-Trigger"] = "casesChanged"
    return response


@require_safe
def bulk_ask(request: HttpRequest) -> HttpResponse:
    """The dialog of one order, for cases that are selected on the page."""
    do = request.GET.get("do", "")
    desk = desk_of(request)
    if do not in ASKED or not desk.may_act:
        raise Http404
    acting = [pk for pk in desk.ids if desk.rights.tenants[pk].may_act]
    context = {
        "do": do,
        "title": ASKED[do],
        "verdicts": [(key, label, DETERMINATIONS[key]) for key, label in VERDICTS.items()],
        "reasons": FALSE_POSITIVE_REASONS.items(),
        "severities": list(reversed(SEVERITIES[1:])),
        "severity_reasons": SEVERITY_REASONS.items(),
        "workers": workers(acting) if do == "assign" else [],
        "nonce": uuid.uuid4().hex,
        "times": snooze_times(timezone.localtime()) if do == "snooze" else [],
    }
    return render(request, "queue/_ask.html", context)


def snooze_times(now: datetime) -> list[tuple[str, datetime]]:
    """What a snooze offers, by the clock of the user's zone. An hour is one when clocks change."""
    exact = now.astimezone(UTC)
    morning = now.replace(hour=8, minute=0, second=0, microsecond=0)
    monday = morning + timedelta(days=7 - now.weekday())
    return [
        ("1 hour", (exact + timedelta(hours=1)).astimezone(now.tzinfo)),
        ("4 hours", (exact + timedelta(hours=4)).astimezone(now.tzinfo)),
        ("Tomorrow, 08:00", morning + timedelta(days=1)),
        ("Monday, 08:00", monday),
        ("A week", now + timedelta(days=7)),
    ]


@require_safe
def bulk_matching(request: HttpRequest) -> JsonResponse:
    """How many cases 'all that match' means: {"count": 312, "is_cut": false}."""
    desk, user = desk_of(request), user_of(request)
    seen = _matching(filter_of(request, desk), desk, user.pk)
    return JsonResponse({"count": len(seen), "is_cut": len(seen) >= MOST_MATCHING})
