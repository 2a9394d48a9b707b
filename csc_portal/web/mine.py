"""What users set for themselves: the look, the keys, the time zone, the tenants in scope."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode
from zoneinfo import available_timezones

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from csc_portal.access import groups_of
from csc_portal.web.context import DENSITIES, THEMES, TOUR_ENDS
from csc_portal.web.desk import MOST_KEPT, desk_of, user_of

SHOWN_TENANTS = 50
ON_OFF = ("on", "off")


@lru_cache
def zones() -> tuple[str, ...]:
    """Names of time zones that people use: Europe/Berlin, UTC."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name[3:]))


@require_POST
def set_preference(request: HttpRequest) -> HttpResponse:
    """One choice of the user menu, or the end of the tour; then back to the page."""
    user = user_of(request)
    choices = {
        "theme": THEMES,
        "density": DENSITIES,
        "single_keys": ON_OFF,
        "time_zone": zones(),
        "tour": TOUR_ENDS,
    }
    for name, allowed in choices.items():
        value = request.POST.get(name)
        if value in allowed:
            user.preferences[name] = value == "on" if name == "single_keys" else str(value)
    user.save(update_fields=["preferences"])
    return HttpResponse(status=204) if request.htmx else redirect(back(request))


@require_GET
def zone_options(request: HttpRequest) -> HttpResponse:
    """The options of the menu's list, fetched when the menu opens: there are hundreds."""
    chosen = user_of(request).preferences.get("time_zone", "UTC")
    return render(request, "frame/_zones.html", {"zones": zones(), "chosen": chosen})


@require_GET
def scope_options(request: HttpRequest) -> HttpResponse:
    """Groups and tenants whose name holds the text, to choose from; those chosen come first."""
    desk = desk_of(request)
    text = request.GET.get("find", "").strip().casefold()
    chosen = {tenant.pk for tenant in desk.picked}
    found = [
        tenant
        for tenant in desk.rights.tenants.values()
        if text in tenant.name.casefold() or text in tenant.slug or tenant.pk in chosen
    ]
    found.sort(key=lambda tenant: tenant.pk not in chosen)
    in_use = {group.pk for group in desk.groups}
    groups = [
        group
        for group in groups_of(user_of(request), desk.rights)
        if text in group.name.casefold() or group.pk in in_use
    ]
    context = {
        "tenants": found[:SHOWN_TENANTS],
        "more": max(0, len(found) - SHOWN_TENANTS),
        "chosen": chosen,
        "groups": groups[:SHOWN_TENANTS],
        "chosen_groups": in_use,
        "find": text,
    }
    return render(request, "frame/_scope.html", context)


@require_POST
def set_scope(request: HttpRequest) -> HttpResponse:
    """Keep the chosen tenants for the user, and go back to the page with them in its address."""
    desk, user = desk_of(request), user_of(request)
    slugs = [t.slug for t in desk.rights.by_slug(request.POST.getlist("slug"))][:MOST_KEPT]
    wanted = set(request.POST.getlist("group_slug"))
    known = groups_of(user, desk.rights) if wanted else ()
    groups = [group.slug for group in known if group.slug in wanted][:MOST_KEPT]
    user.preferences |= {"tenants": slugs, "groups": groups}
    user.save(update_fields=["preferences"])
    path, _, query = back(request).partition("?")
    old = ("tenant=", "group=", "after=", "before=")
    pairs = [pair for pair in query.split("&") if pair and not pair.startswith(old)]
    pairs += [f"tenant={slug}" for slug in slugs]
    pairs += [urlencode({"group": slug}) for slug in groups]
    return redirect(f"{path}?{'&'.join(pairs)}" if pairs else path)


def back(request: HttpRequest) -> str:
    """Where the form came from, if that is a page of ours; else the queue."""
    address = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(address, allowed_hosts=None):
        return address
    return reverse("queue")
