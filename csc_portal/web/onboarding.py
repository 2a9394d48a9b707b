"""The onboarding wizard: a page a step, each of which can be left and opened again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from clients.errors import ApiError
from csc_portal.access import rights_of
from csc_portal.consent import Refused, Standing, make_link, take_redirect
from csc_portal.first_read import first_read
from csc_portal.onboard import connect_ticketing
from csc_portal.permissions import permissions_of
from csc_portal.web.assets import ClassForm, change_classes, classes_of
from csc_portal.web.desk import user_of
from csc_portal.web.tenant_forms import AutoCloseForm, DirectoryForm, SlaForm
from csc_portal.web.tenant_setup import publish_promises
from csc_portal.web.ticket_form import form_of, systems
from csc_portal.web.trial import send_trial
from csc_portal.wizard import (
    Step,
    Typed,
    WrongField,
    begin_first_read,
    check_consent,
    check_permissions,
    discard,
    reach,
    start,
)
from tenants.audit import record
from tenants.directories import BadSecret
from tenants.models import Onboarding, Tenant
from tenants.onboarding import OnboardingError
from tenants.roles import Right

STEPS = {
    "directory": (Step.DIRECTORY, "Directory"),
    "consent": (Step.CONSENT, "Consent"),
    "permissions": (Step.PERMISSIONS, "Permissions"),
    "tickets": (Step.TICKETS, "Tickets"),
    "assets": (Step.ASSETS, "Assets and rules"),
    "read": (Step.FIRST_READ, "First read"),
}
BROWSER = "consent_browser"
FAULTS = (OnboardingError, ApiError, BadSecret)


def onboarding_for(request: HttpRequest, public_id: uuid.UUID) -> Onboarding:
    """Only who may onboard sees one; anybody else gets 404."""
    may_onboard(request)
    onboardings = Onboarding.objects.select_related("tenant", "tenant__ticketing")
    found = onboardings.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def may_onboard(request: HttpRequest) -> None:
    if Right.ONBOARD not in rights_of(user_of(request)).everywhere:
        raise Http404


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The first step, and onboardings that somebody left."""
    may_onboard(request)
    form = DirectoryForm(request.POST or None, client_id=_usual_client())
    if request.method == "POST" and form.is_valid():
        try:
            onboarding = start(Typed(**form.cleaned_data), user_of(request))
        except WrongField as err:
            form.add_error(err.field, str(err))
        else:
            return redirect("onboarding-step", onboarding.public_id, "consent")
    open_ones = Onboarding.objects.filter(finished_at=None).select_related("started_by")
    context = {"form": form, "open_ones": open_ones[:20], "steps": _bar(None, "directory")}
    return render(request, "onboarding/directory.html", context, status=_status(form))


def _usual_client() -> str:
    """The provider's app: as set, else as the youngest tenant has it."""
    if settings.PROVIDER_CLIENT_ID:
        return str(settings.PROVIDER_CLIENT_ID)
    newest = Tenant.objects.order_by("-pk").values_list("client_id", flat=True).first()
    return str(newest or "")


@require_safe
def resume(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """To the step where it was left."""
    onboarding = onboarding_for(request, public_id)
    names = {number: name for name, (number, _) in STEPS.items()}
    return redirect("onboarding-step", public_id, names[Step(onboarding.reached)])


@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, public_id: uuid.UUID, name: str) -> HttpResponse:
    """One step; those that are not reached yet lead to the one that is."""
    onboarding = onboarding_for(request, public_id)
    if name not in _PAGES:
        raise Http404
    if onboarding.reached < STEPS[name][0]:
        return redirect("onboarding", public_id)
    return _PAGES[name](request, onboarding)


@require_POST
def drop(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    onboarding = onboarding_for(request, public_id)
    discard(onboarding, user_of(request))
    messages.success(request, f"The onboarding of {onboarding.name} is forgotten.")
    return redirect("tenant-new")


@login_not_required
@require_safe
def consent_answer(request: HttpRequest) -> HttpResponse:
    """Where Microsoft sends the administrator's browser.

    Whoever comes without being signed in is the customer's administrator with a link that was sent
    to them: they are thanked, and nothing else happens.
    """
    if not request.user.is_authenticated:
        return render(request, "onboarding/thanks.html")
    user, browser = user_of(request), str(request.session.get(BROWSER, ""))
    told = {key: request.GET.get(key, "") for key in ("state", "tenant", "admin_consent", "error")}
    try:
        onboarding = take_redirect(told, user, browser, timezone.now())
    except Refused as err:
        record(user.username, "consent_refused", facts={"has_onboarding": bool(err.onboarding)})
        context = {"why": str(err), "onboarding": err.onboarding}
        if Right.ONBOARD not in rights_of(user).everywhere:
            context["onboarding"] = None
        return render(request, "onboarding/refused.html", context, status=400)
    _prove(request, onboarding)
    return redirect("onboarding", onboarding.public_id)


def _prove(request: HttpRequest, onboarding: Onboarding) -> str:
    """What the proof found, as the consent page says it."""
    try:
        proof = check_consent(onboarding, user_of(request))
    except FAULTS as err:
        return str(err)
    if proof.standing == Standing.PROVEN:
        messages.success(request, "The consent is proven: Entra ID gave a token.")
    return proof.text


def _consent(request: HttpRequest, onboarding: Onboarding) -> HttpResponse:
    link = told = ""
    if request.method == "POST" and request.POST.get("do") == "link":
        browser = request.session.setdefault(BROWSER, secrets.token_urlsafe(24))
        link = make_link(
            onboarding, user_of(request), browser, redirect_uri(request), timezone.now()
        )
    elif request.method == "POST":
        told = _prove(request, onboarding)
        if onboarding.consented_at and not told:
            onward = _next(onboarding, "permissions")
            is_htmx = bool(getattr(request, "htmx", False))
            return HttpResponseClientRedirect(onward.url) if is_htmx else onward
    waits = bool(onboarding.consent_told_at and not onboarding.consented_at)
    context = {"link": link, "told": told, "waits": waits, "redirect_uri": redirect_uri(request)}
    return _page(request, onboarding, "consent", context)


def redirect_uri(request: HttpRequest) -> str:
    """As it has to be registered for the app."""
    path = reverse("onboarding-consent")
    base = settings.PORTAL_URL.rstrip("/")
    return f"{base}{path}" if base else request.build_absolute_uri(path)


def _permissions(request: HttpRequest, onboarding: Onboarding) -> HttpResponse:
    tenant = _tenant(onboarding)
    problem = ""
    if request.method == "POST" and request.POST.get("do") == "check":
        try:
            check_permissions(tenant)
        except FAULTS as err:
            problem = str(err)
    elif request.method == "POST":
        return _next(onboarding, "tickets")
    context = {"table": permissions_of(tenant), "problem": problem}
    return _page(request, onboarding, "permissions", context)


def _tickets(request: HttpRequest, onboarding: Onboarding) -> HttpResponse:
    tenant = _tenant(onboarding)
    connection = getattr(tenant, "ticketing", None)
    if request.method == "POST" and request.POST.get("do") in ("next", "test"):
        if request.POST["do"] == "next":
            return _next(onboarding, "assets")
        send_trial(request, tenant)
        return redirect("onboarding-step", onboarding.public_id, "tickets")
    known = dict(systems())
    system = request.GET.get("system") or (connection.system if connection else "freshservice")
    if system not in known:
        raise Http404
    form = form_of(connection, system, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connect_ticketing(tenant, form.ticketing(), user_of(request).username)
        except FAULTS as err:
            form.add_error(None, str(err))
        else:
            messages.success(request, f"{known[system]} is connected. Send a test ticket now.")
            return redirect("onboarding-step", onboarding.public_id, "tickets")
    context = {"form": form, "systems": known, "system": system, "connection": connection}
    return _page(request, onboarding, "tickets", context, _status(form))


def _assets(request: HttpRequest, onboarding: Onboarding) -> HttpResponse:
    tenant = _tenant(onboarding)
    class_form = ClassForm()
    is_class = request.POST.get("do") in ("class", "remove")
    if is_class:
        wrong = change_classes(request, tenant)
        if wrong is None:
            return redirect("onboarding-step", onboarding.public_id, "assets")
        class_form = wrong
    data = None if is_class else request.POST or None
    rules = AutoCloseForm(data, initial={"auto_close": tenant.auto_close})
    sla = SlaForm(tenant.sla, data)
    if rules.is_valid() and sla.is_valid():
        changes = {"auto_close": rules.cleaned_data["auto_close"], "sla": sla.stored()}
        Tenant.objects.filter(pk=tenant.pk).update(**changes)
        record(user_of(request).username, "tenant_changed", tenant, facts={"fields": [*changes]})
        if changes["sla"] != tenant.sla:
            publish_promises(tenant.pk)
        return _next(onboarding, "read")
    context = {
        "rules": rules,
        "sla": sla,
        "class_form": class_form,
        "classes": classes_of(tenant),
    }
    return _page(request, onboarding, "assets", context, _status(rules, sla, class_form))


def _read(request: HttpRequest, onboarding: Onboarding) -> HttpResponse:
    tenant = _tenant(onboarding)
    table = permissions_of(tenant)
    if request.method == "POST":
        if not table.blocks:
            begin_first_read(onboarding, user_of(request))
        return redirect("onboarding-step", onboarding.public_id, "read")
    context = {"read": first_read(onboarding, tenant), "table": table}
    return _page(request, onboarding, "read", context)


@require_safe
def progress(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The bar, for the page to fetch again and again. Nothing depends on anybody looking."""
    onboarding = onboarding_for(request, public_id)
    context = {"read": first_read(onboarding, _tenant(onboarding)), "onboarding": onboarding}
    return render(request, "onboarding/_progress.html", context)


_PAGES: dict[str, Callable[[HttpRequest, Onboarding], HttpResponse]] = {
    "consent": _consent,
    "permissions": _permissions,
    "tickets": _tickets,
    "assets": _assets,
    "read": _read,
}


def _tenant(onboarding: Onboarding) -> Tenant:
    if onboarding.tenant is None:
        raise Http404
    return onboarding.tenant


def _next(onboarding: Onboarding, name: str) -> HttpResponseRedirect:
    reach(onboarding, STEPS[name][0])
    return HttpResponseRedirect(reverse("onboarding-step", args=[onboarding.public_id, name]))


def _bar(onboarding: Onboarding | None, current: str) -> list[dict[str, Any]]:
    reached = onboarding.reached if onboarding else Step.DIRECTORY
    return [
        {
            "name": name,
            "label": label,
            "number": int(number),
            "is_current": name == current,
            "is_done": number < reached or bool(onboarding and onboarding.finished_at),
            "is_open": Step.DIRECTORY < number <= reached,
        }
        for name, (number, label) in STEPS.items()
    ]


def _page(
    request: HttpRequest,
    onboarding: Onboarding,
    name: str,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    shown = {"onboarding": onboarding, "steps": _bar(onboarding, name), **context}
    return render(request, f"onboarding/{name}.html", shown, status=status)


def _status(*forms: Any) -> int:
    return 422 if any(form.errors for form in forms) else 200
