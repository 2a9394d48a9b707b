"""Search over everything in scope. The text comes by POST and leaves no trace."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from csc_portal.lookup import SHORTEST, look_up
from csc_portal.web.context import Frame
from csc_portal.web.desk import desk_of, user_of
from tenants.audit import record

LONGEST = 200


@sensitive_variables("text")
@sensitive_post_parameters("text")
@require_POST
def search(request: HttpRequest) -> HttpResponse:
    desk, user = desk_of(request), user_of(request)
    text = request.POST.get("text", "").strip()[:LONGEST]
    found = look_up(text, desk.rights, desk.ids, user.pk)
    is_long_enough = len(text) >= SHORTEST
    if is_long_enough:
        facts: dict[str, object] = {"tenants": len(desk.ids), "found": found.count}
        record(user.username, "searched", facts=facts)
    context = {
        "found": found,
        "pages": [e for e in Frame(request).navigation if text.casefold() in e.name.casefold()],
        "is_long_enough": is_long_enough,
        "tenants": desk.rights.tenants,
    }
    is_part = bool(request.htmx)
    return render(request, "search/_results.html" if is_part else "search/page.html", context)
