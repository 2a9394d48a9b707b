"""Health: which tenants need attention, and the details of one when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, F, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from alerts.blind_spots import blind_spots
from alerts.ledger import try_all_again
from csc_portal.access import tenant_for
from csc_portal.heat import heat_map
from csc_portal.installation import queue_depths
from csc_portal.pipeline import replay_quarantined, replay_window
from csc_portal.tenant_health import budget, read_health
from csc_portal.typed import number_of
from csc_portal.web.desk import Desk, desk_of, user_of
from tenants.audit import record
from tenants.models import Tenant
from tenants.roles import Right
from tenants.scope import scope

SHOWN = 50
FIRST_ENDING = 10
ENDING_WITHIN = timedelta(days=30)
HEAT_ROWS = 20
AGAIN = {
    "poll": "What is new at",
    "windows": "The windows that were set aside of",
    "window": "That window of",
    "quarantined": "The quarantined documents of",
}
OVERDUE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Attention:
    """A tenant and what is wrong with it."""

    tenant: Tenant
    is_late: bool
    is_overdue: bool


@require_safe
def health_page(request: HttpRequest) -> HttpResponse:
    """From the tenants' own rows alone: four queries, however many tenants."""
    desk, now = desk_of(request), timezone.now()
    tenants = Tenant.objects.filter(pk__in=desk.ids)
    active = tenants.filter(state=Tenant.State.ACTIVE)
    failing, silent, late, overdue = _troubles(now)
    numbers = active.aggregate(
        active=Count("pk"),
        failing=Count("pk", filter=failing),
        silent=Count("pk", filter=silent),
        late=Count("pk", filter=late),
        overdue=Count("pk", filter=overdue),
        unread=Sum("unread_windows", default=0),
        quarantined=Sum("quarantined", default=0),
        refused=Count("pk", filter=Q(failures__gt=0, last_error__contains="AADSTS")),
        unpermitted=Count("pk", filter=~Q(missing_permissions=[])),
        ending=Count("pk", filter=Q(credential_expires_at__lt=now + ENDING_WITHIN)),
        unwritten=Count("pk", filter=Q(next_outcome_at__lt=now - OVERDUE_AFTER)),
        unheard=Count("pk", filter=Q(ticketing__read_error__gt="")),
    )
    pushed = active.filter(subscriptions_expire_at__isnull=False)
    quiet = ~Q(silent_sources=[])
    troubled = active.filter(failing | silent | late | overdue | quiet | Q(quarantined__gt=0))
    troubled = troubled.order_by(F("failing_since").asc(nulls_last=True), "polled_at", "pk")
    context = {
        "numbers": numbers,
        "others": tenants.exclude(state=Tenant.State.ACTIVE).count(),
        "attention": [_attention(tenant, now) for tenant in troubled[:SHOWN]],
        "latest": list(active.order_by(F("polled_at").desc(nulls_last=True), "pk")[:SHOWN]),
        "pushed": list(pushed.order_by("subscriptions_expire_at", "pk")[:FIRST_ENDING]),
        "queues": queue_depths() if _sees_provider(desk) else None,
        "shown": SHOWN,
    }
    return render(request, "health/page.html", context)


def _sees_provider(desk: Desk) -> bool:
    """Queues are of the installation, which is nothing of a customer's."""
    return desk.rights.may_somewhere(Right.SEE_PROVIDER)


def _troubles(now: datetime) -> tuple[Q, Q, Q, Q]:
    """Reads fail; quieter than chance; a read is due but not begun; a ticket likewise."""
    return (
        Q(failures__gt=0),
        Q(silent_since__isnull=False),
        Q(next_poll_at__lt=now - OVERDUE_AFTER),
        Q(next_delivery_at__lt=now - OVERDUE_AFTER),
    )


def _attention(tenant: Tenant, now: datetime) -> Attention:
    def is_past(due_at: datetime | None) -> bool:
        return due_at is not None and due_at < now - OVERDUE_AFTER

    return Attention(tenant, is_past(tenant.next_poll_at), is_past(tenant.next_delivery_at))


@require_safe
def heat(request: HttpRequest) -> HttpResponse:
    """The ledger of the tenants in scope, those in trouble first; a page of them, kept live."""
    desk, now = desk_of(request), timezone.now()
    tenants = Tenant.objects.filter(pk__in=desk.ids, state=Tenant.State.ACTIVE)
    ordered = tenants.order_by("-failures", "-unread_windows", "name", "pk")
    page = Paginator(ordered, HEAT_ROWS).get_page(request.GET.get("page"))
    context = {"rows": heat_map(page.object_list, now), "page": page}
    return render(request, "health/_heat.html", context)


@require_POST
def read_again(request: HttpRequest, slug: str) -> HttpResponse:
    """Poll now, read windows that were set aside, or read quarantined documents again."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.RUN_FEED)
    what, window = request.POST.get("what", ""), number_of(request.POST.get("window", ""))
    if what not in AGAIN or (what == "window" and not window):
        raise Http404
    if what == "windows":
        with scope(tenant):
            try_all_again()
    if what == "quarantined":
        replay_quarantined.delay(tenant.pk)
    elif what == "window":
        replay_window.delay(tenant.pk, window)
    else:
        Tenant.objects.filter(pk=tenant.pk, state=Tenant.State.ACTIVE).update(
            next_poll_at=timezone.now()
        )
    record(user.username, f"read_again_{what}", tenant)
    messages.success(request, f"{AGAIN[what]} {tenant.name} will be read in a moment.")
    return redirect("tenant", slug=slug)


@require_safe
def tenant_details(request: HttpRequest, slug: str) -> HttpResponse:
    """Reads, quarantine and deliveries of one tenant, for below its line."""
    rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, rights=rights)
    context = {
        "tenant": tenant,
        "ref": rights.tenants[tenant.pk],
        "health": read_health(tenant),
        "blind_spots": blind_spots(tenant),
        "budget": budget(tenant),
    }
    return render(request, "health/_tenant.html", context)
