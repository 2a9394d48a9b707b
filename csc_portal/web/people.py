"""Settings: who uses the portal, what they are granted, and what they may do in the end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from csc_portal import granting
from csc_portal.granting import Manager, effective, where_text
from csc_portal.typed import number_of
from csc_portal.web.desk import Desk, desk_of, user_of
from csc_portal.web.entering import end_sessions
from csc_portal.web.people_forms import GrantForm, PersonForm, posted_place, roles_of, where_of
from csc_portal.web.reauth import ask_for_proof
from tenants.grants import BadGrant, Where
from tenants.models import Grant, User
from tenants.roles import EXPLAINED, RIGHTS

PAGE_SIZE = 50
LONGEST = 100
STATES = {"": "All", "on": "Active", "off": "Switched off"}


@dataclass(frozen=True, slots=True)
class GrantLine:
    pk: int
    role: str
    where: str
    source: str
    may_take: bool = False


@dataclass(frozen=True, slots=True)
class PersonLine:
    user: User
    grants: list[GrantLine]


@require_safe
def people_page(request: HttpRequest) -> HttpResponse:
    manager = _manager(request)
    state, text = request.GET.get("state", ""), _plain(request.GET.get("find", ""))
    role = request.GET.get("role", "")
    found = _in_scope(manager, desk_of(request))
    if text:
        named = Q(first_name__icontains=text) | Q(last_name__icontains=text)
        found = found.filter(named | Q(username__icontains=text))
    if state in ("on", "off"):
        found = found.filter(is_active=state == "on")
    if role in RIGHTS:
        found = found.filter(pk__in=Grant.objects.filter(role=role).values("user_id"))
    found = found.prefetch_related("grants__tenant", "grants__group")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": [PersonLine(user, _lines(user, manager)) for user in page.object_list],
        "find": text,
        "state": state if state in STATES else "",
        "states": STATES,
        "role": role,
        "query": urlencode({"find": text, "state": state, "role": role}),
        "roles": roles_of(manager),
    }
    return render(request, "access/people.html", context)


def _in_scope(manager: Manager, desk: Desk) -> QuerySet[User]:
    """Who may do something in the tenants in scope; everybody when it is not narrowed."""
    people = manager.people()
    if not desk.is_narrowed:
        return people
    here = Q(tenant_id__in=desk.ids) | Q(group__tenants__in=desk.ids) | Q(tenant=None, group=None)
    return people.filter(pk__in=Grant.objects.filter(here).values("user_id"))


@require_safe
def person_page(request: HttpRequest, pk: int) -> HttpResponse:
    manager = _manager(request)
    person = manager.person(pk)
    context = {
        "person": person,
        "lines": _lines(person, manager),
        "effective": effective(person, manager.rights.tenants.values()),
        "may_switch": manager.may_switch_off(person),
        "is_self": person.pk == manager.user.pk,
        "form": GrantForm(manager=manager),
    }
    return render(request, "access/person.html", context)


@require_safe
def my_access(request: HttpRequest) -> HttpResponse:
    """What I may do, and why: for everybody."""
    user = user_of(request)
    manager = Manager(user, desk_of(request).rights)
    context = {
        "person": user,
        "lines": _lines(user, manager),
        "effective": effective(user, manager.rights.tenants.values()),
        "is_self": True,
    }
    return render(request, "access/person.html", context)


@require_safe
def roles_page(request: HttpRequest) -> HttpResponse:
    """The table of roles and rights."""
    manager = _manager(request)
    roles = roles_of(manager)
    rows = [
        (text, [right in RIGHTS[role] for role, _ in roles]) for right, text in EXPLAINED.items()
    ]
    return render(request, "access/roles.html", {"roles": roles, "rows": rows})


@require_POST
def person_give(request: HttpRequest, pk: int) -> HttpResponse:
    manager = _manager(request)
    person = manager.person(pk)
    if asked := ask_for_proof(request):
        return asked
    try:
        where = where_of(manager, posted_place(request))
        granting.give(manager, person, request.POST.get("role", ""), where)
    except BadGrant as err:
        messages.warning(request, str(err))
    else:
        messages.success(request, "The role is given.")
    return redirect("person", pk=pk)


@require_POST
def person_take(request: HttpRequest, pk: int) -> HttpResponse:
    manager = _manager(request)
    person = manager.person(pk)
    grant_id = number_of(request.POST.get("grant", ""))
    if asked := ask_for_proof(request):
        return asked
    try:
        granting.take(manager, person, grant_id)
    except BadGrant as err:
        messages.warning(request, str(err))
    else:
        messages.success(request, "The role is taken back.")
    # A customer's person without any role is no longer theirs to see.
    is_there = manager.people().filter(pk=pk).exists()
    return redirect("person", pk=pk) if is_there else redirect("access")


@require_POST
def person_switch(request: HttpRequest, pk: int) -> HttpResponse:
    manager = _manager(request)
    person = manager.person(pk)
    is_on = request.POST.get("on") == "yes"
    if asked := ask_for_proof(request):
        return asked
    try:
        granting.switch(manager, person, on=is_on)
    except BadGrant as err:
        messages.warning(request, str(err))
    else:
        if not is_on:
            end_sessions(person)
        done = "may sign in again" if is_on else "is signed out and may not sign in"
        messages.success(request, f"{person.get_username()} {done}.")
    return redirect("person", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
def person_new(request: HttpRequest) -> HttpResponse:
    """Make a local account; its first password is shown once, on the answer."""
    manager = _manager(request)
    if request.method == "POST" and (asked := ask_for_proof(request)):
        return asked
    form = PersonForm(request.POST or None, manager=manager)
    if request.method == "POST" and form.is_valid():
        password, given = secrets.token_urlsafe(12), form.cleaned_data
        try:
            where = where_of(manager, given["place"] or f"tenant:{given['tenant']}")
            user = granting.new_person(manager, given["username"], password, given["role"], where)
        except BadGrant as err:
            form.add_error(None, str(err))
        else:
            context = {"person": user, "password": password}
            return render(request, "access/made.html", context)
    return render(request, "access/new.html", {"form": form})


def _manager(request: HttpRequest) -> Manager:
    """Raises Http404 for somebody who gives no roles."""
    manager = Manager(user_of(request), desk_of(request).rights)
    if not manager.may_manage:
        raise Http404
    return manager


def _lines(user: User, manager: Manager) -> list[GrantLine]:
    """A grant for a tenant that the manager does not see stays unseen."""
    given = user.grants.all()
    if not hasattr(user, "_prefetched_objects_cache"):
        given = given.select_related("tenant", "group")
    return [
        GrantLine(
            grant.pk,
            grant.get_role_display(),
            where_text(grant),
            grant.get_source_display(),
            _may_take(manager, user, grant),
        )
        for grant in given
        if grant.tenant_id is None or grant.tenant_id in manager.rights.tenants
    ]


def _may_take(manager: Manager, user: User, grant: Grant) -> bool:
    is_by_hand = grant.source == Grant.Source.MANUAL and user.pk != manager.user.pk
    return is_by_hand and grant.role in manager.roles_at(Where(grant.tenant, grant.group))


def _plain(text: str) -> str:
    return text.replace("\0", "").strip()[:LONGEST]
