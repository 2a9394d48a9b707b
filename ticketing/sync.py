"""Takes what happened to tickets in the customer's system into their cases.

Read are the tickets that changed since the last time, where the system can tell; and in turn those
that nobody looked at for long, one by one, which also finds the deleted. A ticket that we are about
to change is left alone until that is done: it is not known who was first. The text of notes and the
names of agents are not kept: a count, and a pseudonym.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from alerts import triage
from alerts.models import Case, CaseEvent
from clients.errors import NotFound, Unavailable
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from ticketing.adapters import TicketRef, TicketSystem
from ticketing.adapters.base import DELETED, TOO_MANY
from ticketing.endings import Endings, follow
from ticketing.models import Delivery, Ticket

logger = logging.getLogger(__name__)

CLOSED_THERE, REOPENED_THERE = "resolved_in_ticket", "reopened_in_ticket"
FIRST_LOOK_BACK = timedelta(days=7)
LOOKED_AT_EVERY = timedelta(hours=6)
"""Where the system tells changes; else each round looks at those that waited longest."""
ALONE_A_ROUND = 30
NOTES_A_ROUND = 40
IDS_A_QUERY = 500
FORGOTTEN_AFTER = timedelta(days=30)
"""A closed ticket is not looked at one by one any more; a change that is told still counts."""
OUR_NOTE = re.compile(r"\[CSC-[^\]\s]{1,50}/", re.IGNORECASE)
"""A subject that people quote has no slash: see `dispatch`."""
_A_TIME = re.compile(
    r"\d{9,17}(\.\d{1,9})?"
    r"|\d{1,4}([-/.])\d{1,2}\2\d{1,4}[T ,]{1,2}\d{1,2}:\d\d(:\d\d)?[\d.:Z +-]{0,12}"
)
SOONEST = timedelta(minutes=1)
FRESH = timedelta(minutes=2)


@dataclass(slots=True)
class Synced:
    """What a round did. `tickets`: that were looked at; `noted`: whose notes were counted."""

    tickets: int = 0
    closed: int = 0
    reopened: int = 0
    gone: int = 0
    noted: int = 0
    is_news: bool = False


@dataclass(slots=True)
class _Round:
    tenant: Tenant
    system: TicketSystem
    endings: Endings
    pseudonymiser: Pseudonymiser
    now: Callable[[], datetime]
    done: Synced = field(default_factory=Synced)
    seen: set[str] = field(default_factory=set)


def sync_tickets(
    tenant: Tenant,
    system: TicketSystem,
    endings: Endings,
    pseudonymiser: Pseudonymiser,
    now: Callable[[], datetime],
    since: datetime | None,
) -> Synced:
    """One round. `since`: up to where the changes are known. Raises ApiError; all can be repeated.

    Enters scopes itself.
    """
    run = _Round(tenant, system, endings, pseudonymiser, now)
    with scope(tenant):
        if not Ticket.objects.filter(gone_at=None).exists():
            return run.done
    changes = system.changes(since or now() - FIRST_LOOK_BACK)
    if changes is not None:
        try:
            for refs in _chunks(changes):
                _look_at(run, refs)
        except Unavailable as err:
            if err.code != TOO_MANY:
                raise
            logger.warning("more tickets changed than are listed tenant_id=%s", tenant.pk)
    _look_at_the_waiting(run, LOOKED_AT_EVERY if changes is not None else None)
    return run.done


def _chunks(refs: Iterable[TicketRef]) -> Iterable[list[TicketRef]]:
    chunk: list[TicketRef] = []
    for ref in refs:
        chunk.append(ref)
        if len(chunk) == IDS_A_QUERY:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _look_at(run: _Round, refs: list[TicketRef]) -> None:
    """Those of the tickets that are ours."""
    by_id = {ref.id: ref for ref in refs}
    with scope(run.tenant):
        rows = Ticket.objects.filter(external_id__in=by_id, gone_at=None).order_by("pk")
        ours = {row.pk: row.external_id for row in rows if _is_changed(row, by_id[row.external_id])}
    for pk, external_id in ours.items():
        if external_id not in run.seen:
            run.seen.add(external_id)
            _take(run, pk, by_id[external_id], _people_noted(run, external_id))


def _is_changed(ticket: Ticket, there: TicketRef) -> bool:
    """Not one that the rounds overlap in."""
    return not there.changed or there.changed[:40] != ticket.stamp or there.status != ticket.status


def _stamp(there: TicketRef, now: datetime) -> str:
    """Of the change that was seen; "" while another in the same second may be to come."""
    try:
        at = datetime.fromisoformat(there.changed)
    except ValueError:  # a time of some other kind; anything else might be a text of people
        return there.changed[:40] if _A_TIME.fullmatch(there.changed[:40]) else ""
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return there.changed[:40] if now - at > FRESH else ""


def _look_at_the_waiting(run: _Round, every: timedelta | None) -> None:
    """One by one. `every`: None where nothing else tells of changes."""
    now, wait = run.now(), every or timedelta()
    with scope(run.tenant):
        rows = Ticket.objects.filter(gone_at=None).exclude(external_id__in=run.seen)
        rows = rows.filter(Q(told="open") | Q(created_at__gt=now - FORGOTTEN_AFTER))
        rows = rows.filter(Q(seen_at=None, created_at__lte=now - wait) | Q(seen_at__lte=now - wait))
        oldest = rows.order_by(F("seen_at").asc(nulls_first=True), "pk")
        waiting = dict(oldest.values_list("pk", "external_id")[:ALONE_A_ROUND])
    for pk, external_id in waiting.items():
        try:
            there = run.system.read(external_id)
        except NotFound:
            run.system.check()  # raises if it is the account that is not there
            there = TicketRef(external_id, "", DELETED)
        counts = every is None and there.status != DELETED
        _take(run, pk, there, _people_noted(run, external_id) if counts else None)


def _people_noted(run: _Round, external_id: str) -> int | None:
    """How many notes are not ours; None if that was not asked, or can't be told."""
    if run.done.noted >= NOTES_A_ROUND:
        return None
    run.done.noted += 1
    try:
        notes = run.system.notes(external_id)
    except NotFound:
        return None
    except Unavailable as err:
        if err.code != TOO_MANY:
            raise
        return None
    return sum(OUR_NOTE.search(note) is None for note in notes)


def _take(run: _Round, ticket_pk: int, there: TicketRef, notes: int | None) -> None:
    """Compare one ticket with its case, and take what is news; all or nothing."""
    run.done.tickets += 1
    with scope(run.tenant), transaction.atomic():
        tickets = Ticket.objects.select_for_update(of=["self"]).select_related("case", "finding")
        ticket = tickets.get(pk=ticket_pk)
        if ticket.finding is not None:
            _take_of_finding(run, ticket, there)
            return
        case = ticket.case
        if notes is None and there.status != DELETED:
            there = replace(there, changed=ticket.stamp)  # the notes are still to be counted
        if case.status == Case.Status.MERGED or _is_about_to_change(case.pk):
            return
        step = follow(case.is_open, ticket.status, there.status)
        changes: dict[str, object] = {"seen_at": run.now()}
        if step.gone:
            _lose(run, ticket, changes)
        else:
            changes["told"] = step.told or ticket.told
            if step.close or step.reopen:
                changes["told"] = _carry_over(run, case, there, is_closed=step.close)
            changes |= {"status": there.status, "stamp": _stamp(there, run.now())}
            changes |= _assignment(run, ticket, there)
            if notes is not None and notes != ticket.notes:
                if notes > ticket.notes:
                    _tell(case, "ticket_noted", {"count": notes - ticket.notes})
                    run.done.is_news = True
                changes["notes"] = notes
        Ticket.objects.filter(pk=ticket.pk).update(**changes)


def _take_of_finding(run: _Round, ticket: Ticket, there: TicketRef) -> None:
    """A finding ends when what it tells of is over, whatever people do with its ticket."""
    waiting = Delivery.objects.filter(finding=ticket.finding, kind=Delivery.Kind.UPDATE)
    if waiting.filter(state__in=[Delivery.State.PENDING, Delivery.State.SENDING]).exists():
        return
    changes: dict[str, object] = {"seen_at": run.now(), "status": there.status}
    if there.status == DELETED:
        run.done.gone += 1
        changes["gone_at"] = run.now()
        logger.warning("ticket is gone id=%s ticket=%s", ticket.pk, ticket.external_id)
    else:
        changes["stamp"] = _stamp(there, run.now())
    Ticket.objects.filter(pk=ticket.pk).update(**changes)


def _is_about_to_change(case_id: int) -> bool:
    waiting = Delivery.objects.filter(case_id=case_id, kind=Delivery.Kind.UPDATE)
    return waiting.filter(state__in=[Delivery.State.PENDING, Delivery.State.SENDING]).exists()


def _carry_over(run: _Round, case: Case, there: TicketRef, *, is_closed: bool) -> str:
    """What the ticket and the case both say afterwards."""
    tenant_id = run.tenant.pk
    run.done.is_news = True
    if not is_closed:
        triage.take_reopened(tenant_id, [case.pk], kind=REOPENED_THERE)
        run.done.reopened += 1
        return "open"
    verdict = run.endings.verdict_of(there.resolution)
    if verdict is None:
        _tell(case, "ticket_closed_unjudged", {})
        return "open"
    triage.take_resolved(tenant_id, [case.pk], kind=CLOSED_THERE, verdict=verdict)
    run.done.closed += 1
    return "closed"


def _lose(run: _Round, ticket: Ticket, changes: dict[str, object]) -> None:
    run.done.gone += 1
    run.done.is_news = True
    changes |= {"gone_at": run.now(), "status": DELETED}
    _tell(ticket.case, "ticket_gone", {"ticket": ticket.external_id})
    logger.warning("ticket is gone case=%s ticket=%s", ticket.case_id, ticket.external_id)


def _assignment(run: _Round, ticket: Ticket, there: TicketRef) -> dict[str, object]:
    who: uuid.UUID | None = None
    if there.assignee:
        who = run.pseudonymiser.pseudonym("agent", f"{ticket.system}:{there.assignee}")
    if who == ticket.assignee:
        return {}
    _tell(ticket.case, "ticket_assigned" if who else "ticket_unassigned", {})
    run.done.is_news = True
    return {"assignee": who}


def _tell(case: Case, kind: str, facts: dict[str, object]) -> None:
    CaseEvent.objects.create(case=case, kind=kind, facts=facts)


def pause(before: timedelta, *, is_news: bool, has_webhook: bool, failed: bool) -> timedelta:
    """How long until the next round, after the pause `before`: soon after news, then rarer."""
    if failed:
        return min(max(before, SOONEST) * 2, timedelta(hours=1))
    if is_news:
        return SOONEST
    longest = timedelta(minutes=30 if has_webhook else 10)
    return min(max(before * 1.5, SOONEST), longest)
