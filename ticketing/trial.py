"""A test ticket: all that the portal does with a ticket system, once, and seen to work."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.errors import ApiError
from tenants.pseudonyms import crockford
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem

SUBJECT = "Test ticket of CSC Portal, please close"
TEXT = (
    "<p><b>This is a test.</b> It shows that CSC Portal can open tickets here. "
    "Nothing has happened; please close it.</p>"
)
NOTE = "<p>This is the test of a note.</p>"
_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a test ticket. `problem` says what went wrong after it was opened, or ""."""

    reference: str
    ticket: TicketRef
    problem: str


def send_test_ticket(system: TicketSystem, now: datetime) -> Trial:
    """Check, open, find, note, note once more, read. Raises ApiError if none is there."""
    reference = "CSC-TEST" + crockford(secrets.randbits(40), 8)
    system.check()
    ticket = system.create(TicketDraft(reference, SUBJECT, TEXT, 1, ("csc-portal", "test")))
    try:
        found = system.find(reference, now - _MARGIN)
        if found is None or found.id != ticket.id:
            problem = "It is not found by its reference: a ticket might be opened twice."
            return Trial(reference, ticket, problem)
        system.note(ticket.id, NOTE, f"{reference}/1")
        system.note(ticket.id, NOTE, f"{reference}/1", retry=True)
        ticket = system.read(ticket.id)
    except ApiError as err:
        return Trial(reference, ticket, str(err))
    return Trial(reference, ticket, "")
