"""What an analyst writes about a case goes straight to the ticket, and to Microsoft if asked.

The text may name people, so it is nowhere kept: not in a row, not in a task's message. It is sent
while the analyst waits. If that fails the page keeps the text, says why, and sends it again with
the same `nonce`: what arrived in spite of a lost answer is found by our reference in it, and not
repeated. An outbox would be kinder when a system is away for long, but would hold the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from django.db import transaction

from alerts.models import Alert, Case, CaseEvent
from clients.errors import ApiError, NotFound
from clients.microsoft.graph import Graph
from clients.microsoft.security import alerts_by_id, comment_alert
from csc_portal.outcome import FAULTS, ticketing_of
from tenants.directories import graph_for
from tenants.models import Tenant
from tenants.scope import scope
from ticketing.connections import connect
from ticketing.models import Ticket

LONGEST = 10_000
LONGEST_THERE = 1_000
"""What Microsoft's portal shows of a comment; longer ones are refused."""
NONCE = re.compile(r"[a-z0-9]{8,32}")
TICKET, MICROSOFT = "ticket", "microsoft"


@dataclass(frozen=True, slots=True)
class Commented:
    """Where the comment is now; `problem` says, as sentences, where it is not and why, or ""."""

    where: tuple[str, ...]
    problem: str


def send_comment(
    tenant: Tenant,
    case_id: int,
    text: str,
    nonce: str,
    *,
    actor_id: int,
    author: str,
    to_microsoft: bool,
) -> Commented:
    """`nonce`: new for each form, the same for its repetitions. `author`: as others may read it.

    Enters the scope itself. Raises Case.DoesNotExist.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        return Commented((), f"A comment has 1 to {LONGEST} characters.")
    if not NONCE.fullmatch(nonce):
        return Commented((), "The form is out of date. Load the page again.")
    with scope(tenant):
        case = Case.objects.get(pk=case_id)
        ticket = Ticket.objects.filter(case=case, gone_at=None).first()
        lead = Alert.objects.filter(case=case).order_by("-severity", "activity_at", "pk").first()
    reference = f"{case.reference}/c{nonce}"
    where, problems = [], []
    for name, problem in (
        (TICKET, _to_ticket(tenant, ticket, text, author, reference)),
        (
            MICROSOFT,
            _to_microsoft(tenant, lead, text, author, reference) if to_microsoft else None,
        ),
    ):
        if problem == "":
            where.append(name)
        elif problem is not None:
            problems.append(problem)
    if where:
        _note(tenant, case_id, actor_id, where, nonce)
    return Commented(tuple(where), " ".join(problems))


def read_notes(tenant: Tenant, case_id: int) -> list[str]:
    """The notes of the case's ticket as they are now, oldest first. For a page that is not stored.

    Raises ApiError.
    """
    with scope(tenant):
        ticket = Ticket.objects.filter(case_id=case_id, gone_at=None).first()
    connection = ticketing_of(tenant)
    if ticket is None or connection is None:
        return []
    return connect(connection).notes(ticket.external_id)


def _to_ticket(
    tenant: Tenant, ticket: Ticket | None, text: str, author: str, reference: str
) -> str:
    """ "" if it is there, else a sentence."""
    connection = ticketing_of(tenant)
    if connection is None:
        return "The tenant has no ticket system."
    if ticket is None:
        return "The case has no ticket yet, or it was deleted there."
    lines = "<br>".join(escape(line) for line in text.splitlines())
    html = f"<p><b>{escape(author)}</b> in CSC Portal:</p><p>{lines}</p>"
    try:
        connect(connection).note(ticket.external_id, html, reference, retry=True)
    except NotFound:
        return "The ticket is not there any more."
    except FAULTS as err:
        return f"It could not be added to the ticket: {err}"
    return ""


def _to_microsoft(
    tenant: Tenant, alert: Alert | None, text: str, author: str, reference: str
) -> str:
    if tenant.write_back != Tenant.WriteBackMode.ALL:
        return "Comments to Microsoft are switched off for this tenant."
    end = f" [{reference}]"
    whole = f"{author}: {text}"
    if alert is None or len(whole) + len(end) > LONGEST_THERE:
        return f"A comment for Microsoft has at most {LONGEST_THERE - 60} characters."
    try:
        _comment_once(graph_for(tenant), alert.provider_id, whole + end, reference)
    except FAULTS as err:
        return f"It could not be added at Microsoft: {err}"
    return ""


def _comment_once(graph: Graph, alert_id: str, text: str, reference: str) -> None:
    found = alerts_by_id(graph, [alert_id])[alert_id]
    if isinstance(found, ApiError):
        raise found
    comments = found.get("comments")
    if f"[{reference}]" not in str(comments):
        comment_alert(graph, alert_id, text)


def _note(tenant: Tenant, case_id: int, actor_id: int, where: list[str], nonce: str) -> None:
    """One line of the timeline for a comment, however often it had to be sent; where it arrived
    once, it stays.
    """
    with scope(tenant), transaction.atomic():
        events = CaseEvent.objects.filter(case_id=case_id, kind="commented", facts__nonce=nonce)
        known = events.select_for_update().first()
        before = known.facts["where"] if known else ()
        facts = {"nonce": nonce, "where": list(dict.fromkeys([*before, *where]))}
        if known is None:
            CaseEvent.objects.create(
                case_id=case_id, kind="commented", actor_id=actor_id, facts=facts
            )
        else:
            events.update(facts=facts)
