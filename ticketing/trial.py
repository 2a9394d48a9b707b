"""A test ticket: all that the portal does with a ticket system, once, and seen to work."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.errors import ApiError, Rejected
from tenants.pseudonyms import crockford
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem
from ticketing.adapters.base import ENDED, OPEN, RESOLVED

SUBJECT = (
    "Test ticket of CSC Portal. Nothing has happened. This line is as long as the subject of a "
    "ticket may get, and has letters of several alphabets (é ß ø ж λ 漢字): a system that cuts it "
    "would lose our reference at its end, and a ticket might be opened twice without anybody "
    "having done anything wrong."
)
TEXT = (
    "<p><b>This is a test.</b> It shows that CSC Portal can open tickets here. "
    "Nothing has happened. The portal closes it by itself.</p>"
)
NOTE = "<p>This is the test of a note.</p>"
_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a test ticket. `problem` says what went wrong after it was opened, or "".

    `steps`: what was seen to work, as sentences; `limits`: what the system can't do, or not so.
    """

    reference: str
    ticket: TicketRef
    problem: str
    steps: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def send_test_ticket(system: TicketSystem, now: datetime) -> Trial:
    """Check, open, find, note, read, close. Raises ApiError if none is there."""
    reference = "CSC-TEST" + crockford(secrets.randbits(40), 8)
    system.check()
    ticket = system.create(TicketDraft(reference, SUBJECT, TEXT, 1, ("csc-portal", "test")))
    steps, limits = [f"Ticket {ticket.id} was opened."], list[str]()
    try:
        found = system.find(reference, now - _MARGIN)
        if found is None or found.id != ticket.id:
            problem = (
                "It is not found by its reference: a ticket might be opened twice. Its search has "
                "to find new tickets at once, and its subject may not be cut (longest_subject)."
            )
            return Trial(reference, ticket, problem, tuple(steps))
        steps.append("It is found by its reference, so none is opened twice.")
        system.note(ticket.id, NOTE, f"{reference}/1")
        system.note(ticket.id, NOTE, f"{reference}/1", retry=True)
        steps.append("A private note was added, once, and its state can be read.")
        ticket = _close(system, system.read(ticket.id), steps, limits)
        if system.changes(now - _MARGIN) is None:
            limits.append("It can't tell which tickets changed, so each is looked at in turn.")
    except ApiError as err:
        return Trial(reference, ticket, str(err), tuple(steps), tuple(limits))
    return Trial(reference, ticket, "", tuple(steps), tuple(limits))


def _close(
    system: TicketSystem, ticket: TicketRef, steps: list[str], limits: list[str]
) -> TicketRef:
    """Resolved, opened again and resolved: the test ticket is out of the way afterwards."""
    try:
        for state in (RESOLVED, OPEN, RESOLVED):
            ticket = system.update(ticket.id, state)
            if (ticket.status in ENDED) != (state in ENDED):
                limits.append(f"It was to be {state}, but is {ticket.status}: check the states.")
                return ticket
    except Rejected as err:
        limits.append(f"Its state can't be set: {err}")
        return ticket
    steps.append("It was resolved, opened again and resolved.")
    return ticket
