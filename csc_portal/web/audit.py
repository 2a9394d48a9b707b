"""Who did or saw what, for admins of the tenants concerned."""

from __future__ import annotations

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from csc_portal.access import is_provider_admin
from csc_portal.web.desk import desk_of, user_of
from tenants.models import AuditEntry
from tenants.roles import Right

PAGE_SIZE = 100


@require_safe
def audit_page(request: HttpRequest) -> HttpResponse:
    """Newest first. Entries of no tenant are for admins of all tenants."""
    desk, user = desk_of(request), user_of(request)
    managed = desk.rights.having(Right.SEE_AUDIT)
    if not managed:
        raise Http404
    is_everywhere = is_provider_admin(user)
    wanted = Q(tenant_id__in=[pk for pk in desk.ids if pk in set(managed)])
    if is_everywhere and not desk.is_narrowed:
        wanted |= Q(tenant=None)
    action = request.GET.get("action", "").replace("\0", "")[:40]
    before = request.GET.get("before", "")
    if action:
        wanted &= Q(action=action)
    if before.isdecimal() and len(before) < 18:
        wanted &= Q(pk__lt=int(before))
    entries = list(AuditEntry.objects.filter(wanted).order_by("-pk")[: PAGE_SIZE + 1])
    context = {
        "lines": [
            (entry, desk.rights.tenants.get(entry.tenant_id or 0)) for entry in entries[:PAGE_SIZE]
        ],
        "older": entries[PAGE_SIZE - 1].pk if len(entries) > PAGE_SIZE else None,
        "action": action,
        "scope": desk.query,
    }
    return render(request, "audit/page.html", context)
