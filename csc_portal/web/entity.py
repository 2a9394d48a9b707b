"""The page of one entity, and of those that are seen most."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from alerts.assets import Refused
from alerts.by_hand import set_by_hand
from alerts.hubs import pin_hub
from csc_portal.entity_file import DAYS, LARGEST_TENANTS, find_entity, read_entity, seen_most
from csc_portal.judgement import note_next
from csc_portal.web.desk import desk_of, user_of
from tenants.audit import record
from tenants.models import PILLARS
from tenants.roles import Right
from tenants.scope import scope

TIES = {"no": True, "yes": False, "learned": None}


@require_safe
def entity_page(request: HttpRequest, pseudonym: uuid.UUID) -> HttpResponse:
    rights = desk_of(request).rights
    tenant, entity_id = find_entity(pseudonym, rights)
    file = read_entity(tenant, entity_id)
    ref = rights.tenants[tenant.pk]
    context = {
        "file": file,
        "label": (file.entity.kind, file.entity.pseudonym),
        "tenant": ref,
        "days": file.days(timezone.now()),
        "may_tie": ref.may(Right.MANAGE_RULES),
        "may_mark": ref.may(Right.MANAGE_RULES) and file.can_be,
    }
    return render(request, "entity/page.html", context)


@require_POST
def entity_mark(request: HttpRequest, pseudonym: uuid.UUID) -> HttpResponse:
    """`on`: yes makes it a VIP or a crown jewel, anything else takes that back."""
    user, rights = user_of(request), desk_of(request).rights
    tenant, entity_id = find_entity(pseudonym, rights, Right.MANAGE_RULES)
    is_on = request.POST.get("on") == "yes"
    try:
        with scope(tenant):
            left = set_by_hand(entity_id, is_on=is_on)
    except Refused as err:
        messages.warning(request, str(err))
        return redirect("entity", pseudonym=pseudonym)
    action = "entity_marked" if is_on else "entity_unmarked"
    record(user.username, action, tenant, f"entity {pseudonym}")
    note_next(tenant, timezone.now())
    if left and not is_on:
        messages.warning(request, f"It still stands in: {', '.join(left)}. Change that class.")
    else:
        messages.success(request, "Its open cases are judged again.")
    return redirect("entity", pseudonym=pseudonym)


@require_POST
def entity_tie(request: HttpRequest, pseudonym: uuid.UUID) -> HttpResponse:
    """`ties`: no (what comes is not tied by it), yes, or learned (from how often it is named)."""
    user, rights = user_of(request), desk_of(request).rights
    tenant, entity_id = find_entity(pseudonym, rights, Right.MANAGE_RULES)
    wanted = request.POST.get("ties", "")
    if wanted not in TIES:
        messages.warning(request, "Choose whether it ties cases.")
        return redirect("entity", pseudonym=pseudonym)
    with scope(tenant):
        pin_hub(entity_id, is_hub=TIES[wanted])
    record(user.username, "entity_tied", tenant, f"entity {pseudonym}", {"ties": wanted})
    messages.success(request, "It holds for alerts that come; cases stay as they are.")
    return redirect("entity", pseudonym=pseudonym)


@require_safe
def entities_page(request: HttpRequest) -> HttpResponse:
    """What the last 30 days name most, in the tenants in scope that have most open cases."""
    desk = desk_of(request)
    asked = request.GET.get("pillar", "")
    pillar = asked if asked in PILLARS else ""
    context = {
        "found": seen_most(desk.ids, pillar, timezone.now()),
        "pillar": pillar,
        "pillars": PILLARS,
        "tenants": desk.rights.tenants,
        "days": DAYS,
        "is_cut": len(desk.ids) > LARGEST_TENANTS,
        "largest": LARGEST_TENANTS,
    }
    return render(request, "entity/list.html", context)
