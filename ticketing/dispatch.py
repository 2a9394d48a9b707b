"""Sends what `ticketing.plan` owes: one ticket a case, a note when it grows, its state when the
case is closed or opened again.

A delivery is counted as begun before anything is sent, and its row stays locked while it is sent.
A worker that dies lets go of the lock; the next one sees that an attempt was made and asks the
ticket system for our reference before it creates anything.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction

from alerts.content import read_content
from alerts.feed import Content, provider_ids
from alerts.models import Case, CaseEvent
from alerts.refresh import publish
from alerts.rows import run
from clients.errors import ApiError, Forbidden, NotFound, RateLimited, Rejected, Unauthorized
from clients.microsoft.graph import Graph
from tenants.models import SEVERITIES, Tenant
from tenants.scope import scope
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem
from ticketing.adapters.base import DELETED, OPEN, RESOLVED, UNDESCRIBED
from ticketing.drafts import CaseFacts, draft_merge_note, draft_note, draft_ticket
from ticketing.endings import side
from ticketing.mapping import first_pillar, priority_for
from ticketing.models import Delivery, Ticket
from ticketing.plan import MERGED_GROWTH

logger = logging.getLogger(__name__)

ALERTS_IN_TICKET = 40
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


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where the deliveries of one tenant go, and where their content comes from.

    `mapping`: see ticketing.mapping. `by_pillar`: the system with the options of some pillars.
    """

    tenant: Tenant
    graph: Graph
    system_name: str
    system: TicketSystem
    portal_url: str
    mapping: Mapping[str, object] = field(default_factory=dict)
    by_pillar: Mapping[str, TicketSystem] = field(default_factory=dict)


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
        .select_related("case", "case__merged_into")
        .filter(pk=delivery_id, state=Delivery.State.SENDING)
        .first()
    )
    if delivery is None:
        return  # another worker has it
    if delivery.kind == Delivery.Kind.CREATE:
        sent.tickets += _send_ticket(outlet, delivery, known, now)
    elif delivery.kind == Delivery.Kind.UPDATE:
        sent.updates += _send_update(outlet, delivery, now)
    else:
        sent.notes += _send_note(outlet, delivery, known, now)


def _send_ticket(
    outlet: Outlet, delivery: Delivery, known: Content, now: Callable[[], datetime]
) -> bool:
    case = delivery.case
    if not case.is_open:
        _end(delivery, Delivery.State.CANCELLED, now(), error="closed before a ticket was opened")
        return False
    reference = case.reference
    found = None
    if delivery.attempts > 1:
        found = outlet.system.find(reference, delivery.created_at - FIND_MARGIN)
    # A ticket that an earlier attempt made tells of what was planned then; a note tells the rest.
    covers = delivery.growth if found else case.growth
    if found is None:
        ids = provider_ids(case.pk, ALERTS_IN_TICKET)
        content = read_content(outlet.graph, ids, known)
        records = [content[key] for key in ids if key in content]
        draft = draft_ticket(_facts(outlet, case), records, reference, _link(outlet, case))
        found = _system_for(outlet, case).create(_mapped(outlet, case, draft))
    _save_ticket(outlet, case, reference, found, covers)
    _end(delivery, Delivery.State.SENT, now())
    return True


def _system_for(outlet: Outlet, case: Case) -> TicketSystem:
    return outlet.by_pillar.get(first_pillar(case.pillars), outlet.system)


def _mapped(outlet: Outlet, case: Case, draft: TicketDraft) -> TicketDraft:
    severity = SEVERITIES[case.severity]
    return replace(draft, priority=priority_for(outlet.mapping, severity, draft.priority))


def _send_note(
    outlet: Outlet, delivery: Delivery, known: Content, now: Callable[[], datetime]
) -> bool:
    case, ticket = delivery.case, Ticket.objects.get(case=delivery.case)
    if delivery.growth == MERGED_GROWTH:
        other = Ticket.objects.filter(case=case.merged_into).first()
        html = draft_merge_note(other.reference if other else "", other.url if other else "")
    else:
        ids = list(
            case.alerts.filter(case_growth__gt=ticket.covers_growth)
            .order_by("activity_at", "pk")
            .values_list("provider_id", flat=True)[:ALERTS_IN_TICKET]
        )
        content = read_content(outlet.graph, ids, known)
        records = [content[key] for key in ids if key in content]
        html = draft_note(_facts(outlet, case), records, _link(outlet, case))
    reference, is_retry = f"{ticket.reference}/{delivery.growth}", delivery.attempts > 1
    try:
        outlet.system.note(ticket.external_id, html, reference, retry=is_retry)
    except NotFound as err:
        raise _gone(outlet, err) from err
    if delivery.growth != MERGED_GROWTH:
        # A note that an earlier attempt made may tell of less than there is by now.
        covers = delivery.growth if is_retry else case.growth
        Ticket.objects.filter(pk=ticket.pk).update(covers_growth=covers)
    CaseEvent.objects.create(case=case, kind="ticket_note", facts={"ticket": ticket.external_id})
    _end(delivery, Delivery.State.SENT, now())
    return True


def _send_update(outlet: Outlet, delivery: Delivery, now: Callable[[], datetime]) -> bool:
    """What the case says by now. Its state there is read first: a repetition changes nothing."""
    case, ticket = delivery.case, Ticket.objects.get(case=delivery.case)
    if case.status == Case.Status.MERGED or ticket.gone_at is not None:
        _end(delivery, Delivery.State.CANCELLED, now(), error="the ticket is no longer this case's")
        return False
    wanted = OPEN if case.is_open else RESOLVED
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
        facts = {"ticket": ticket.external_id, "state": wanted}
        CaseEvent.objects.create(case=case, kind="ticket_updated", facts=facts)
    _end(delivery, Delivery.State.SENT, now())
    return is_told


def _gone(outlet: Outlet, err: NotFound) -> Rejected:
    """That the ticket is not there; raises if it is the account that is not."""
    outlet.system.check()
    return Rejected("The ticket is not there any more.", status=err.status)


def _save_ticket(outlet: Outlet, case: Case, reference: str, found: TicketRef, covers: int) -> None:
    Ticket.objects.create(
        case=case,
        system=outlet.system_name,
        reference=reference,
        external_id=found.id,
        url=found.url,
        status=found.status,
        covers_growth=covers,
    )
    Case.objects.filter(pk=case.pk).update(ticket_ref=found.id, ticket_url=found.url)
    CaseEvent.objects.create(case=case, kind="ticket", facts={"ticket": found.id})
    publish(outlet.tenant.pk, [case.pk])
    logger.info("ticket saved case=%s ticket=%s", case.pk, found.id)


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


def _link(outlet: Outlet, case: Case) -> str:
    if not outlet.portal_url:
        return ""
    return f"{outlet.portal_url.rstrip('/')}/cases/{case.public_id}/"


def _facts(outlet: Outlet, case: Case) -> CaseFacts:
    return CaseFacts(
        number=case.pk,
        tenant=outlet.tenant.name,
        title=case.title,
        severity=case.severity,
        priority=case.priority,
        category=case.category,
        alert_count=case.alert_count,
        first_activity_at=case.first_activity_at,
        last_activity_at=case.last_activity_at,
    )
