"""One case: its page, the same beside the queue, and what an analyst does to it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from alerts import triage
from alerts.models import Case
from alerts.triage import Refused
from csc_portal.access import CaseMoved, TenantRef, case_for
from csc_portal.case_file import CaseFile, read_case
from csc_portal.outcome_due import look_soon
from csc_portal.people import people, workers
from csc_portal.web.desk import desk_of, user_of
from tenants.models import Tenant, User
from tenants.roles import Right
from tenants.scope import scope

TABS = (
    ("overview", "Overview"),
    ("alerts", "Alerts"),
    ("evidence", "Evidence"),
    ("timeline", "Timeline"),
)
DONE = {
    "assign": "Assigned.",
    "start": "In progress.",
    "resolve": "Resolved.",
    "reopen": "Open again.",
    "judge": "Verdict set.",
}


@require_safe
def case_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    try:
        entry, tenant = case_for(user_of(request), public_id, rights=desk_of(request).rights)
    except CaseMoved as moved:
        return redirect("case", public_id=moved.target)
    is_flyout = bool(request.htmx) and request.htmx.target == "flyout"
    context = _context(request, tenant, entry.case_id)
    template = "case/_flyout.html" if is_flyout else "case/page.html"
    return render(request, template, context)


@require_POST
def case_triage(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do`, `version` (as the person saw it), and `assignee` or `verdict` where they are needed."""
    user, rights = user_of(request), desk_of(request).rights
    entry, tenant = case_for(user, public_id, Right.ACT, rights)
    message, is_done = _act(request, tenant, entry.case_id, user)
    if request.htmx:
        context = _context(request, tenant, entry.case_id)
        context |= {"told": message, "is_done": is_done}
        response = render(request, "case/_body.html", context)
        response.headers["HX-Trigger"] = "casesChanged"
        return response
    messages.add_message(request, messages.SUCCESS if is_done else messages.WARNING, message)
    return redirect(reverse("case", args=[public_id]))


def _act(request: HttpRequest, tenant: Tenant, case_id: int, user: User) -> tuple[str, bool]:
    """(sentence, whether it was done)."""
    action, version = request.POST.get("do", ""), request.POST.get("version", "")
    if action not in DONE or not version.isdecimal():
        return "Choose what to do.", False
    assignee_id = _assignee(request.POST.get("assignee", ""), tenant, user)
    if action == "assign" and assignee_id == 0:
        return "This person may not work on cases of this tenant.", False
    seen, verdict = {case_id: int(version)}, request.POST.get("verdict", "")
    try:
        with scope(tenant):
            if action == "assign":
                outcome = triage.assign(tenant.pk, seen, actor_id=user.pk, assignee_id=assignee_id)
            elif action in ("resolve", "judge"):
                change = triage.resolve if action == "resolve" else triage.judge
                outcome = change(tenant.pk, seen, actor_id=user.pk, verdict=verdict)
            else:
                step = triage.start if action == "start" else triage.reopen
                outcome = step(tenant.pk, seen, actor_id=user.pk)
    except Refused as err:
        return str(err), False
    if outcome.changed:
        look_soon([tenant.pk])
    if outcome.stale:
        return triage.STALE, False
    return (DONE[action], True) if outcome.changed else ("It is so already.", True)


def _assignee(text: str, tenant: Tenant, user: User) -> int | None:
    """The user to assign to: "me", "" for nobody, or an id; 0 if that one may not."""
    if text == "me":
        return user.pk
    if not text:
        return None
    wanted = int(text) if text.isdecimal() and len(text) < 10 else 0
    return wanted if any(person.pk == wanted for person in workers([tenant.pk])) else 0


def _context(request: HttpRequest, tenant: Tenant, case_id: int) -> dict[str, object]:
    ref: TenantRef = desk_of(request).rights.tenants[tenant.pk]
    file: CaseFile = read_case(tenant, case_id)
    found = people([file.case.assignee_id, *(step.actor_id for step in file.timeline)])
    tab = request.GET.get("tab", "")
    return {
        "file": file,
        "case": file.case,
        "tenant": ref,
        "directory_id": tenant.directory_id,
        "assignee": found.name(file.case.assignee_id, ref),
        "names": found.names(ref),
        "assignable": workers([tenant.pk]) if ref.may_act else [],
        "verdicts": Case.Verdict.choices,
        "tabs": TABS,
        "tab": tab if tab in dict(TABS) else TABS[0][0],
    }
