"""What follows what. The one place that knows the order of the stages.

    start_due -> poll_tenant -> (ingest, cases) -> judge -> plan deliveries -> deliver
    sweep: whatever stands still is started again, from what Postgres says

A task opens nothing bigger than one tenant and carries only its id. What is found out about cases
and decided stands between them and the deliveries, in `after_ingest`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from alerts.feed import (
    Content,
    quarantined_ids,
    read_alerts,
    take_documents,
)
from alerts.incidents import SOURCE as INCIDENTS
from alerts.incidents import is_due, read_incidents
from alerts.ingest import Counts
from alerts.models import Poll
from clients.errors import ApiError, Forbidden
from clients.microsoft.security import alerts_by_id
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.judgement import judge
from csc_portal.outcome_due import note_due
from csc_portal.standing import note_failure, note_success
from csc_portal.turns import turn
from tenants.directories import BadSecret, graph_for, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope
from ticketing.connections import connect, connect_by_pillar
from ticketing.dispatch import Outlet, Sent, dispatch, next_due
from ticketing.plan import plan_deliveries

logger = logging.getLogger(__name__)

STUCK_AFTER = timedelta(minutes=2)
"""A poll that was asked for and not begun by then is asked for again: its message may be lost."""
BUSY_FOR = timedelta(seconds=10)
HINTED_POLLS_APART = timedelta(seconds=5)


class Unforeseen(RuntimeError):
    """Stands for an error on a tenant's row, whose own text could quote a document."""


@dataclass(slots=True)
class Run:
    """What one pass of the pipeline did for a tenant. `noted`: what is missing, but no fault."""

    counts: Counts = field(default_factory=Counts)
    sent: Sent = field(default_factory=Sent)
    error: str = ""
    noted: str = ""


def run_tenant(
    tenant: Tenant,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    incidents: bool | None = None,
    patience_s: float = 0,
) -> Run:
    """The whole pipeline once. `patience_s`: see `send_deliveries`.

    `incidents`: whether to follow merges of incidents, too; None: when that is worth it.
    """
    content: Content = {}
    run = Run()
    tenant.poll_began_at = timezone.now()
    try:
        run.counts = read_alerts(
            tenant,
            graph_for(tenant),
            pseudonymiser_for(tenant),
            since=since,
            until=until,
            keep=content.update,
        )
    except (ApiError, BadSecret) as err:
        run.error = str(err)
        note_failure(tenant, err)
    else:
        if _wants_incidents(tenant, run) if incidents is None else incidents:
            run.counts.updated += _follow_merges(tenant, run, since, until).updated
        note_success(tenant)
    run.sent = after_ingest(tenant, content, patience_s, run.counts)
    return run


def run_window(tenant: Tenant, window: Poll, *, patience_s: float = 0) -> Run:
    """The pipeline on what a window of the ledger covers, of its source, once more."""
    read = run_incidents if window.source == INCIDENTS else run_tenant
    return read(tenant, since=window.since, until=window.until, patience_s=patience_s)


def run_incidents(
    tenant: Tenant,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    patience_s: float = 0,
) -> Run:
    """Follow merges of incidents alone."""
    run = Run()
    run.counts = _follow_merges(tenant, run, since, until)
    run.sent = after_ingest(tenant, {}, patience_s, run.counts)
    return run


def _wants_incidents(tenant: Tenant, run: Run) -> bool:
    if not tenant.reads(INCIDENTS):
        return False
    with scope(tenant):
        return is_due(timezone.now(), changed=run.counts.new + run.counts.updated > 0)


def _follow_merges(
    tenant: Tenant, run: Run, since: datetime | None, until: datetime | None
) -> Counts:
    """A missing permission is only noted; other faults leave the window for the next time."""
    try:
        return read_incidents(tenant, graph_for(tenant), since=since, until=until)
    except Forbidden as err:
        run.noted = str(err)
    except (ApiError, BadSecret) as err:
        run.error = str(err)
        logger.warning("incidents not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
    return Counts()


def run_documents(
    tenant: Tenant, documents: Iterable[list[object]], *, patience_s: float = 0
) -> Run:
    """The pipeline on documents from elsewhere (an export, a replay), page by page."""
    content: Content = {}
    run = Run()
    pseudonymiser = pseudonymiser_for(tenant)
    for page in documents:
        counts, _ = take_documents(tenant, page, pseudonymiser, content.update)
        run.counts += counts
    run.sent = after_ingest(tenant, content, patience_s, run.counts)
    return run


def run_ids(tenant: Tenant, ids: Iterable[str]) -> Run:
    """The pipeline on the alerts named, read by $batch. What can't be read, a poll will read."""
    content: Content = {}
    run, errors = Run(), list[Exception]()
    try:
        found = alerts_by_id(graph_for(tenant), ids)
        documents = [one for one in found.values() if not isinstance(one, ApiError)]
        run.counts, _ = take_documents(tenant, documents, pseudonymiser_for(tenant), content.update)
        errors += [one for one in found.values() if isinstance(one, ApiError)]
    except (ApiError, BadSecret) as err:
        errors.append(err)
    if errors:
        run.error = str(errors[0])
        logger.warning("alerts not read by id tenant_id=%s count=%d", tenant.pk, len(errors))
        waits = [getattr(err, "retry_after_s", None) or 0 for err in errors]
        poll_at_once(tenant, timedelta(seconds=max(waits)))
    run.sent = after_ingest(tenant, content, 0, run.counts)
    return run


def after_ingest(
    tenant: Tenant,
    content: Content,
    patience_s: float,
    counts: Counts | None = None,
    *,
    is_due: bool = False,
) -> Sent:
    """Judge what is new, plan what is owed, then send it. `counts`: gets what was closed.

    `is_due`: also find out what falls due by itself; so does a command, which somebody waits for.
    """
    decided = judge(tenant, content, timezone.now(), is_due=is_due, patience_s=patience_s)
    if counts is not None:
        counts.closed += decided.ended
    note_due(tenant)
    if not _has_ticketing(tenant):
        return Sent()
    Tenant.objects.filter(pk=tenant.pk).update(next_delivery_at=timezone.now())
    with scope(tenant):
        plan_deliveries()
    return send_deliveries(tenant, content, patience_s=patience_s)


def send_deliveries(
    tenant: Tenant, content: Content | None = None, *, patience_s: float = 0
) -> Sent:
    """Send what is due, and note when the next is.

    With patience (somebody is waiting in the foreground) what waits for a retry is tried at once,
    and a limit of the ticket system is waited for, so many seconds in all.
    """
    if not _has_ticketing(tenant):
        return Sent()
    try:
        outlet = _outlet(tenant)
    except ApiError as err:
        return Sent(failed=1, error=str(err))
    total, left = Sent(), patience_s
    # Nothing competes with a ticket for its system's limit: no poll's small share for it.
    priority = Priority.PERSON if patience_s else Priority.RETRY
    while True:
        with at_priority(priority):
            sent = dispatch(outlet, content or {}, timezone.now, at_once=patience_s > 0)
        total.tickets += sent.tickets
        total.notes += sent.notes
        total.updates += sent.updates
        total.failed += sent.failed
        total.error = sent.error or total.error
        if not sent.wait_s or sent.wait_s > left:
            break
        left -= sent.wait_s
        time.sleep(sent.wait_s)
    if sent.wait_s and patience_s:
        total.error = "The ticket system's limit is used up; the rest goes out by itself."
    with scope(tenant):
        next_at = next_due()
    Tenant.objects.filter(pk=tenant.pk).update(next_delivery_at=next_at)
    return total


def _has_ticketing(tenant: Tenant) -> bool:
    ticketing = getattr(tenant, "ticketing", None)
    return ticketing is not None and ticketing.is_enabled


def _outlet(tenant: Tenant) -> Outlet:
    ticketing = tenant.ticketing
    return Outlet(
        tenant,
        graph_for(tenant),
        ticketing.system,
        connect(ticketing),
        settings.PORTAL_URL,
        ticketing.mapping,
        connect_by_pillar(ticketing),
    )


# --- tasks ----------------------------------------------------------------------------------------


@shared_task(time_limit=60, soft_time_limit=50)
def start_due() -> None:
    """Start a poll of every tenant that is due, each once."""
    now = timezone.now()
    tenants = due("next_poll_at", now, new=500, late=500)
    for tenant in claimed(tenants, "next_poll_at", now + STUCK_AFTER):
        poll_tenant.apply_async((tenant.pk, now.isoformat()), queue=lane(tenant, "ingest"))


def poll_at_once(tenant: Tenant, wait: timedelta = timedelta()) -> None:
    """Make the tenant's poll due now, or after `wait`. One that fails keeps its own wait."""
    at = timezone.now() + wait
    if tenant.polled_at is not None:
        at = max(at, tenant.polled_at + HINTED_POLLS_APART)
    Tenant.objects.filter(pk=tenant.pk, failures=0).update(next_poll_at=at)


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POLL)
def poll_tenant(tenant_id: int, asked_at: str = "") -> None:
    """Read what is new, make cases of it, send their tickets.

    `asked_at` (ISO 8601): the message is void if a poll began and ended since. It comes twice when
    it had to wait for long in a full queue.
    """
    tenant = active_tenant(tenant_id)
    if tenant is None or _was_polled_since(tenant, asked_at):
        return
    with turn(tenant.pk) as is_ours:
        if is_ours:
            _poll(tenant)
        else:  # a long read is under way; what it misses is read after it
            at = timezone.now() + BUSY_FOR
            Tenant.objects.filter(pk=tenant.pk).update(next_poll_at=at)


def _poll(tenant: Tenant) -> None:
    """What nobody foresaw is shown on the row like every other failure, then raised."""
    try:
        run_tenant(tenant)
    except Exception as err:
        connection.close_if_unusable_or_obsolete()
        note_failure(tenant, Unforeseen(f"An error of the portal itself ({type(err).__name__})."))
        raise


def _was_polled_since(tenant: Tenant, asked_at: str) -> bool:
    began = tenant.poll_began_at
    return bool(asked_at and began and began >= datetime.fromisoformat(asked_at))


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.RETRY)
def deliver(tenant_id: int) -> None:
    """Send the tenant's waiting tickets and notes."""
    tenant = active_tenant(tenant_id)
    if tenant is not None:
        send_deliveries(tenant)


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.PERSON)
def replay_quarantined(tenant_id: int) -> None:
    """Read the documents that could not be read again, by their ids."""
    tenant = active_tenant(tenant_id)
    if tenant is not None:
        with scope(tenant):
            ids = quarantined_ids()
        run_ids(tenant, ids)


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.PERSON)
def replay_window(tenant_id: int, window_id: int) -> None:
    """Read what a window covers once more, because a person asked for it."""
    tenant = active_tenant(tenant_id)
    if tenant is not None:
        with scope(tenant):
            window = Poll.objects.filter(pk=window_id).first()
        if window is not None:
            run_window(tenant, window)


@shared_task(time_limit=60, soft_time_limit=50)
def sweep() -> None:
    """Start what stands still: deliveries whose worker died, whose wait is over, or were lost."""
    now = timezone.now()
    tenants = due("next_delivery_at", now, late=500)
    for tenant in claimed(tenants, "next_delivery_at", now + STUCK_AFTER):
        deliver.apply_async((tenant.pk,), queue=lane(tenant, "tickets"))


def active_tenant(tenant_id: int) -> Tenant | None:
    """With its ticket connection; None for one that is paused or gone."""
    tenants = Tenant.objects.select_related("ticketing")
    return tenants.filter(pk=tenant_id, state=Tenant.State.ACTIVE).first()


def lane(tenant: Tenant, queue: str) -> str:
    """Tenants that fail or hang have a queue of their own."""
    return "slow" if tenant.is_failing else queue
