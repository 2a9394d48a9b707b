"""Reads tenants' Secure Score daily, each at an hour of its own, and counts how similar ones fare.

start_scores -> score_tenant -> the tenant's rows, its standing in the list of all tenants
count_bands: daily, of all tenants, anonymous
"""

from __future__ import annotations

import logging
import zlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from alerts.blind_spots import note_abilities
from clients.errors import ApiError, Forbidden, RateLimited
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.pipeline import active_tenant, lane
from csc_portal.turns import SCORE, turn
from posture.scores import band
from posture.secure_score import SOURCE, Read, read_secure_score
from tenants.directories import BadSecret, graph_for
from tenants.models import ScoreBand, Tenant

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)
AFTER_FAULT = timedelta(hours=1)
AFTER_LIMIT = timedelta(minutes=2)
"""Alerts and scores share a limit, and alerts go first; that is over as soon as they are read."""
STUCK_AFTER = timedelta(minutes=20)
"""A read that was asked for and not noted as done by then is asked for again."""
STALE_AFTER = timedelta(days=7)
"""Who was not read for so long counts in no comparison."""
MISSING = (
    "The Secure Score can't be read: the app has no SecurityEvents.Read.All, or the customer's "
    "admin has not consented to it. It is asked for again tomorrow."
)
FAULT = "Microsoft could not be asked the last time; it is tried again within the hour."
LIMIT = "Alerts were read first, up to Microsoft's limit; the score's turn is in some minutes."


@dataclass(slots=True)
class ScoreRun:
    """What became of one read. `noted`: what is missing, but no fault."""

    read: Read
    error: str = ""
    noted: str = ""


def run_score(tenant: Tenant, now: datetime) -> ScoreRun:
    """Read the score once, and note how it stands and when it is read next.

    A missing permission is noted with the source, and asked for again tomorrow only.
    """
    run = ScoreRun(Read())
    if not tenant.reads(SOURCE):
        _note(tenant, now + EVERY)
        run.noted = "The Secure Score is switched off for this tenant."
        return run
    try:
        run.read = read_secure_score(tenant, graph_for(tenant), now)
    except Forbidden as err:
        note_abilities(tenant, [(SOURCE, err)], now)
        run.noted = MISSING
        _note(tenant, _tomorrow(tenant, now), problem=run.noted)
    except (ApiError, BadSecret) as err:
        run.error = str(err)
        logger.warning("score not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
        is_limit = isinstance(err, RateLimited)
        told = timedelta(seconds=getattr(err, "retry_after_s", None) or 0)
        wait = max(told, AFTER_LIMIT if is_limit else AFTER_FAULT)
        _note(tenant, now + wait, problem=LIMIT if is_limit else FAULT)
    else:
        note_abilities(tenant, [(SOURCE, None)], now)
        Tenant.objects.filter(pk=tenant.pk).update(
            score_read_at=now,
            score_percent=run.read.percent,
            score_standing=run.read.standing,
            next_score_at=_tomorrow(tenant, now),
        )
        plan_finding_tickets(tenant)
    return run


def _note(tenant: Tenant, next_at: datetime, *, problem: str = "") -> None:
    """What was known of the score stays; why it grows old is said beside it."""
    Tenant.objects.filter(pk=tenant.pk).update(
        next_score_at=next_at,
        score_standing={**tenant.score_standing, "problem": problem[:300]},
    )


def _tomorrow(tenant: Tenant, now: datetime) -> datetime:
    """The tenant's own second of the day: nobody's turn comes with everybody's."""
    phase = timedelta(seconds=zlib.crc32(tenant.pk.to_bytes(8, "big")) % 86_400)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + phase
    # At least half a day apart: after a read by hand the next turn is left out.
    while at < now + EVERY / 2:
        at += EVERY
    return at


@shared_task(time_limit=60, soft_time_limit=50)
def start_scores() -> None:
    """Start the read of every tenant that is due, each once. Empty: never read, so at once."""
    now = timezone.now()
    tenants = due("next_score_at", now, new=50, late=200)
    for tenant in claimed(tenants, "next_score_at", now + STUCK_AFTER):
        score_tenant.apply_async((tenant.pk,), queue=lane(tenant, "maintenance"))


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POSTURE)
def score_tenant(tenant_id: int) -> None:
    """Read one tenant's score, unless somebody does just now."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    with turn(tenant.pk, SCORE) as is_ours:
        if is_ours:
            run_score(tenant, timezone.now())


@shared_task(time_limit=300, soft_time_limit=280)
def count_bands() -> None:
    """How tenants of one size fare. Bands that became too small are forgotten."""
    now = timezone.now()
    percents: dict[str, list[float]] = defaultdict(list)
    rows = Tenant.objects.filter(
        state=Tenant.State.ACTIVE, score_percent__isnull=False, score_read_at__gte=now - STALE_AFTER
    )
    for percent, name in rows.values_list("score_percent", "score_standing__band"):
        if name:
            percents[name].append(percent)
    found = [one for name, values in percents.items() if (one := band(name, values))]
    with transaction.atomic():
        ScoreBand.objects.exclude(name__in=[one.name for one in found]).delete()
        ScoreBand.objects.bulk_create(
            [
                ScoreBand(
                    name=one.name, members=one.members, lower=one.lower, middle=one.middle,
                    upper=one.upper, counted_at=now,
                )
                for one in found
            ],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["members", "lower", "middle", "upper", "counted_at"],
        )  # fmt: skip
