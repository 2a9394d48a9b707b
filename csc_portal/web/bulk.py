"""What is done to many cases at once, over tenants, with a result for each."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from alerts import triage
from alerts.models import Case
from alerts.triage import Outcome, Refused
from csc_portal.access import TenantRef
from csc_portal.web.desk import desk_of, user_of
from tenants.models import QueueEntry, Tenant
from tenants.scope import granted, scope

MOST_CASES = 200
ACTIONS = ("assign", "unassign", "start", "resolve", "reopen", "judge")
GONE = "This case was merged into another, or is not yours."
NOT_ALLOWED = "You may only look at cases of this tenant."
NO_EFFECT = "Nothing to do: it is so already."


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case."""

    public_id: str
    title: str
    tenant: str
    is_done: bool
    message: str = ""


@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """`case` is PUBLIC_ID~SEEN_STATE, repeated; `do` one of ACTIONS; `verdict` for two of them."""
    seen = dict(item.partition("~")[::2] for item in request.POST.getlist("case")[:MOST_CASES])
    action, verdict = request.POST.get("do", ""), request.POST.get("verdict", "")
    problem, results = "", []
    if action not in ACTIONS or not seen:
        problem = "Choose cases and what to do with them."
    else:
        try:
            results = _run(request, seen, action, verdict)
        except Refused as err:
            problem = str(err)
    done = sum(result.is_done for result in results)
    context = {
        "results": results,
        "problem": problem,
        "done": done,
        "failed": [result for result in results if not result.is_done],
        "action": action,
        "verdict": verdict,
    }
    is_part = bool(request.htmx)
    response = render(request, "queue/_bulk.html" if is_part else "queue/bulk.html", context)
    response.headers["HX-Trigger"] = "casesChanged"
    return response


def _run(request: HttpRequest, seen: dict[str, str], action: str, verdict: str) -> list[Result]:
    rights, user = desk_of(request).rights, user_of(request)
    with granted(rights.ids):
        entries = QueueEntry.objects.filter(
            public_id__in=filter(None, map(_uuid, seen)), tenant_id__in=rights.ids
        )
        by_tenant: dict[int, list[QueueEntry]] = {}
        for entry in entries.order_by("tenant_id", "case_id"):
            by_tenant.setdefault(entry.tenant_id, []).append(entry)
    tenants = Tenant.objects.in_bulk(by_tenant)
    results: dict[str, Result] = {}
    for pk, cases in by_tenant.items():
        ref = rights.tenants[pk]
        if not ref.may_act:
            results.update((str(e.public_id), _result(e, ref, NOT_ALLOWED)) for e in cases)
            continue
        with scope(tenants[pk]):
            messages = _act(pk, cases, seen, _action(action, verdict, user.pk))
        results.update((str(e.public_id), _result(e, ref, messages[e.case_id])) for e in cases)
    missing = Result("", "A case", "", False, GONE)
    return [results.get(key, missing) for key in seen]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _result(entry: QueueEntry, tenant: TenantRef, message: str) -> Result:
    return Result(str(entry.public_id), entry.title, tenant.name, not message, message)


Action = Callable[[int, dict[int, int]], Outcome]


def _action(name: str, verdict: str, actor_id: int) -> Action:
    actions: dict[str, Action] = {
        "assign": lambda t, s: triage.assign(t, s, actor_id=actor_id, assignee_id=actor_id),
        "unassign": lambda t, s: triage.assign(t, s, actor_id=actor_id, assignee_id=None),
        "start": lambda t, s: triage.start(t, s, actor_id=actor_id),
        "resolve": lambda t, s: triage.resolve(t, s, actor_id=actor_id, verdict=verdict),
        "reopen": lambda t, s: triage.reopen(t, s, actor_id=actor_id),
        "judge": lambda t, s: triage.judge(t, s, actor_id=actor_id, verdict=verdict),
    }
    return actions[name]


def _act(
    tenant_id: int, entries: list[QueueEntry], seen: dict[str, str], act: Action
) -> dict[int, str]:
    """Case id -> why it was not done, "" if it was. Inside the tenant's scope.

    The queue's rows carry no version, so what the person saw of a row is compared instead.
    """
    cases = Case.objects.in_bulk([entry.case_id for entry in entries])
    messages = {entry.case_id: GONE for entry in entries}
    versions: dict[int, int] = {}
    for entry in entries:
        case = cases.get(entry.case_id)
        if case is None:
            continue
        now = f"{case.status}.{case.assignee_id or ''}.{case.verdict}"
        if now != seen[str(entry.public_id)]:
            messages[case.pk] = triage.STALE
        else:
            versions[case.pk] = case.version
    outcome = act(tenant_id, versions) if versions else Outcome()
    messages.update(dict.fromkeys(outcome.changed, ""))
    messages.update(dict.fromkeys(outcome.unchanged, NO_EFFECT))
    messages.update(dict.fromkeys(outcome.stale, triage.STALE))
    return messages
