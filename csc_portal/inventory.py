"""Reads tenants' Azure resources: all of them daily, what has changed every few hours.

start_inventories -> inventory_tenant -> the tenant's rows, findings, its counts for the list of all
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from clients.errors import ApiError
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.pipeline import active_tenant, lane
from csc_portal.turns import INVENTORY, turn
from posture.findings import Settled
from posture.inventory import Reading, read_all, read_changes
from posture.models import Exemption, InventoryRead, WatchRule
from posture.tally import Tally, keep_states, new_since, settle_coverage, tally
from tenants.directories import BadSecret, arm_for, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

SOURCE = "inventory"
FULL_EVERY = timedelta(hours=24)
CHANGES_EVERY = timedelta(hours=2)
AFTER_FAULT = timedelta(hours=1)
STUCK_AFTER = timedelta(minutes=20)
"""A read that was asked for and not noted as done by then is asked for again."""
SPREAD_S = 3600
"""A full read may come so much earlier, so that not all tenants' come together."""


@dataclass(slots=True)
class InventoryRun:
    """What became of one read. `noted`: why nothing was read, though that is no fault."""

    reading: Reading
    settled: Settled
    tally: Tally | None = None
    error: str = ""
    noted: str = ""


def run_inventory(tenant: Tenant, now: datetime, *, is_full: bool = False) -> InventoryRun:
    """Read once, by changes if those suffice; settle findings, note counts and when it is next."""
    run = InventoryRun(Reading(), Settled())
    if not tenant.reads(SOURCE):
        _note(tenant, now + FULL_EVERY)
        run.noted = "Azure is switched off for this tenant."
        return run
    # Taken: who sets it to None from now on means another read.
    taken = Tenant.objects.filter(pk=tenant.pk, next_inventory_at=None)
    taken.update(next_inventory_at=now + STUCK_AFTER)
    try:
        run.reading = _read(tenant, now, is_full)
    except (ApiError, BadSecret) as err:
        run.reading.problem = str(err)
        logger.warning("inventory not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
    run.error = run.reading.problem
    with scope(tenant):
        if run.reading.is_complete:  # what was read by half closes and opens nothing
            run.settled = settle_coverage(now)
        run.tally = tally(new_since(now))
        if run.reading.is_complete:
            keep_states(run.tally)
        soonest = Exemption.objects.filter(until__gt=now).values_list("until", flat=True).first()
    read_at = now.isoformat() if run.reading.is_complete else tenant.coverage.get("read_at")
    counts = {**run.tally.as_json(), "problem": run.error[:300], "read_at": read_at}
    at = now + (CHANGES_EVERY if run.reading.is_complete else AFTER_FAULT)
    _note(tenant, min(at, soonest) if soonest else at, counts)
    plan_finding_tickets(tenant)
    return run


def _read(tenant: Tenant, now: datetime, is_full: bool) -> Reading:
    arm, pseudonymiser = arm_for(tenant), pseudonymiser_for(tenant)
    if not is_full and not is_full_due(tenant, now):
        found = read_changes(tenant, arm, pseudonymiser, now)
        if found is not None:
            return found
    return read_all(tenant, arm, pseudonymiser, now)


def is_full_due(tenant: Tenant, now: datetime) -> bool:
    """Daily, at a time of the tenant's own; at once after a change of the rule or an exemption."""
    if tenant.next_inventory_at is None:
        return True
    early = timedelta(seconds=zlib.crc32(tenant.pk.to_bytes(8, "big")) % SPREAD_S)
    with scope(tenant):
        last = InventoryRead.objects.filter(is_full=True, is_complete=True).first()
        if last is None or last.began_at <= now - FULL_EVERY + early:
            return True
        # Also if the read that was to follow at once was lost or came to no end.
        if WatchRule.objects.filter(changed_at__gt=last.began_at).exists():
            return True
        # What is exempt no more is judged anew; only a full read asks for its tags.
        return Exemption.objects.filter(until__gt=last.began_at, until__lte=now).exists()


def read_soon(tenant: Tenant) -> None:
    """The rule or an exemption changed: everything is judged anew."""
    Tenant.objects.filter(pk=tenant.pk).update(next_inventory_at=None)


def _note(tenant: Tenant, next_at: datetime, counts: dict[str, object] | None = None) -> None:
    """A change of the rule while it was read wins: it has set the time to None."""
    rows = Tenant.objects.filter(pk=tenant.pk)
    if counts is not None:
        rows.update(coverage=counts)
    rows.exclude(next_inventory_at=None).update(next_inventory_at=next_at)


@shared_task(time_limit=60, soft_time_limit=50)
def start_inventories() -> None:
    """Start the read of every tenant that is due, each once. Empty: never read, so at once."""
    now = timezone.now()
    tenants = due("next_inventory_at", now, new=20, late=100)
    for tenant in claimed(tenants, "next_inventory_at", now + STUCK_AFTER):
        words = (tenant.pk, tenant.next_inventory_at is None)
        inventory_tenant.apply_async(words, queue=lane(tenant, "maintenance"))


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POSTURE)
def inventory_tenant(tenant_id: int, is_full: bool = False) -> None:
    """Read one tenant's Azure, unless somebody does just now."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    with turn(tenant.pk, INVENTORY) as is_ours:
        if is_ours:
            run_inventory(tenant, timezone.now(), is_full=is_full)
