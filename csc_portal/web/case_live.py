"""What the pages of a case and an entity read live, on a button: for that answer alone, audited."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from clients.errors import ApiError
from csc_portal.access import case_for
from csc_portal.api.formats.stix import MEDIA_TYPE
from csc_portal.case_live import Live, live_advice, live_notes, live_raw, live_user
from csc_portal.case_stix import read_bundle
from csc_portal.entity_file import find_entity
from csc_portal.typed import number_of, uuid_of
from csc_portal.web.desk import desk_of, user_of
from tenants.directories import BadSecret
from tenants.roles import Right

NEEDED = {"advice": Right.SHOW_NAMES, "notes": Right.SHOW_NAMES, "raw": Right.RAW}


@require_POST
def case_live(request: HttpRequest, public_id: uuid.UUID, what: str) -> HttpResponse:
    """`what`: advice, notes or raw (`alert`, its number)."""
    user, rights = user_of(request), desk_of(request).rights
    entry, tenant = case_for(user, public_id, NEEDED[what], rights)
    subject = f"case {entry.public_id}"
    if what == "advice":
        live = live_advice(tenant, entry.case_id, user.username, subject)
    elif what == "notes":
        live = live_notes(tenant, entry.case_id, user.username, subject)
    else:
        alert_id = number_of(request.POST.get("alert", ""))
        live = live_raw(tenant, entry.case_id, alert_id, user.username, subject)
    back = {"back": "case", "back_id": entry.public_id, "label": f"Case #{entry.case_id}"}
    return _shown(request, f"case/live/{what}.html", live, back)


@require_POST
def case_stix(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Its indicators as a file: names that leave the portal, so both rights are needed."""
    user, rights = user_of(request), desk_of(request).rights
    entry, tenant = case_for(user, public_id, Right.SHOW_NAMES, rights)
    if not rights.tenants[tenant.pk].may(Right.EXPORT):
        raise Http404
    try:
        found = read_bundle(tenant, entry, user.username, f"case {entry.public_id}")
    except (ApiError, BadSecret) as err:
        messages.warning(request, f"No file was made: {err}")
        return redirect("case", public_id=public_id)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="case-{entry.case_id}-stix.json"',
    }
    return JsonResponse(found, content_type=MEDIA_TYPE, headers=headers)


@require_POST
def entity_live(request: HttpRequest, pseudonym: uuid.UUID) -> HttpResponse:
    """Last sign-ins, risk and audits of a person; `case`: on whose page they are asked for."""
    user, rights = user_of(request), desk_of(request).rights
    tenant, entity_id = find_entity(pseudonym, rights, Right.SHOW_NAMES)
    subject, facts = f"entity {pseudonym}", dict[str, object]()
    if case_id := uuid_of(request.POST.get("case", "")):
        entry, of_case = case_for(user, case_id, Right.SHOW_NAMES, rights)
        if of_case.pk == tenant.pk:
            subject, facts = f"case {entry.public_id}", {"entity": str(pseudonym)}
    live = live_user(tenant, entity_id, user.username, subject, facts)
    back = {"back": "entity", "back_id": pseudonym, "label": "The entity"}
    return _shown(request, "case/live/user.html", live, back)


def _shown(
    request: HttpRequest, template: str, live: Live, back: dict[str, object]
) -> HttpResponse:
    context = {"live": live, "part": template, **back}
    response = render(request, template if request.htmx else "case/live/page.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response
