"""Tends every active tenant once an hour: proofs, second tries, forgetting."""

from __future__ import annotations

import logging
import zlib
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from alerts.assets import refresh_groups
from alerts.blind_spots import check_sources, is_check_due
from alerts.feed import SOURCE, forget_old_polls
from alerts.incidents import SOURCE as INCIDENTS
from alerts.ledger import try_failed_again
from alerts.links import forget_old_sources
from alerts.reconcile import reconcile
from clients.errors import ApiError
from clients.throttle import Priority, at_priority
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.pipeline import active_tenant, after_ingest, lane
from csc_portal.standing import note_credential, note_sources
from csc_portal.web.sessions import SessionStore
from tenants.directories import BadSecret, graph_for, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

KEEP_POLLS = timedelta(days=7)


@shared_task(time_limit=600, soft_time_limit=540)
def tidy() -> None:
    """Hourly, a task for each tenant, spread over the hour. And sessions that are over go."""
    SessionStore.clear_expired()
    for tenant in Tenant.objects.filter(state=Tenant.State.ACTIVE):
        tend.apply_async((tenant.pk,), queue=lane(tenant, "maintenance"), countdown=_phase(tenant))


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POSTURE)
def tend(tenant_id: int) -> None:
    """Prove that what was read is complete, try again what was set aside, forget what is old."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    now = timezone.now()
    with scope(tenant):
        for source in (SOURCE, INCIDENTS):
            try_failed_again(source, now)
        forget_old_sources(now)
    forget_old_polls(tenant, now - KEEP_POLLS)
    note_sources(tenant)
    note_credential(tenant)
    _refresh_groups_daily(tenant, now)
    plan_finding_tickets(tenant)
    _check_sources_weekly(tenant, now)
    _reconcile(tenant, now)


def _reconcile(tenant: Tenant, now: datetime) -> None:
    try:
        found = reconcile(tenant, graph_for(tenant), pseudonymiser_for(tenant), now)
    except (ApiError, BadSecret) as err:
        logger.warning("not reconciled tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
        return
    if found is not None and found.read.new + found.read.updated:
        after_ingest(tenant, found.content, patience_s=0)


def _refresh_groups_daily(tenant: Tenant, now: datetime) -> None:
    """Who is a VIP follows the customer's own groups."""
    try:
        refresh_groups(tenant, graph_for(tenant), pseudonymiser_for(tenant), now)
    except (ApiError, BadSecret) as err:
        logger.warning("groups not refreshed tenant_id=%s kind=%s", tenant.pk, type(err).__name__)


def _check_sources_weekly(tenant: Tenant, now: datetime) -> None:
    """What can be read changes when a customer buys a licence or takes a permission back."""
    if not is_check_due(tenant, now):
        return
    try:
        check_sources(tenant, graph_for(tenant), now)
    except (ApiError, BadSecret) as err:
        logger.warning("sources not checked tenant_id=%s kind=%s", tenant.pk, type(err).__name__)


def _phase(tenant: Tenant) -> float:
    """Seconds into the hour, the same every time: nobody's turn comes with everybody's."""
    return zlib.crc32(tenant.pk.to_bytes(8, "big")) % 3600
