"""Tenants: the table of all in scope, the page of one, and a form for a new one."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.blind_spots import blind_spots
from clients.errors import ApiError
from csc_portal.access import is_provider_admin, tenant_for
from csc_portal.onboard import NewTicketing, onboard
from csc_portal.queue import open_by_tenant
from csc_portal.tenant_health import TenantHealth, budget, read_health
from csc_portal.web.desk import desk_of, user_of
from tenants.audit import record
from tenants.directories import BadSecret
from tenants.models import SLUG, Tenant
from tenants.onboarding import NewTenant, OnboardingError
from tenants.roles import Right
from tenants.scope import scope
from ticketing.adapters import registry
from ticketing.retry import retry_failed

PAGE_SIZE = 50
STATES = {
    "active": "Active",
    "failing": "Failing",
    "onboarding": "Onboarding",
    "paused": "Paused",
    "offboarded": "Off-boarded",
}


@dataclass(frozen=True, slots=True)
class TenantLine:
    tenant: Tenant
    open: dict[str, int]

    @property
    def state(self) -> str:
        """As people say it: an active tenant whose reads fail is failing."""
        if self.tenant.is_active and self.tenant.is_failing:
            return "failing"
        return str(self.tenant.state)


@require_safe
def tenants_page(request: HttpRequest) -> HttpResponse:
    desk = desk_of(request)
    found = Tenant.objects.filter(pk__in=desk.ids).order_by("name", "pk")
    state = request.GET.get("state", "")
    if state == "failing":
        found = found.filter(state=Tenant.State.ACTIVE, failures__gt=0)
    elif state in STATES:
        found = found.filter(state=state)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    tenants = list(page.object_list)
    counts = open_by_tenant([tenant.pk for tenant in tenants])
    context = {
        "page": page,
        "lines": [TenantLine(tenant, counts.get(tenant.pk, {})) for tenant in tenants],
        "state": state,
        "states": STATES,
        "may_onboard": is_provider_admin(user_of(request)),
        "unknown": desk.unknown,
    }
    return render(request, "tenants/list.html", context)


@require_safe
def tenant_page(request: HttpRequest, slug: str) -> HttpResponse:
    rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, rights=rights)
    health: TenantHealth = read_health(tenant)
    context = {
        "tenant": tenant,
        "ref": rights.tenants[tenant.pk],
        "line": TenantLine(tenant, open_by_tenant([tenant.pk]).get(tenant.pk, {})),
        "health": health,
        "blind_spots": blind_spots(tenant),
        "budget": budget(tenant),
        "ticketing": getattr(tenant, "ticketing", None),
    }
    return render(request, "tenants/tenant.html", context)


@require_POST
def tenant_retry(request: HttpRequest, slug: str) -> HttpResponse:
    """Send the tickets and notes that were given up."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.RUN_FEED)
    with scope(tenant):
        count = retry_failed()
    if count:
        # Wakes the pipeline's sweep.
        Tenant.objects.filter(pk=tenant.pk).update(next_delivery_at=timezone.now())
    record(user.username, "deliveries_retried", tenant, facts={"deliveries": count})
    messages.success(request, f"{count} deliveries will be sent again in a moment.")
    return redirect("tenant", slug=slug)


@require_POST
def tenant_state(request: HttpRequest, slug: str) -> HttpResponse:
    """Start or pause the reading of a tenant. An off-boarded one stays so."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.MANAGE_TENANT)
    wanted = request.POST.get("state", "")
    if wanted not in (Tenant.State.ACTIVE, Tenant.State.PAUSED):
        raise Http404
    changed = (
        Tenant.objects.filter(pk=tenant.pk)
        .exclude(state=Tenant.State.OFFBOARDED)
        .exclude(state=wanted)
        .update(state=wanted, next_poll_at=timezone.now())
    )
    if changed:
        record(user.username, f"tenant_{wanted}", tenant, facts={"before": tenant.state})
    return redirect("tenant", slug=slug)


class TenantForm(forms.Form):
    """The fields of `manage.py onboard`."""

    slug = forms.CharField(max_length=40, validators=[SLUG], help_text="Short name in addresses.")
    name = forms.CharField(max_length=100)
    directory_id = forms.UUIDField(label="Directory", help_text="Microsoft Entra tenant id.")
    client_id = forms.UUIDField(label="Application", help_text="Application (client) id.")
    credential_secret = forms.CharField(
        max_length=127, initial="csc-app-credential", help_text="Name of the secret in Key Vault."
    )
    ticketing = forms.ChoiceField(
        label="Ticket system",
        required=False,
        choices=lambda: [("", "None"), *((name, name.capitalize()) for name in sorted(registry))],
    )
    ticketing_url = forms.URLField(label="Its address", required=False, assume_scheme="https")
    ticketing_secret = forms.CharField(
        label="Its key",
        max_length=127,
        required=False,
        help_text="Name of the secret in Key Vault.",
    )
    requester_email = forms.EmailField(label="Requester of the tickets", required=False)
    enable = forms.BooleanField(label="Start reading at once", required=False, initial=True)

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        if cleaned.get("ticketing"):
            for name in ("ticketing_url", "ticketing_secret"):
                if not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, "A ticket system needs this.")
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
def tenant_new(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    if not is_provider_admin(user):
        raise Http404
    form = TenantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            tenant, warnings = onboard(
                _new(form), _ticketing(form), enable=form.cleaned_data["enable"],
                actor=user.username,
            )  # fmt: skip
        except (OnboardingError, ApiError, BadSecret) as err:
            form.add_error(None, str(err))
        else:
            messages.success(request, f"{tenant.name} is onboarded.")
            for warning in warnings:
                messages.warning(request, warning)
            return redirect(reverse("tenant", args=[tenant.slug]))
    status = 422 if form.errors else 200
    return render(request, "tenants/new.html", {"form": form}, status=status)


def _new(form: TenantForm) -> NewTenant:
    data = form.cleaned_data
    return NewTenant(
        data["slug"], data["name"], data["directory_id"], data["client_id"],
        data["credential_secret"],
    )  # fmt: skip


def _ticketing(form: TenantForm) -> NewTicketing | None:
    data = form.cleaned_data
    if not data["ticketing"]:
        return None
    return NewTicketing(
        data["ticketing"], data["ticketing_url"], data["ticketing_secret"], data["requester_email"]
    )
