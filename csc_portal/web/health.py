"""Health: which tenants need attention, and the details of one when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from csc_portal.access import tenant_for
from csc_portal.tenant_health import read_health
from csc_portal.web.desk import desk_of, user_of
from tenants.models import Tenant

SHOWN = 50
OVERDUE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Attention:
    """A tenant and what is wrong with it."""

    tenant: Tenant
    is_late: bool
    is_overdue: bool


@require_safe
def health_page(request: HttpRequest) -> HttpResponse:
    """From the tenants' own rows alone: three queries, however many tenants."""
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
    )
    troubled = active.filter(failing | silent | late | overdue | Q(quarantined__gt=0))
    troubled = troubled.order_by(F("failing_since").asc(nulls_last=True), "polled_at", "pk")
    context = {
        "numbers": numbers,
        "others": tenants.exclude(state=Tenant.State.ACTIVE).count(),
        "attention": [_attention(tenant, now) for tenant in troubled[:SHOWN]],
        "latest": list(active.order_by(F("polled_at").desc(nulls_last=True), "pk")[:SHOWN]),
        "shown": SHOWN,
        "unknown": desk.unknown,
    }
    return render(request, "health/page.html", context)


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
def tenant_details(request: HttpRequest, slug: str) -> HttpResponse:
    """Reads, quarantine and deliveries of one tenant, for below its line."""
    rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, rights=rights)
    context = {
        "tenant": tenant,
        "ref": rights.tenants[tenant.pk],
        "health": read_health(tenant),
    }
    return render(request, "health/_tenant.html", context)
