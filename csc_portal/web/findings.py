"""Findings: what we saw about tenants' posture. A list of its own, apart from alerts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from csc_portal import finding_acts
from csc_portal.access import TenantRef, tenant_for
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.people import People, people, workers
from csc_portal.spreadsheet import csv_rows
from csc_portal.web.desk import Desk, desk_of, user_of
from posture.models import Finding
from tenants.audit import record
from tenants.models import FindingEntry, Tenant
from tenants.roles import Right
from tenants.scope import granted

PAGE_SIZE = 50
MOST_EXPORTED = 50_000
STATES = {"open": "Open", "mine": "Mine", "accepted": "Accepted", "closed": "Closed", "any": "All"}
PAGES = {
    Finding.Kind.SCORE_DROPPED: "score-tenant",
    Finding.Kind.UNWATCHED: "azure-tenant",
    Finding.Kind.EXPLOITED: "vulnerabilities-tenant",
}
"""Kind -> the page of a tenant that tells more. To add a kind, add a line to Finding.Kind too."""
LONGEST_ACCEPTANCE = timedelta(days=366)
COLUMNS = (
    "finding", "tenant", "kind", "severity", "summary", "size", "opened", "changed", "closed",
    "owner", "accepted_until", "accepted_why", "ticket",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FindingLine:
    entry: FindingEntry
    tenant: TenantRef
    owner: str
    is_accepted: bool

    @property
    def kind(self) -> str:
        return kind_label(self.entry.kind)

    @property
    def why(self) -> str:
        return why_label(self.entry.accepted_why)


def kind_label(kind: str) -> str:
    return str(Finding.Kind(kind).label) if kind in Finding.Kind.values else kind


def why_label(why: str) -> str:
    return str(Finding.Reason(why).label) if why in Finding.Reason.values else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    state: str
    kind: str

    @property
    def query(self) -> str:
        return urlencode({"status": self.state, "kind": self.kind})


def _wanted(request: HttpRequest) -> Wanted:
    state, kind = request.GET.get("status", ""), request.GET.get("kind", "")
    return Wanted(state if state in STATES else "open", kind if kind in Finding.Kind.values else "")


def _chosen(
    wanted: Wanted, ids: Sequence[int], user_id: int, now: datetime
) -> QuerySet[FindingEntry]:
    found = FindingEntry.objects.filter(tenant_id__in=ids).order_by("-opened_at", "-public_id")
    accepted = Q(accepted_until__gt=now)
    narrow = {
        "open": Q(closed_at=None) & ~accepted,
        "mine": Q(closed_at=None, owner_id=user_id),
        "accepted": Q(closed_at=None) & accepted,
        "closed": Q(closed_at__isnull=False),
        "any": Q(),
    }
    found = found.filter(narrow[wanted.state])
    return found.filter(kind=wanted.kind) if wanted.kind else found


def _lines(
    entries: Sequence[FindingEntry], desk: Desk, named: People, now: datetime
) -> list[FindingLine]:
    found = []
    for entry in entries:
        tenant = desk.rights.tenants[entry.tenant_id]
        is_accepted = entry.accepted_until is not None and entry.accepted_until > now
        found.append(FindingLine(entry, tenant, named.name(entry.owner_id, tenant), is_accepted))
    return found


def _ids(desk: Desk, right: Right) -> list[int]:
    allowed = set(desk.rights.having(Right.SEE_POSTURE)) & set(desk.rights.having(right))
    return [pk for pk in desk.ids if pk in allowed]


@require_safe
def findings_page(request: HttpRequest) -> HttpResponse:
    """Three queries, however many tenants."""
    desk, now, wanted = desk_of(request), timezone.now(), _wanted(request)
    ids = _ids(desk, Right.SEE_POSTURE)
    with granted(ids):
        found = _chosen(wanted, ids, user_of(request).pk, now)
        page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
        entries = list(page.object_list)
    context = {
        "page": page,
        "lines": _lines(entries, desk, people(one.owner_id for one in entries), now),
        "wanted": wanted,
        "states": STATES,
        "kinds": Finding.Kind.choices,
        "may_export": bool(_ids(desk, Right.EXPORT)),
    }
    return render(request, "findings/page.html", context)


@require_safe
def findings_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filter shows, as CSV."""
    desk, now, user = desk_of(request), timezone.now(), user_of(request)
    ids = _ids(desk, Right.EXPORT)
    with granted(ids):
        entries = list(_chosen(_wanted(request), ids, user.pk, now)[:MOST_EXPORTED])
    lines = _lines(entries, desk, people(one.owner_id for one in entries), now)
    record(user.username, "exported", facts={"format": "csv", "findings": len(lines)})
    answer = StreamingHttpResponse(
        csv_rows(_exported(lines), COLUMNS), content_type="text/csv; charset=utf-8"
    )
    answer.headers["Content-Disposition"] = 'attachment; filename="findings.csv"'
    return answer


def _exported(lines: Sequence[FindingLine]) -> Iterator[dict[str, object]]:
    for line in lines:
        entry = line.entry
        yield {
            "finding": str(entry.public_id),
            "tenant": line.tenant.slug,
            "kind": entry.kind,
            "severity": entry.severity,
            "summary": entry.summary,
            "size": entry.size,
            "opened": entry.opened_at.isoformat(),
            "changed": entry.changed_at.isoformat(),
            "closed": entry.closed_at.isoformat() if entry.closed_at else "",
            "owner": line.owner,
            "accepted_until": entry.accepted_until.isoformat() if entry.accepted_until else "",
            "accepted_why": entry.accepted_why,
            "ticket": entry.ticket_ref,
        }


class AcceptForm(forms.Form):
    """Why and until when; a closed list, because free text might name people."""

    why = forms.ChoiceField(label="Reason", choices=Finding.Reason.choices)
    until = forms.DateField(
        label="Until", widget=forms.DateInput(attrs={"type": "date"}), help_text="A year at most."
    )

    def clean_until(self) -> datetime:
        now = timezone.now()
        day = datetime.combine(self.cleaned_data["until"], time(), tzinfo=now.tzinfo)
        if not now < day <= now + LONGEST_ACCEPTANCE:
            raise forms.ValidationError("Choose a day to come, a year ahead at most.")
        return day


@require_safe
def finding_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _page(request, public_id)


@require_POST
def finding_act(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do`: assign (to `owner`, empty for nobody), accept (`why`, `until`), or end that."""
    what = request.POST.get("do", "")
    if what not in ("assign", "accept", "end"):
        raise Http404
    right = Right.ACT if what == "assign" else Right.MANAGE_RULES
    tenant, _ = _own(request, public_id, right)
    actor = user_of(request).username
    if what == "assign":
        done = finding_acts.assign(tenant, public_id, _owner(request, tenant), actor=actor)
    elif what == "end":
        done = finding_acts.end_acceptance(tenant, public_id, actor=actor)
    else:
        form = AcceptForm(request.POST)
        if not form.is_valid():
            return _page(request, public_id, form=form, status=422)
        data = form.cleaned_data
        done = finding_acts.accept(tenant, public_id, data["why"], data["until"], actor=actor)
    if done:
        plan_finding_tickets(tenant)
        messages.success(request, "Saved.")
    else:
        messages.error(request, "It has closed by itself meanwhile.")
    return redirect("finding", public_id=public_id)


def _owner(request: HttpRequest, tenant: Tenant) -> int | None:
    given = request.POST.get("owner", "")
    if not given:
        return None
    known = {str(one.pk): one.pk for one in workers([tenant.pk])}
    if given not in known:
        raise Http404
    return known[given]


def _own(
    request: HttpRequest, public_id: uuid.UUID, right: Right = Right.SEE_POSTURE
) -> tuple[Tenant, FindingEntry]:
    """Raises Http404 for those of other tenants, and without the right."""
    rights = desk_of(request).rights
    allowed = set(rights.having(Right.SEE_POSTURE)) & set(rights.having(right))
    entry = finding_acts.entry_of(public_id, sorted(allowed))
    if entry is None:
        raise Http404
    ref = rights.tenants[entry.tenant_id]
    return tenant_for(user_of(request), ref.slug, right, rights), entry


def _page(
    request: HttpRequest, public_id: uuid.UUID, *, form: AcceptForm | None = None, status: int = 200
) -> HttpResponse:
    tenant, entry = _own(request, public_id)
    desk, now = desk_of(request), timezone.now()
    ref = desk.rights.tenants[tenant.pk]
    may_act = ref.may(Right.ACT) and entry.closed_at is None
    is_known = entry.kind in Finding.Kind.values
    [line] = _lines([entry], desk, people([entry.owner_id]), now)
    context = {
        "line": line,
        "finding": finding_acts.finding_of(tenant, public_id),
        "more": reverse(PAGES[Finding.Kind(entry.kind)], args=[ref.slug]) if is_known else "",
        "may_act": may_act,
        "may_accept": ref.may(Right.MANAGE_RULES) and entry.closed_at is None,
        "workers": workers([tenant.pk]) if may_act else [],
        "form": form or AcceptForm(),
    }
    return render(request, "findings/finding.html", context, status=status)
