"""Reads tenants' weaknesses daily, and compares them with what attackers use.

start_weaknesses -> weakness_tenant -> the tenant's rows, its finding, counts for the list of all
match_tenants: after the public lists have changed
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from alerts.blind_spots import note_abilities, state_of
from alerts.models import SourceAbility
from clients.errors import ApiError, RateLimited
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.pipeline import active_tenant, lane
from csc_portal.turns import WEAKNESSES, turn
from posture.models import WeaknessRead
from posture.threats import Exposure, settle_exposure
from posture.weaknesses import Reading, read_weaknesses
from tenants.directories import BadSecret, defender_for
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

SOURCE = "weaknesses"
EVERY = timedelta(days=1)
AFTER_FAULT = timedelta(hours=1)
AFTER_LIMIT = timedelta(minutes=1)
STUCK_AFTER = timedelta(minutes=20)
"""A read that was asked for and not noted as done by then is asked for again."""
MISSING = (
    "Weaknesses can't be read: the app has no Vulnerability.Read.All of WindowsDefenderATP, or the "
    "customer's admin has not consented to it. It is asked for again tomorrow."
)
UNLICENSED = (
    "The directory has no Defender Vulnerability Management: it takes Microsoft Defender for "
    "Endpoint Plan 2 or the add-on. It is asked for again tomorrow."
)
FAULT = "Microsoft Defender could not be asked the last time; it is tried again within the hour."
State = SourceAbility.State


@dataclass(slots=True)
class WeaknessRun:
    """What became of one read. `noted`: what is missing, but no fault."""

    reading: Reading
    exposure: Exposure
    error: str = ""
    noted: str = ""


def run_weaknesses(tenant: Tenant, now: datetime) -> WeaknessRun:
    """Read once, settle the finding, note counts and when it is read next."""
    run = WeaknessRun(Reading(), Exposure())
    if not tenant.reads(SOURCE):
        _note(tenant, now + EVERY)
        run.noted = "Weaknesses are switched off for this tenant."
        return run
    try:
        run.reading = read_weaknesses(tenant, defender_for(tenant), now)
    except (ApiError, BadSecret) as err:
        _take_fault(tenant, run, err, now)
    else:
        note_abilities(tenant, [(SOURCE, None)], now)
        run.exposure = _settle(tenant, now, read_at=now)
        _note(tenant, _tomorrow(tenant, now))
    return run


def _take_fault(tenant: Tenant, run: WeaknessRun, err: Exception, now: datetime) -> None:
    """What was known stays; why it grows old is said beside it."""
    state = state_of(err) if isinstance(err, ApiError) else State.UNKNOWN
    if isinstance(err, ApiError) and state in (State.NO_PERMISSION, State.NO_LICENCE):
        note_abilities(tenant, [(SOURCE, err)], now)
        run.noted = UNLICENSED if state == State.NO_LICENCE else MISSING
        _note(tenant, _tomorrow(tenant, now), problem=run.noted)
        return
    run.error = str(err)
    logger.warning("weaknesses not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
    told = timedelta(seconds=getattr(err, "retry_after_s", None) or 0)
    if isinstance(err, RateLimited):  # a long list goes on where it was, as the limits allow
        _note(tenant, now + max(told, AFTER_LIMIT))
    else:
        _note(tenant, now + max(told, AFTER_FAULT), problem=FAULT)


def _settle(tenant: Tenant, now: datetime, *, read_at: datetime | None = None) -> Exposure:
    with scope(tenant):
        found = settle_exposure(now)
    before = {name: tenant.weaknesses.get(name) for name in ("read_at", "problem")}
    told = {"read_at": read_at.isoformat()} if read_at else before
    Tenant.objects.filter(pk=tenant.pk).update(weaknesses={**found.as_json(), **told})
    plan_finding_tickets(tenant)
    return found


def _note(tenant: Tenant, next_at: datetime, *, problem: str = "") -> None:
    changes: dict[str, object] = {"next_weakness_at": next_at}
    if problem:
        changes["weaknesses"] = {**tenant.weaknesses, "problem": problem[:300]}
    Tenant.objects.filter(pk=tenant.pk).update(**changes)


def _tomorrow(tenant: Tenant, now: datetime) -> datetime:
    """The tenant's own second of the day, at least half a day from now."""
    phase = timedelta(seconds=zlib.crc32(b"weak%d" % tenant.pk) % 86_400)
    at = now.replace(hour=0, minute=0, second=0, microsecond=0) + phase
    while at < now + EVERY / 2:
        at += EVERY
    return at


@shared_task(time_limit=60, soft_time_limit=50)
def start_weaknesses() -> None:
    """Start the read of every tenant that is due, each once. Empty: never read, so at once."""
    now = timezone.now()
    tenants = due("next_weakness_at", now, new=20, late=100)
    for tenant in claimed(tenants, "next_weakness_at", now + STUCK_AFTER):
        weakness_tenant.apply_async((tenant.pk,), queue=lane(tenant, "maintenance"))


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POSTURE)
def weakness_tenant(tenant_id: int) -> None:
    """Read one tenant's weaknesses, unless somebody does just now."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    with turn(tenant.pk, WEAKNESSES) as is_ours:
        if is_ours:
            run_weaknesses(tenant, timezone.now())


@shared_task(time_limit=900, soft_time_limit=840)
def match_tenants() -> None:
    """Compare every tenant's weaknesses anew: what attackers use has changed."""
    now = timezone.now()
    active = Tenant.objects.filter(state=Tenant.State.ACTIVE).order_by("pk")
    for tenant_id in active.values_list("pk", flat=True):
        with turn(tenant_id, WEAKNESSES) as is_ours:
            # Else its reading is under way, and ends with the same. What is known of it is looked
            # up in its turn, for much may have been read since this task began.
            tenant = active_tenant(tenant_id) if is_ours else None
            if tenant is not None and tenant.weaknesses.get("read_at"):
                _match(tenant, now)


def _match(tenant: Tenant, now: datetime) -> None:
    """One tenant's fault stops no other."""
    try:
        with scope(tenant):
            is_whole = WeaknessRead.objects.filter(is_complete=True).exists()
        if is_whole:
            _settle(tenant, now)
    except DatabaseError:
        logger.exception("weaknesses not compared tenant_id=%s", tenant.pk)
