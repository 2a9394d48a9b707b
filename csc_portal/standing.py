"""How a tenant fares, written on its own row for those who look at all tenants."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, Min
from django.utils import timezone

from alerts.feed_state import feed_state, silent_sources
from alerts.models import Subscription
from clients.errors import ApiError
from csc_portal.polling import Pace, next_poll
from tenants.credentials import credential_ends
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)


def note_success(tenant: Tenant) -> None:
    """The tenant was polled: when next, and how its feed stands, for the list of all tenants."""
    now = timezone.now()
    with scope(tenant):
        state = feed_state(now)
    pace = Pace(
        state.alerts_per_hour,
        tenant.push_healthy_at,
        shortest_s=settings.POLL_INTERVAL_S,
        longest_s=settings.POLL_INTERVAL_MAX_S,
    )
    _set_next_poll(tenant, next_poll(tenant.pk, pace, now))
    Tenant.objects.filter(pk=tenant.pk).update(
        polled_at=now,
        poll_began_at=tenant.poll_began_at,
        failing_since=None,
        failures=0,
        last_error="",
        silent_since=state.last_alert_at if state.is_silent else None,
        unread_windows=state.unread_windows,
        quarantined=state.quarantined,
        last_alert_at=state.last_alert_at,
    )


def note_sources(tenant: Tenant) -> None:
    """Products that fell silent, for the list of all tenants; looked at hourly."""
    with scope(tenant):
        found = silent_sources(timezone.now())
    Tenant.objects.filter(pk=tenant.pk).update(silent_sources=found)


def note_credential(tenant: Tenant) -> None:
    """When the tenant's credential ends, as the vault or its certificate says."""
    try:
        ends = credential_ends(tenant.credential_secret)
    except ApiError as err:
        logger.warning("credential not looked at tenant_id=%s kind=%s", tenant.pk,
                       type(err).__name__)  # fmt: skip
        return
    Tenant.objects.filter(pk=tenant.pk).update(credential_expires_at=ends)


def note_subscriptions(tenant: Tenant) -> None:
    """How many resources Microsoft tells about by itself, and when the first of them ends."""
    with scope(tenant):
        active = Subscription.objects.filter(state=Subscription.State.ACTIVE)
        found = active.aggregate(count=Count("pk"), first=Min("expires_at"))
    Tenant.objects.filter(pk=tenant.pk).update(
        subscriptions_active=found["count"], subscriptions_expire_at=found["first"]
    )


def note_failure(tenant: Tenant, err: Exception) -> None:
    """Written where people see it; the next try comes later and later, at most an hour."""
    now = timezone.now()
    told = timedelta(seconds=getattr(err, "retry_after_s", None) or 0)
    pace = Pace(0, failures=tenant.failures + 1, shortest_s=settings.POLL_INTERVAL_S)
    _set_next_poll(tenant, max(next_poll(tenant.pk, pace, now), now + told))
    Tenant.objects.filter(pk=tenant.pk).update(
        poll_began_at=tenant.poll_began_at,
        failing_since=tenant.failing_since or now,
        failures=F("failures") + 1,
        last_error=str(err)[:300],
    )
    logger.warning("poll failed tenant_id=%s kind=%s", tenant.pk, type(err).__name__)


def _set_next_poll(tenant: Tenant, at: datetime) -> None:
    """Unless somebody asked for an earlier one meanwhile, who would wait in vain."""
    Tenant.objects.filter(pk=tenant.pk, next_poll_at=tenant.next_poll_at).update(next_poll_at=at)
