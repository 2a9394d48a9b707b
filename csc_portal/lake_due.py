"""When tenants' lakes are written: hourly, each at a minute of its own.

start_lakes -> lake_tenant -> a window of the lake, the tenant's figures
"""

from __future__ import annotations

import logging
import zlib
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone
from pyarrow import ArrowException

from csc_portal.claims import claimed, due
from csc_portal.figures import count_figures
from csc_portal.lake_run import LakeOfAnotherLife, export, lake_store
from csc_portal.pipeline import active_tenant, lane
from csc_portal.turns import LAKE, turn
from lake.manifest import DamagedLake
from lake.reader import BadQuery
from lake.store import BadLakeUrl
from tenants.models import Tenant

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
AFTER_FAULT = timedelta(minutes=10)
STUCK_AFTER = timedelta(minutes=20)
"""A run that was asked for and not noted as done by then is asked for again."""
FAULTS = (OSError, ArrowException, BadLakeUrl, BadQuery, DamagedLake, LakeOfAnotherLife)


@shared_task(time_limit=60, soft_time_limit=50)
def start_lakes() -> None:
    """Start every tenant that is due, each once. Empty: never written, so at once."""
    now = timezone.now()
    tenants = due("next_lake_at", now, new=50, late=200)
    for tenant in claimed(tenants, "next_lake_at", now + STUCK_AFTER):
        lake_tenant.apply_async((tenant.pk,), queue=lane(tenant, "maintenance"))


@shared_task(time_limit=900, soft_time_limit=840)
def lake_tenant(tenant_id: int) -> None:
    """Write one tenant's window and count its figures, unless somebody does just now."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    with turn(tenant.pk, LAKE) as is_ours:
        if is_ours:
            run_lake(tenant, timezone.now())


def run_lake(tenant: Tenant, now: datetime) -> None:
    """A fault is logged by its kind and tried again soon; the pages say how far the lake is."""
    next_at = _next_hour(tenant, now)
    try:
        store = lake_store()
        done = export(tenant, store)
        if done.is_behind:
            next_at = now
        elif done.rows or done.is_new_day:
            count_figures(tenant, store, done.until)
    except FAULTS as err:
        logger.warning("lake not written tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
        next_at = now + AFTER_FAULT
    Tenant.objects.filter(pk=tenant.pk).update(next_lake_at=next_at)


def _next_hour(tenant: Tenant, now: datetime) -> datetime:
    """The tenant's own second of the hour: nobody's turn comes with everybody's."""
    phase = timedelta(seconds=zlib.crc32(tenant.pk.to_bytes(8, "big")) % 3600)
    at = now.replace(minute=0, second=0, microsecond=0) + phase
    while at < now + EVERY / 2:
        at += EVERY
    return at
