"""Secure Score: all tenants ranked, one with its controls, one control read live."""

from __future__ import annotations

import csv
import io

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clients.errors import ApiError
from clients.microsoft.security import CONTROL_STATES
from csc_portal.access import TenantRef, tenant_for
from csc_portal.score_board import (
    ORDERS,
    LiveControl,
    change_state,
    control_of,
    live_control,
    ranked,
    tenant_score,
)
from csc_portal.score_chart import chart, levels_of
from csc_portal.spreadsheet import no_formula
from csc_portal.web.desk import desk_of, user_of
from csc_portal.web.reauth import ask_for_proof
from posture.scores import Step
from tenants.audit import record
from tenants.directories import BadSecret, graph_for
from tenants.models import Tenant
from tenants.roles import Right

PAGE_SIZE = 50
LONGEST_COMMENT = 500
STATES = {
    "Default": "To be done",
    "Reviewed": "Reviewed",
    "ThirdParty": "Done by another product",
    "Ignored": "Ignored: the risk is accepted",
}
"""As people say them; what Microsoft adds is shown as it comes."""


@require_safe
def scores_page(request: HttpRequest) -> HttpResponse:
    """From the tenants' own rows alone: two queries, however many tenants."""
    desk = desk_of(request)
    allowed = set(desk.rights.having(Right.SEE_POSTURE))
    order = request.GET.get("sort", "")
    order = order if order in ORDERS else ORDERS[0]
    found = ranked([pk for pk in desk.ids if pk in allowed], order)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "tenants": list(page.object_list),
        "order": order,
        "orders": {"percent": "Lowest", "week": "Fell in 7 days", "month": "Fell in 30 days",
                   "name": "Name"},
    }  # fmt: skip
    return render(request, "score/page.html", context)


@require_safe
def tenant_page(request: HttpRequest, slug: str) -> HttpResponse:
    """`show`: also controls that are done, settled or deprecated."""
    tenant, ref = _tenant(request, slug)
    found = tenant_score(tenant, timezone.now())
    shows_all = request.GET.get("show") == "all"
    newest = found.newest
    levels = levels_of(newest, found.band.middle if found.band else None) if newest else {}
    open_steps = [step for step in found.steps if _is_open(step)]
    context = {
        "tenant": tenant,
        "ref": ref,
        "found": found,
        "chart": chart(found.days, levels),
        "levels": levels,
        "recent": list(reversed(found.days)),
        "steps": found.steps if shows_all else open_steps,
        "open": len(open_steps),
        "shows_all": shows_all,
        "states": STATES,
        "may_export": ref.may(Right.EXPORT),
    }
    return render(request, "score/tenant.html", context)


def _tenant(
    request: HttpRequest, slug: str, right: Right = Right.SEE_POSTURE
) -> tuple[Tenant, TenantRef]:
    rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, right, rights=rights)
    return tenant, rights.tenants[tenant.pk]


def _is_open(step: Step) -> bool:
    return step.gap > 0 and not step.profile.is_settled


@require_safe
def controls_export(request: HttpRequest, slug: str) -> HttpResponse:
    """All controls of a tenant, best first, as CSV."""
    tenant, _ = _tenant(request, slug, Right.EXPORT)
    found = tenant_score(tenant, timezone.now())
    lines = [_line(step) for step in found.steps]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows([[no_formula(value) for value in line] for line in lines])
    record(user_of(request).username, "exported", tenant,
           facts={"format": "csv", "controls": len(lines)})  # fmt: skip
    response = HttpResponse(buffer.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{slug}-controls.csv"'
    return response


COLUMNS = (
    "control", "title", "category", "service", "points", "most", "gap", "gain_percent", "effort",
    "cost", "user_impact", "tier", "threats", "state", "deprecated",
)  # fmt: skip


def _line(step: Step) -> list[object]:
    one = step.profile
    return [
        one.name, one.title, one.category, one.service, step.score, step.most, step.gap, step.gain,
        one.effort, one.cost, one.impact, one.tier, ", ".join(one.threats), one.state,
        "yes" if one.is_deprecated else "no",
    ]  # fmt: skip


@require_safe
def control_page(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """What to do, read from Microsoft now; who decided what only where names are shown."""
    tenant, ref = _tenant(request, slug)
    profile = control_of(tenant, name)
    if profile is None:
        raise Http404
    live: LiveControl | None = None
    problem = ""
    try:
        live = live_control(graph_for(tenant), name)
    except (ApiError, BadSecret) as err:
        problem = str(err)
    shows_people = ref.may_show_names and bool(request.session.get("show_names"))
    if live and shows_people and live.history:
        record(user_of(request).username, "names_shown", tenant, f"control {name}")
    context = {
        "tenant": tenant,
        "ref": ref,
        "profile": profile,
        "live": live,
        "problem": problem,
        "state": live.state if live else profile.state,
        "shows_people": shows_people,
        "states": {state: STATES[state] for state in CONTROL_STATES},
        "may_decide": ref.may(Right.MANAGE_RULES),
        "longest": LONGEST_COMMENT,
    }
    return render(request, "score/control.html", context)


@require_POST
def control_state(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Say at Microsoft that a control is ignored, done otherwise or reviewed, or to be done."""
    tenant, _ = _tenant(request, slug, Right.MANAGE_RULES)
    state = request.POST.get("state", "")
    if state not in CONTROL_STATES or control_of(tenant, name) is None:
        raise Http404
    asked = ask_for_proof(request)
    if asked is not None:
        return asked
    comment = request.POST.get("comment", "").strip()[:LONGEST_COMMENT]
    try:
        before = change_state(tenant, graph_for(tenant), name, state, comment)
    except (ApiError, BadSecret) as err:
        messages.error(request, str(err))
    else:
        facts = {"before": before, "after": state}
        record(user_of(request).username, "control_state_set", tenant, f"control {name}", facts)
        messages.success(request, f"Microsoft knows it: {STATES[state]}.")
    return redirect("score-control", slug=slug, name=name)
