"""The stage between cases and tickets: find out, then decide.

`Tenant.next_judgement_at` says when something falls due by itself: facts to be asked again, a
watch, a snooze or a wait that ends. `csc_portal.judge_due` has the tasks that obey it.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.utils import timezone

from alerts import enrich
from alerts.decide import Decided, decide, next_due
from alerts.feed import Content
from alerts.rejudge import judge_again
from alerts.watch import run_watches
from clients.errors import ApiError
from tenants.directories import BadSecret, graph_for, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

HURRY_S = 1.0
"""A worker waits no longer for the small limit of the sign-in log: others are behind it. The rest
is asked by `judge_due` when the limit allows more."""
LONGEST_WAIT_S = 30.0
PAUSE_S = 1.0
SOON = timedelta(seconds=15)
"""What is due later waits for a log that lags, not for the limit of our own."""


def judge(
    tenant: Tenant,
    content: Content,
    now: datetime,
    *,
    is_due: bool = False,
    patience_s: float = 0,
) -> Decided:
    """Facts about what is new, then the decisions. `content`: alerts that are in memory.

    `is_due`: also ask again what falls due by itself, and watch; polls must not wait for that. What
    could not be found out closes nothing, and is asked for again. With patience (somebody waits in
    the foreground) this is done here, too, as long as cases wait for it with their tickets.
    """
    if content or is_due or patience_s:
        began = time.monotonic()
        _find_out(tenant, content, now, is_due=is_due or patience_s > 0, patience_s=patience_s)
        # A decision is dated when it is made: another worker's may have come first meanwhile.
        now += timedelta(seconds=time.monotonic() - began)
    decided = decide(tenant, now)
    until = time.monotonic() + min(patience_s, LONGEST_WAIT_S)
    while time.monotonic() < until and _is_awaited(tenant):
        time.sleep(PAUSE_S)
        now = timezone.now()
        _find_out(tenant, content, now, is_due=True, patience_s=patience_s)
        decided += decide(tenant, now)
    note_next(tenant, now)
    return decided


def _is_awaited(tenant: Tenant) -> bool:
    with scope(tenant):
        return enrich.awaited(timezone.now() + SOON)


def _find_out(
    tenant: Tenant, content: Content, now: datetime, *, is_due: bool, patience_s: float
) -> None:
    try:
        graph, pseudonymiser = graph_for(tenant), pseudonymiser_for(tenant)
    except (ApiError, BadSecret) as err:
        logger.warning("nothing found out tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
        return
    wait_s = min(max(patience_s, HURRY_S), enrich.PATIENCE_S)
    enriched = enrich.enrich(tenant, graph, pseudonymiser, content, now, patience_s=wait_s)
    if enriched.cases:
        with scope(tenant):
            judge_again(enriched.cases)
    if is_due:
        run_watches(tenant, graph, pseudonymiser, now)


def note_next(tenant: Tenant, now: datetime) -> None:
    """Write down when the tenant is to be looked at again without news."""
    with scope(tenant):
        times = (next_due(now), enrich.next_due())
    due = min((at for at in times if at is not None), default=None)
    Tenant.objects.filter(pk=tenant.pk).update(next_judgement_at=due)
