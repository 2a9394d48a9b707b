"""The page of one case, and the same beside the queue: its head and the tab that is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from alerts.facts_of import facts_of
from alerts.models import Suppression, Watch
from alerts.past import similar_cases
from alerts.verdicts import DETERMINATIONS, FALSE_POSITIVE_REASONS, SEVERITY_REASONS, VERDICTS
from csc_portal.access import CaseMoved, TenantRef, case_for
from csc_portal.audit_log import about, reader_for
from csc_portal.case_file import CaseHead, merged_into, read_alerts, read_head
from csc_portal.case_related import kept_apart, related_cases
from csc_portal.case_timeline import STREAMS, read_timeline
from csc_portal.people import people, workers
from csc_portal.typed import split_address
from csc_portal.web.bulk import snooze_times
from csc_portal.web.desk import desk_of, user_of
from tenants.models import SEVERITIES, QueueEntry, Tenant
from tenants.roles import Right
from tenants.scope import scope

Context = dict[str, Any]
MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Tab:
    """`read`: what it shows, in the tenant's scope. `right`: who lacks it does not see the tab."""

    key: str
    label: str
    read: Callable[[CaseHead], Context]
    right: Right = Right.SEE_CASES


def _overview(head: CaseHead) -> Context:
    alerts = read_alerts(head.case.pk)
    pairs = alerts.detections
    alive = Suppression.objects.filter(
        ended_at=None,
        expires_at__gt=timezone.now(),
        service_source__in=[source for source, _ in pairs],
        detection__in=[title for _, title in pairs],
    )
    return {"file": alerts, "picture": alerts.picture, "suppressions": list(alive[:10])}


def _alerts(head: CaseHead) -> Context:
    file = read_alerts(head.case.pk, with_marks=False, with_told=True)
    return {"file": file, "merged": merged_into(head.case.pk)}


def _evidence(head: CaseHead) -> Context:
    return {"file": read_alerts(head.case.pk)}


def _timeline(head: CaseHead) -> Context:
    return {"steps": read_timeline(head), "streams": STREAMS}


def _sign_ins(head: CaseHead) -> Context:
    file = read_alerts(head.case.pk, with_marks=False)
    evidence = facts_of([head.case.pk])[head.case.pk]
    known = {one.alert_id: one for one in evidence.alerts}
    watches = Watch.objects.filter(alert__case_id=head.case.pk).prefetch_related("hits")
    return {
        "file": file,
        "known": [(i.alert, known[i.alert.pk]) for i in file.alerts if i.alert.pk in known],
        "shared": evidence.shared_elsewhere,
        "watches": list(watches[:20]),
    }


def _related(head: CaseHead) -> Context:
    return {
        "related": related_cases(head.case.pk, timezone.now()),
        "similar": similar_cases(head.case.pk),
        "pairs": kept_apart(head.case.pk),
    }


def _raw(head: CaseHead) -> Context:
    return {"file": read_alerts(head.case.pk, with_marks=False)}


def _nothing(head: CaseHead) -> Context:
    return {}


def _print(head: CaseHead) -> Context:
    return _overview(head) | _alerts(head) | _evidence(head) | _sign_ins(head) | _timeline(head)


TABS = (
    Tab("overview", "Overview", _overview),
    Tab("alerts", "Alerts", _alerts),
    Tab("evidence", "Evidence", _evidence),
    Tab("timeline", "Timeline", _timeline),
    Tab("sign-ins", "Sign-ins & audits", _sign_ins),
    Tab("related", "Related", _related),
    Tab("raw", "Raw", _raw, Right.RAW),
    Tab("audit", "Audit", _nothing, Right.SEE_AUDIT),
)
PRINT = Tab("print", "Print", _print)
"""Everything that lies still, on one page; no tab leads there."""


@require_safe
def case_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    try:
        entry, tenant = case_for(user_of(request), public_id, rights=desk_of(request).rights)
    except CaseMoved as moved:
        return redirect("case", public_id=moved.target)
    target = request.htmx.target if request.htmx else ""
    if target == "flyout":
        template = "case/_flyout.html"
    elif target == "case-tabs":
        template = "case/_tabs.html"
    else:
        template = "case/page.html"
    return render(request, template, case_context(request, tenant, entry))


@require_safe
def case_news(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Whether the case was changed since the page was made: a line that says so, or nothing."""
    entry, _ = case_for(user_of(request), public_id, rights=desk_of(request).rights)
    if request.GET.get("seen", "") == str(entry.change):
        return HttpResponse(status=204)
    return render(request, "case/_news.html", {"public_id": public_id})


def case_context(
    request: HttpRequest, tenant: Tenant, entry: QueueEntry, **more: object
) -> Context:
    """Everything of the page with the tab that the address names."""
    ref: TenantRef = desk_of(request).rights.tenants[tenant.pk]
    tabs = [tab for tab in TABS if ref.may(tab.right)]
    asked = request.GET.get("tab", "") or request.POST.get("tab", "")
    tab = next((one for one in (*tabs, PRINT) if one.key == asked), TABS[0])
    with scope(tenant):
        head = read_head(entry.case_id)
        shown = tab.read(head)
    if tab.key == "audit":
        shown |= _audit(request, entry)
    found = people(_actors(head, shown))
    return {
        "head": head,
        "case": head.case,
        "entry": entry,
        "tenant": ref,
        "directory_id": tenant.directory_id,
        "assignee": found.name(head.case.assignee_id, ref),
        "names": found.names(ref),
        "tabs": tabs,
        "tab": tab.key,
        "panel": f"case/tabs/{tab.key.replace('-', '_')}.html",
        "may_take_stix": ref.may_show_names and ref.may(Right.EXPORT),
        "is_flyout": _is_flyout(request),
        **_asked(tenant, ref),
        **shown,
        **more,
    }


def _asked(tenant: Tenant, ref: TenantRef) -> Context:
    """What the forms of the head offer. Nothing for somebody who may only look."""
    if not ref.may_act:
        return {}
    return {
        "assignable": workers([tenant.pk]),
        "verdicts": [(key, label, DETERMINATIONS[key]) for key, label in VERDICTS.items()],
        "verdict_reasons": FALSE_POSITIVE_REASONS.items(),
        "severities": list(reversed(SEVERITIES[1:])),
        "severity_reasons": SEVERITY_REASONS.items(),
        "snooze_times": snooze_times(timezone.localtime()),
        "has_ticketing": hasattr(tenant, "ticketing"),
        "tells_microsoft": tenant.write_back == Tenant.WriteBackMode.ALL,
        "nonce": uuid.uuid4().hex,
        "may_suppress": ref.may(Right.MANAGE_RULES),
    }


def _actors(head: CaseHead, shown: Mapping[str, Any]) -> list[int | None]:
    steps = shown.get("steps", ())
    ended = shown.get("suppressions", ())
    return [
        head.case.assignee_id,
        *(step.actor_id for step in steps),
        *(one.actor_id for one in ended),
    ]


def _audit(request: HttpRequest, entry: QueueEntry) -> Context:
    rights = desk_of(request).rights
    reader = reader_for(rights, [entry.tenant_id], is_narrowed=True)
    return {"lines": about(reader, f"case {entry.public_id}", MOST_ENTRIES)}


def _is_flyout(request: HttpRequest) -> bool:
    """Beside the queue, where the address stays the queue's."""
    if not request.htmx:
        return False
    return not split_address(request.htmx.current_url or "").path.startswith("/cases/")
