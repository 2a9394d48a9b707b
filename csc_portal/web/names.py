"""'Show names' on the pages: a switch for the session, and the names of what is on the screen."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from csc_portal import names
from csc_portal.access import Rights
from csc_portal.entity_file import find_entity
from csc_portal.typed import uuid_of
from csc_portal.web.desk import desk_of, user_of
from tenants.models import QueueEntry, Tenant
from tenants.roles import Right
from tenants.scope import granted

NOT_ALLOWED = "Your role may not see names of this tenant."


@require_POST
def names_toggle(request: HttpRequest) -> HttpResponse:
    """On or off until the user signs out."""
    is_on = request.POST.get("on") == "yes"
    request.session["show_names"] = is_on
    return JsonResponse({"on": is_on})


@require_POST
def names_shown(request: HttpRequest) -> HttpResponse:
    """`case`: public ids, at most MOST_CASES; `whole=yes` for every entity of one case; or
    `entity`, a pseudonym. Answers {"names": {pseudonym: name}, "problems": {id: sentence}}.
    """
    if "entity" in request.POST:
        return _of_entity(request)
    ids = [uuid_of(text) for text in request.POST.getlist("case")[: names.MOST_CASES]]
    wanted = [public_id for public_id in ids if public_id]
    is_whole = request.POST.get("whole") == "yes" and len(wanted) == 1
    rights, user = desk_of(request).rights, user_of(request)
    with granted(rights.ids):
        found = QueueEntry.objects.filter(public_id__in=wanted, tenant_id__in=rights.ids)
        entries = list(found.order_by("tenant_id", "pk"))
    allowed = set(rights.having(Right.SHOW_NAMES))
    problems = {str(e.public_id): NOT_ALLOWED for e in entries if e.tenant_id not in allowed}
    entries = [entry for entry in entries if entry.tenant_id in allowed]
    readings = _readings(entries, rights, is_whole)
    subject = f"case {wanted[0]}" if is_whole else "queue"
    shown = names.show(readings, user.username, subject)
    problems |= {
        str(entry.public_id): shown.problems[entry.tenant_id]
        for entry in entries
        if entry.tenant_id in shown.problems
    }
    return _answer(shown, problems)


def _readings(entries: Sequence[QueueEntry], rights: Rights, is_whole: bool) -> list[names.Reading]:
    tenants = Tenant.objects.in_bulk({entry.tenant_id for entry in entries})
    readings = []
    for pk, tenant in sorted(tenants.items()):
        mine = [entry for entry in entries if entry.tenant_id == pk]
        pseudonyms = [uuid.UUID(item[1]) for entry in mine for item in entry.entities]
        cases = [entry.case_id for entry in mine]
        readings.append(names.of_cases(tenant, cases, None if is_whole else pseudonyms))
    return readings


def _of_entity(request: HttpRequest) -> HttpResponse:
    user, rights = user_of(request), desk_of(request).rights
    pseudonym = uuid_of(request.POST.get("entity", ""))
    if pseudonym is None:
        raise Http404
    tenant, entity_id = find_entity(pseudonym, rights, Right.SHOW_NAMES)
    reading = names.of_entity(tenant, entity_id)
    shown = names.show([reading], user.username, f"entity {pseudonym}")
    problems = {str(pseudonym): text for text in shown.problems.values()}
    return _answer(shown, problems)


def _answer(shown: names.Names, problems: dict[str, str]) -> HttpResponse:
    found = {str(pseudonym): name for pseudonym, name in shown.names.items()}
    response = JsonResponse({"names": found, "problems": problems})
    response.headers["Cache-Control"] = "no-store"
    return response
