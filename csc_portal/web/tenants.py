"""Tenants: the table of all in scope, and the page of one."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from alerts.blind_spots import blind_spots
from csc_portal.access import Rights, tenant_for
from csc_portal.queue import open_by_tenant
from csc_portal.tenant_health import TenantHealth, budget, read_health
from csc_portal.web.desk import desk_of, user_of
from csc_portal.web.tenant_setup import tabs_of
from tenants.audit import record
from tenants.models import Onboarding, Tenant
from tenants.roles import Right
from tenants.scope import scope
from ticketing.retry import retry_failed

PAGE_SIZE = 50
SOON_DAYS = 30
"""A credential that ends within them is marked."""
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

    @property
    def credential_days(self) -> int | None:
        """Whole days until the credential ends, if anybody knows."""
        ends = self.tenant.credential_expires_at
        return None if ends is None else (ends - timezone.now()).days

    @property
    def ends_soon(self) -> bool:
        return self.credential_days is not None and self.credential_days < SOON_DAYS


@require_safe
def tenants_page(request: HttpRequest) -> HttpResponse:
    desk = desk_of(request)
    found = Tenant.objects.filter(pk__in=desk.ids).order_by("name", "pk")
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    if state == "failing":
        found = found.filter(state=Tenant.State.ACTIVE, failures__gt=0)
    elif state:
        found = found.filter(state=state)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    tenants = list(page.object_list)
    counts = open_by_tenant([tenant.pk for tenant in tenants])
    may_onboard = Right.ONBOARD in desk.rights.everywhere
    left = Onboarding.objects.filter(finished_at=None).count() if may_onboard else 0
    context = {
        "page": page,
        "lines": [TenantLine(tenant, counts.get(tenant.pk, {})) for tenant in tenants],
        "state": state,
        "states": STATES,
        "may_onboard": may_onboard,
        "left": left,
    }
    return render(request, "tenants/list.html", context)


@require_safe
def tenant_page(request: HttpRequest, slug: str) -> HttpResponse:
    rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, rights=rights)
    health: TenantHealth = read_health(tenant)
    ref = rights.tenants[tenant.pk]
    context = {
        "tenant": tenant,
        "ref": ref,
        "tabs": tabs_of(ref),
        "tab": "",
        "onboarding": _onboarding(tenant, rights),
        "line": TenantLine(tenant, open_by_tenant([tenant.pk]).get(tenant.pk, {})),
        "health": health,
        "blind_spots": blind_spots(tenant),
        "budget": budget(tenant),
        "ticketing": getattr(tenant, "ticketing", None),
    }
    return render(request, "tenants/tenant.html", context)


def _onboarding(tenant: Tenant, rights: Rights) -> Onboarding | None:
    """Where to go on with one that is not finished."""
    if tenant.state != Tenant.State.ONBOARDING or Right.ONBOARD not in rights.everywhere:
        return None
    return Onboarding.objects.filter(tenant=tenant).first()


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
