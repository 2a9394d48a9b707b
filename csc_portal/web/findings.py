"""Findings: what we saw about tenants' posture. A list of its own, apart from alerts."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from csc_portal.access import TenantRef
from csc_portal.web.desk import desk_of
from posture.models import Finding
from tenants.models import FindingEntry
from tenants.roles import Right
from tenants.scope import granted

PAGE_SIZE = 50
STATES = {"open": "Open", "closed": "Closed", "any": "All"}
PAGES = {Finding.Kind.SCORE_DROPPED: "score-tenant"}
"""Kind -> the page of a tenant that tells more. To add a kind, add a line to Finding.Kind too."""


@dataclass(frozen=True, slots=True)
class FindingLine:
    entry: FindingEntry
    tenant: TenantRef

    @property
    def kind(self) -> str:
        return kind_label(self.entry.kind)

    @property
    def url(self) -> str:
        """ "" for a kind without a page."""
        try:
            return reverse(PAGES[Finding.Kind(self.entry.kind)], args=[self.tenant.slug])
        except (KeyError, ValueError, NoReverseMatch):
            return ""


def kind_label(kind: str) -> str:
    return str(Finding.Kind(kind).label) if kind in Finding.Kind.values else kind


@require_safe
def findings_page(request: HttpRequest) -> HttpResponse:
    """Two queries, however many tenants."""
    desk = desk_of(request)
    allowed = set(desk.rights.having(Right.SEE_POSTURE))
    ids = [pk for pk in desk.ids if pk in allowed]
    state = request.GET.get("status", "")
    state = state if state in STATES else "open"
    kind = request.GET.get("kind", "")
    kind = kind if kind in Finding.Kind.values else ""
    found = FindingEntry.objects.filter(tenant_id__in=ids).order_by("-opened_at", "-public_id")
    if state != "any":
        found = found.filter(closed_at__isnull=state == "open")
    if kind:
        found = found.filter(kind=kind)
    with granted(ids):
        page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
        entries = list(page.object_list)
    context = {
        "page": page,
        "lines": [FindingLine(entry, desk.rights.tenants[entry.tenant_id]) for entry in entries],
        "state": state,
        "states": STATES,
        "kind": kind,
        "kinds": Finding.Kind.choices,
        "unknown": desk.unknown,
    }
    return render(request, "findings/page.html", context)
