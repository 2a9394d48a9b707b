"""Sends what `ticketing.plan` owes: one ticket a case or finding, a note when it grows, its state
when it is closed or opened again.

A delivery is counted as begun before anything is sent, and its row stays locked while it is sent.
A worker that dies lets go of the lock; the next one sees that an attempt was made and asks the
ticket system for our reference before it creates anything.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from alerts.feed import Content
from alerts.rows import run
from clients.errors import ApiError, Forbidden, NotFound, RateLimited, Rejected, Unauthorized
from tenants.scope import scope
from ticketing.about_case import CaseSubject
from ticketing.about_finding import FindingSubject
from ticketing.adapters import TicketRef
from ticketing.adapters.base import DELETED, OPEN, RESOLVED, UNDESCRIBED
from ticketing.endings import side
from ticketing.models import Delivery, Ticket
from ticketing.plan import MERGED_GROWTH
from ticketing.subjects import Outlet, Subject

logger = logging.getLogger(__name__)

NEEDS_PEOPLE_AFTER = 12
"""Attempts. They go on, once an hour: an outage of days may not cost a ticket."""
FAULTS_TO_STOP = 3
FIRST_WAIT_S, LONGEST_WAIT_S = 15, 3600
FIND_MARGIN = timedelta(hours=1)
"""Tickets are looked for from this long before the delivery was planned: clocks differ."""

BEGIN = """
UPDATE ticketing_delivery SET state = 'sending', attempts = attempts + 1 WHERE id = (
  SELECT id FROM ticketing_delivery
  WHERE state IN ('pending', 'sending') AND due_at <= %s AND NOT id = ANY(%s)
  ORDER BY due_at, id FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING id
"""


@dataclass(slots=True)
class Sent:
    """What a run of `dispatch` did.

    `error` is the last failure's message; `wait_s` is set when a limit of the system stopped it.
    """

    tickets: int = 0
    notes: int = 0
    updates: int = 0
    failed: int = 0
    error: str = ""
    wait_s: float = 0


def dispatch(
    outlet: Outlet, known: Content, now: Callable[[], datetime], *, at_once: bool = False
) -> Sent:
    """Send everything that is due for the tenant; with `at_once` also what waits for a retry.

    One delivery's fault stops no other, but the round ends when the system itself seems to be away.
    `known`: content that is in memory anyway.
    """
    sent, faults, failed = Sent(), 0, list[int]()
    ahead = timedelta(days=1 if at_once else 0)
    with scope(outlet.tenant):
        while faults < FAULTS_TO_STOP and (begun := run(BEGIN, [now() + ahead, failed])):
            delivery_id = begun[0][0]
            try:
                with transaction.atomic():
                    _send(outlet, delivery_id, known, sent, now)
                faults = 0
            except RateLimited as err:
                sent.wait_s = _fail(delivery_id, err, now())
                break
            except ApiError as err:
                is_final = _is_refused(err)
                _fail(delivery_id, err, now(), is_final=is_final)
                failed.append(delivery_id)
                sent.error = str(err)
                faults += not is_final
                if isinstance(err, Unauthorized | Forbidden):
                    break
    sent.failed = len(failed)
    return sent


def _is_refused(err: ApiError) -> bool:
    """Whether the ticket system looked at this ticket and will never take it.

    A refusal without a status is ours, of the address or its certificate, and can be mended.
    """
    return isinstance(err, Rejected) and err.status is not None


def next_due() -> datetime | None:
    """When the tenant's next delivery is due. Inside the tenant's scope."""
    waiting = Delivery.objects.filter(state__in=[Delivery.State.PENDING, Delivery.State.SENDING])
    return waiting.order_by("due_at").values_list("due_at", flat=True).first()


def _send(
    outlet: Outlet, delivery_id: int, known: Content, sent: Sent, now: Callable[[], datetime]
) -> None:
    delivery = (
        Delivery.objects.select_for_update(skip_locked=True, of=["self"])
        .select_related("case", "case__merged_into", "finding")
        .filter(pk=delivery_id, state=Delivery.State.SENDING)
        .first()
    )
    if delivery is None:
        return  # another worker has it
    subject = _subject(outlet, delivery, known)
    if delivery.kind == Delivery.Kind.CREATE:
        sent.tickets += _send_ticket(outlet, delivery, subject, now)
    elif delivery.kind == Delivery.Kind.UPDATE:
        sent.updates += _send_update(outlet, delivery, subject, now)
    else:
        sent.notes += _send_note(outlet, delivery, subject, now)


def _subject(outlet: Outlet, delivery: Delivery, known: Content) -> Subject:
    if delivery.finding is not None:
        return FindingSubject(outlet, delivery.finding)
    return CaseSubject(outlet, delivery.case, known)


def _send_ticket(
    outlet: Outlet, delivery: Delivery, subject: Subject, now: Callable[[], datetime]
) -> bool:
    if not subject.is_open:
        _end(delivery, Delivery.State.CANCELLED, now(), error="closed before a ticket was opened")
        return False
    found = None
    if delivery.attempts > 1:
        found = outlet.system.find(subject.reference, delivery.created_at - FIND_MARGIN)
    # A ticket that an earlier attempt made tells of what was planned then; a note tells the rest.
    covers = delivery.growth if found else subject.growth
    if found is None:
        found = subject.system().create(subject.draft())
    _save_ticket(outlet, subject, found, covers)
    _end(delivery, Delivery.State.SENT, now())
    return True


def _send_note(
    outlet: Outlet, delivery: Delivery, subject: Subject, now: Callable[[], datetime]
) -> bool:
    ticket = Ticket.objects.get(**subject.key)
    html = subject.note(delivery, ticket)
    reference, is_retry = f"{ticket.reference}/{delivery.growth}", delivery.attempts > 1
    try:
        outlet.system.note(ticket.external_id, html, reference, retry=is_retry)
    except NotFound as err:
        raise _gone(outlet, err) from err
    if delivery.growth != MERGED_GROWTH:
        # A note that an earlier attempt made may tell of less than there is by now.
        covers = delivery.growth if is_retry else subject.growth
        Ticket.objects.filter(pk=ticket.pk).update(covers_growth=covers)
    subject.tell("ticket_note", {"ticket": ticket.external_id})
    _end(delivery, Delivery.State.SENT, now())
    return True


def _send_update(
    outlet: Outlet, delivery: Delivery, subject: Subject, now: Callable[[], datetime]
) -> bool:
    """What the subject says by now. Its state there is read first: a repetition changes nothing."""
    ticket = Ticket.objects.get(**subject.key)
    if subject.is_merged or ticket.gone_at is not None:
        _end(delivery, Delivery.State.CANCELLED, now(), error="the ticket is no longer this case's")
        return False
    wanted = OPEN if subject.is_open else RESOLVED
    try:
        there = outlet.system.read(ticket.external_id)
        if is_told := side(there.status) != side(wanted) and there.status != DELETED:
            there = outlet.system.update(ticket.external_id, wanted)
    except NotFound as err:
        raise _gone(outlet, err) from err
    except Rejected as err:
        if err.code != UNDESCRIBED:
            raise
        Ticket.objects.filter(pk=ticket.pk).update(told=side(wanted))
        _end(delivery, Delivery.State.CANCELLED, now(), error=str(err))
        return False
    Ticket.objects.filter(pk=ticket.pk).update(
        told=side(wanted), status=there.status, seen_at=now()
    )
    if is_told:
        subject.tell("ticket_updated", {"ticket": ticket.external_id, "state": wanted})
    _end(delivery, Delivery.State.SENT, now())
    return is_told


def _gone(outlet: Outlet, err: NotFound) -> Rejected:
    """That the ticket is not there; raises if it is the account that is not."""
    outlet.system.check()
    return Rejected("The ticket is not there any more.", status=err.status)


def _save_ticket(outlet: Outlet, subject: Subject, found: TicketRef, covers: int) -> None:
    ticket = Ticket.objects.create(
        **subject.key,
        system=outlet.system_name,
        reference=subject.reference,
        external_id=found.id,
        url=found.url,
        status=found.status,
        covers_growth=covers,
    )
    subject.take(found)
    logger.info("ticket saved id=%s ticket=%s", ticket.pk, found.id)


def _end(delivery: Delivery, state: str, at: datetime, error: str = "") -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state=state, sent_at=at, error=error)


def _fail(delivery_id: int, err: ApiError, now: datetime, *, is_final: bool = False) -> float:
    """Write down what went wrong. Returns seconds until the next try: as told, else backoff."""
    delivery = Delivery.objects.get(pk=delivery_id)
    backoff = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (min(delivery.attempts, 12) - 1))
    wait = err.retry_after_s or backoff * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    Delivery.objects.filter(pk=delivery_id).update(
        state=Delivery.State.FAILED if is_final else Delivery.State.PENDING,
        error=str(err)[:300],
        due_at=now + timedelta(seconds=wait),
    )
    needs_people = is_final or delivery.attempts >= NEEDS_PEOPLE_AFTER
    level = logging.ERROR if needs_people else logging.WARNING
    logger.log(level, "delivery failed id=%s kind=%s", delivery_id, type(err).__name__)
    return wait
