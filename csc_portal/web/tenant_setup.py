"""A tenant's own settings, by tab. What is typed is checked before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.refresh import publish_open
from alerts.subscriptions import DEFAULT_RESOURCES
from clients.errors import ApiError
from csc_portal.access import TenantRef, tenant_for
from csc_portal.lake_keep import keep
from csc_portal.offboard import erase, off_board
from csc_portal.onboard import connect_ticketing
from csc_portal.permissions import permissions_of
from csc_portal.push_access import ticket_webhook
from csc_portal.report_due import phase_of
from csc_portal.rotation import rotate
from csc_portal.tenant_export import export_lines
from csc_portal.web.assets import ClassForm, change_classes, classes_of
from csc_portal.web.coverage_forms import WatchRuleForm
from csc_portal.web.desk import desk_of, user_of
from csc_portal.web.reauth import ask_for_proof
from csc_portal.web.report_forms import PlanForm
from csc_portal.web.tenant_forms import (
    AutoCloseForm,
    CredentialForm,
    EraseForm,
    LakeForm,
    SlaForm,
    TenantForm,
    WeightsForm,
)
from csc_portal.web.ticket_form import form_of, systems
from csc_portal.web.trial import send_trial
from csc_portal.wizard import check_permissions, consent_of
from reports.kept import reports_of
from reports.periods import Plan
from tenants.audit import record
from tenants.directories import BadSecret
from tenants.models import Tenant
from tenants.onboarding import OnboardingError
from tenants.roles import Right
from tenants.scope import scope

FAULTS = (ApiError, BadSecret, OnboardingError)


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of a tenant's pages. To add one, add a line to TABS and a page to _PAGES."""

    name: str
    label: str
    icon: str
    right: Right


TABS = (
    Tab("general", "General", "settings", Right.MANAGE_TENANT),
    Tab("permissions", "Permissions", "key", Right.MANAGE_TENANT),
    Tab("tickets", "Tickets", "ticket", Right.MANAGE_TENANT),
    Tab("assets", "VIPs and jewels", "star", Right.MANAGE_RULES),
    Tab("coverage", "Azure coverage", "cloud", Right.MANAGE_RULES),
    Tab("priority", "Priority", "sort-descending", Right.MANAGE_RULES),
    Tab("promises", "Rules and SLA", "clock", Right.MANAGE_RULES),
    Tab("reports", "Reports", "file", Right.MANAGE_RULES),
    Tab("end", "Off-board", "trash", Right.OFFBOARD),
)


def tabs_of(ref: TenantRef) -> list[Tab]:
    return [tab for tab in TABS if ref.may(tab.right)]


@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """One tab; 404 without its right."""
    tab = next((tab for tab in TABS if tab.name == name), None)
    if tab is None:
        raise Http404
    rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, tab.right, rights)
    return _PAGES[name](request, tenant)


def _page(
    request: HttpRequest, tenant: Tenant, name: str, context: dict[str, Any], *forms: Any
) -> HttpResponse:
    ref = desk_of(request).rights.tenants[tenant.pk]
    shown = {"tenant": tenant, "ref": ref, "tabs": tabs_of(ref), "tab": name, **context}
    status = 422 if any(form.errors for form in forms) else 200
    return render(request, f"tenants/setup/{name}.html", shown, status=status)


def _back(tenant: Tenant, name: str) -> HttpResponse:
    return redirect("tenant-setup", tenant.slug, name)


def save(request: HttpRequest, tenant: Tenant, changes: dict[str, Any]) -> None:
    """Write what differs, and which fields those were."""
    changed = {key: value for key, value in changes.items() if getattr(tenant, key) != value}
    if changed:
        Tenant.objects.filter(pk=tenant.pk).update(**changed)
        facts: dict[str, object] = {"fields": sorted(changed)}
        record(user_of(request).username, "tenant_changed", tenant, facts=facts)
    messages.success(request, "Saved." if changed else "Nothing was changed.")


def publish_promises(tenant_id: int) -> None:
    """What is open is due by the new times. Read anew, because the scope carries the promises."""
    with scope(Tenant.objects.get(pk=tenant_id)):
        publish_open(tenant_id)


def _general(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    rotates = data is not None and "credential_secret" in data
    keeps = data is not None and "lake_days" in data
    form = TenantForm(tenant, None if rotates or keeps else data)
    lake = LakeForm(data if keeps else None, initial={"lake_days": tenant.lake_days})
    given = {"client_id": tenant.client_id, "credential_secret": tenant.credential_secret}
    credential = CredentialForm(data if rotates else None, initial=given)
    if rotates and credential.is_valid():
        try:
            rotate(tenant, **credential.cleaned_data, actor=user_of(request).username)
        except FAULTS as err:
            credential.add_error("credential_secret", str(err))
        else:
            messages.success(request, "The credential reads alerts, and is used from now on.")
            return _back(tenant, "general")
    elif lake.is_valid():
        days = lake.cleaned_data["lake_days"]
        if days != tenant.lake_days:
            keep(tenant, days, user_of(request).username)
        messages.success(request, "Saved.")
        return _back(tenant, "general")
    elif form.is_valid():
        save(request, tenant, form.changes())
        return _back(tenant, "general")
    forms = {"form": form, "credential": credential, "lake": lake}
    context = {**forms, "resources": DEFAULT_RESOURCES}
    return _page(request, tenant, "general", context, *forms.values())


def _permissions(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    may_consent = Right.ONBOARD in desk_of(request).rights.everywhere
    if request.method == "POST" and request.POST.get("do") == "consent":
        if not may_consent:
            raise Http404
        onboarding = consent_of(tenant, user_of(request))
        return redirect("onboarding-step", onboarding.public_id, "consent")
    problem = ""
    if request.method == "POST":
        try:
            check_permissions(tenant)
        except FAULTS as err:
            problem = str(err)
    context = {"table": permissions_of(tenant), "problem": problem, "may_consent": may_consent}
    return _page(request, tenant, "permissions", context)


def _tickets(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    connection = getattr(tenant, "ticketing", None)
    known = dict(systems())
    do = request.POST.get("do", "")
    if do == "test":
        send_trial(request, tenant)
        return _back(tenant, "tickets")
    if do in ("on", "off") and connection is not None:
        type(connection).objects.filter(pk=connection.pk).update(is_enabled=do == "on")
        record(user_of(request).username, f"ticketing_{do}", tenant)
        return _back(tenant, "tickets")
    system = request.GET.get("system") or (connection.system if connection else "freshservice")
    if system not in known:
        raise Http404
    data = request.POST if request.method == "POST" and do != "webhook" else None
    form = form_of(connection, system, data)
    if form.is_valid():
        try:
            connect_ticketing(tenant, form.ticketing(), user_of(request).username)
        except FAULTS as err:
            form.add_error(None, str(err))
        else:
            messages.success(request, f"{known[system]} is connected.")
            return _back(tenant, "tickets")
    webhook = None
    if do == "webhook" and connection is not None:
        webhook = ticket_webhook(connection)
        record(user_of(request).username, "push_keys_shown", tenant)
    context = {"form": form, "systems": known, "system": system, "connection": connection}
    return _page(request, tenant, "tickets", {**context, "webhook": webhook}, form)


def _promises(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    rules = AutoCloseForm(data, initial={"auto_close": tenant.auto_close})
    sla = SlaForm(tenant.sla, data)
    if rules.is_valid() and sla.is_valid():
        changes = {"auto_close": rules.cleaned_data["auto_close"], "sla": sla.stored()}
        kept = tenant.sla
        save(request, tenant, changes)
        if changes["sla"] != kept:
            publish_promises(tenant.pk)
        return _back(tenant, "promises")
    return _page(request, tenant, "promises", {"rules": rules, "sla": sla}, rules, sla)


def _assets(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form = ClassForm()
    if request.method == "POST":
        wrong = change_classes(request, tenant)
        if wrong is None:
            return _back(tenant, "assets")
        form = wrong
    context = {"class_form": form, "classes": classes_of(tenant)}
    return _page(request, tenant, "assets", context, form)


def _priority(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form = WeightsForm(tenant.priority_weights, request.POST if request.method == "POST" else None)
    if form.is_valid():
        save(request, tenant, {"priority_weights": form.cleaned_data["weights"]})
        return _back(tenant, "priority")
    return _page(request, tenant, "priority", {"form": form}, form)


def _coverage(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form = WatchRuleForm.of(tenant, request.POST if request.method == "POST" else None)
    if form.is_valid():
        changed = form.save(tenant)
        if changed:
            facts: dict[str, object] = {"fields": changed}
            record(user_of(request).username, "watch_rule_changed", tenant, facts=facts)
        messages.success(request, "Saved." if changed else "Nothing was changed.")
        return _back(tenant, "coverage")
    return _page(request, tenant, "coverage", {"form": form}, form)


def _reports(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    now, plan = timezone.now(), Plan.of(tenant.report_plan)
    form = PlanForm(plan, request.POST if request.method == "POST" else None)
    if form.is_valid():
        stored = form.stored(now)
        following = Plan.of(stored).next_at(now, phase_of(tenant))
        save(request, tenant, {"report_plan": stored})
        Tenant.objects.filter(pk=tenant.pk).update(next_report_at=following)
        return _back(tenant, "reports")
    context = {"form": form, "plan": plan, "reports": reports_of(tenant)}
    return _page(request, tenant, "reports", context, form)


def _end(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form = EraseForm(tenant, None)
    return _page(request, tenant, "end", {"form": form})


@require_POST
def off_board_tenant(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop reading; with `erase` and the slug typed, forget everything. Asks who it is, again."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.OFFBOARD)
    if asked := ask_for_proof(request):
        return asked
    if request.POST.get("do") != "erase":
        problem = off_board(tenant, user.username)
        messages.success(request, f"{tenant.name} is not read any more.")
        if problem:
            messages.warning(request, f"Its subscriptions end by themselves: {problem}")
        return _back(tenant, "end")
    form = EraseForm(tenant, request.POST)
    if not form.is_valid():
        return _page(request, tenant, "end", {"form": form}, form)
    off_board(tenant, user.username)
    try:
        erase(tenant, user.username)
    except OnboardingError as err:
        messages.error(request, str(err))
        return _back(tenant, "end")
    messages.success(request, f"Everything that was stored of {tenant.name} is erased.")
    return redirect("tenants")


@require_safe
def export(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """All that is stored of the tenant, as lines of JSON."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.OFFBOARD)
    record(user.username, "tenant_exported", tenant)
    answer = StreamingHttpResponse(export_lines(tenant), content_type="application/x-ndjson")
    day = f"{timezone.now():%Y-%m-%d}"
    answer["Content-Disposition"] = f'attachment; filename="{tenant.slug}-{day}.jsonl"'
    return answer


_PAGES: dict[str, Callable[[HttpRequest, Tenant], HttpResponse]] = {
    "general": _general,
    "permissions": _permissions,
    "tickets": _tickets,
    "assets": _assets,
    "coverage": _coverage,
    "priority": _priority,
    "promises": _promises,
    "reports": _reports,
    "end": _end,
}
