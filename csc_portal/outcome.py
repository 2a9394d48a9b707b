"""Carries outcomes both ways: case -> Microsoft and ticket, ticket -> case.

    ticket webhook -> Redis -> start_outcomes -> carry
    triage, decisions -> Case.version -> start_outcomes, or the next poll -> carry
    carry: tickets are read, Microsoft is told, tickets are told

One worker at a time carries a tenant's outcomes, so that a change can't be taken for its own echo.
The lock ends with its holder; everything can be killed and done again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import redis
from celery import shared_task
from django.utils import timezone

from alerts.outbox import plan_write_backs
from alerts.writeback import Written, next_due, send_write_backs
from clients.errors import ApiError
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.hints import TICKETS, hints
from csc_portal.pipeline import active_tenant, lane, send_deliveries
from csc_portal.turns import OUTCOME, turn
from tenants.directories import BadSecret, graph_for, pseudonymiser_for
from tenants.models import Tenant, TicketConnection, User
from tenants.scope import scope
from ticketing.connections import connect
from ticketing.dispatch import Sent
from ticketing.endings import read_endings
from ticketing.plan import plan_deliveries
from ticketing.sync import Synced, pause, sync_tickets

logger = logging.getLogger(__name__)

LOST_AFTER = timedelta(minutes=2)
"""A task that was asked for and not noted as done by then is asked for again."""
TURN_S = 0.2
FAULTS = (ApiError, BadSecret)


@dataclass(slots=True)
class Carried:
    """What one pass did for a tenant."""

    written: Written = field(default_factory=Written)
    synced: Synced = field(default_factory=Synced)
    sent: Sent = field(default_factory=Sent)
    error: str = ""

    @property
    def failed(self) -> int:
        return self.written.failed + self.sent.failed + bool(self.error)

    @property
    def problem(self) -> str:
        return self.error or self.written.error or self.sent.error


def carry_outcome(
    tenant: Tenant,
    *,
    patience_s: float = 0,
    read_tickets: bool | None = None,
    deliver: bool = False,
) -> Carried:
    """One pass. With patience (somebody waits in the foreground) also what waits for a retry.

    `read_tickets`: None: if their turn has come. `deliver`: whatever waits for the ticket system,
    not only what follows from this pass.
    """
    deadline = time.monotonic() + patience_s
    while True:
        with turn(tenant.pk, OUTCOME) as is_ours:
            if is_ours:
                return _carry(tenant, patience_s, read_tickets, deliver=deliver)
        if time.monotonic() >= deadline:
            return Carried()
        time.sleep(TURN_S)


def _carry(
    tenant: Tenant, patience_s: float, read_tickets: bool | None, *, deliver: bool
) -> Carried:
    carried = Carried()
    connection = ticketing_of(tenant)
    if connection is not None and (_is_due(connection) if read_tickets is None else read_tickets):
        _read_tickets(tenant, connection, carried)
    with scope(tenant):
        plan_write_backs()
    try:
        carried.written = send_write_backs(
            tenant,
            graph_for(tenant),
            pseudonymiser_for(tenant),
            timezone.now,
            addresses_of,
            at_once=patience_s > 0,
        )
    except FAULTS as err:
        carried.written = Written(failed=1, error=str(err))
    if connection is not None:
        with scope(tenant):
            planned = plan_deliveries()
        planned += plan_finding_tickets(tenant)
        if planned or deliver:
            carried.sent = send_deliveries(tenant, patience_s=patience_s)
    return carried


def _is_due(connection: TicketConnection) -> bool:
    return connection.next_read_at is None or connection.next_read_at <= timezone.now()


def _read_tickets(tenant: Tenant, connection: TicketConnection, carried: Carried) -> None:
    """A fault is shown on the connection, and leaves the time up to which changes are known."""
    now, before = timezone.now(), timedelta()
    if connection.next_read_at and connection.read_until:
        before = max(connection.next_read_at - connection.read_until, timedelta())
    changes: dict[str, object] = {"read_until": now, "read_error": ""}
    try:
        carried.synced = sync_tickets(
            tenant,
            connect(connection),
            read_endings(connection.options),
            pseudonymiser_for(tenant),
            timezone.now,
            connection.read_until,
        )
    except FAULTS as err:
        carried.error = str(err)
        changes = {"read_error": str(err)[:300]}
        logger.warning("tickets not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
    hinted = connection.hinted_at
    wait = pause(
        before,
        is_news=carried.synced.is_news,
        has_webhook=hinted is not None and now - hinted < timedelta(days=1),
        failed=bool(carried.error),
    )
    same = TicketConnection.objects.filter(pk=connection.pk)
    same.update(**changes)
    # A webhook that came meanwhile asked for another look.
    same.filter(next_read_at=connection.next_read_at, hinted_at=hinted).update(
        next_read_at=now + wait
    )


def ticketing_of(tenant: Tenant) -> TicketConnection | None:
    connection = TicketConnection.objects.filter(tenant_id=tenant.pk, is_enabled=True).first()
    if connection is not None:
        tenant.ticketing = connection
    return connection


def addresses_of(user_ids: Iterable[int]) -> Mapping[int, str]:
    """User principal names of our users, for those that have one. Read when sent, not kept."""
    users = User.objects.filter(pk__in=list(user_ids), is_active=True)
    names = {user.pk: user.email or user.username for user in users}
    return {pk: name for pk, name in names.items() if name.count("@") == 1}


# --- tasks ----------------------------------------------------------------------------------------


@shared_task(time_limit=60, soft_time_limit=50)
def start_outcomes() -> None:
    """Start a pass for every tenant that is due, or whose ticket system called."""
    try:
        _take_hints()
    except redis.RedisError as err:
        logger.warning("hints of tickets not taken kind=%s", type(err).__name__)
    now = timezone.now()
    claim = now + LOST_AFTER
    for tenant in claimed(due("next_outcome_at", now, late=500), "next_outcome_at", claim):
        carry.apply_async((tenant.pk, claim.isoformat()), queue=lane(tenant, "tickets"))


def _take_hints() -> None:
    """A hint says 'look now' and nothing else; it is safe in Postgres before Redis forgets it."""
    waiting = hints(TICKETS).due()
    if not waiting:
        return
    known = TicketConnection.objects.filter(public_id__in=waiting, is_enabled=True)
    tenants = dict(known.values_list("public_id", "tenant_id"))
    for public_id in waiting:
        if public_id not in tenants:
            hints(TICKETS).forget(public_id)
            continue
        hints(TICKETS).take(public_id)
        now = timezone.now()
        known.filter(public_id=public_id).update(hinted_at=now, next_read_at=None)
        Tenant.objects.filter(pk=tenants[public_id]).update(next_outcome_at=now)
        hints(TICKETS).finish(public_id)


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.RETRY)
def carry(tenant_id: int, claim: str = "") -> None:
    """One pass for a tenant; then the time of the next. `claim`: what it was set to meanwhile."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    carry_outcome(tenant)
    with scope(tenant):
        times = [next_due()]
    connection = ticketing_of(tenant)
    if connection is not None:
        times.append(connection.next_read_at or timezone.now())
    same = Tenant.objects.filter(pk=tenant_id)
    if claim:  # unless somebody asked for an earlier one meanwhile
        same = same.filter(next_outcome_at=claim)
    same.update(next_outcome_at=min((at for at in times if at is not None), default=None))
