"""What the portal needs of a customer's ticket system."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

# The words for a ticket's state that all adapters use.
OPEN, PENDING, RESOLVED, CLOSED, DELETED, OTHER = (
    "open",
    "pending",
    "resolved",
    "closed",
    "deleted",
    "other",
)
STATES = frozenset({OPEN, PENDING, RESOLVED, CLOSED, DELETED, OTHER})
ENDED = frozenset({RESOLVED, CLOSED})
SETTABLE = (OPEN, RESOLVED)
"""The states that the portal brings a ticket into."""
UNDESCRIBED = "undescribed"
"""Code of the Rejected that says: this system was not described to do that."""


TOO_MANY = "too_many"
"""Code of the Unavailable that says: a list has more than is looked through."""


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket to be opened. `reference` is ours and unique; `priority` 1 (low) to 4 (urgent)."""

    reference: str
    subject: str
    html: str
    priority: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketRef:
    """A ticket that is there: its id, its page for people, and its state in our words.

    The rest is what some systems tell besides, in their own words, or "": how it ended, the id of
    who has it, which names a person and is not stored, and when it was changed last.
    """

    id: str
    url: str
    status: str
    resolution: str = field(default="", compare=False)
    assignee: str = field(default="", compare=False)
    changed: str = field(default="", compare=False)


class TicketSystem(Protocol):
    """One account of a ticket system. All methods raise `clients.errors.ApiError`."""

    def check(self) -> None:
        """Make sure that the address and the secret work."""

    def find(self, reference: str, since: datetime) -> TicketRef | None:
        """The ticket with our reference that was opened at or after `since`, or None.

        None is certain: it may be followed by `create`.
        """

    def create(self, draft: TicketDraft) -> TicketRef:
        """Open a ticket. Never repeated by itself: `find` first, then call it again."""

    def note(self, ticket_id: str, html: str, reference: str, *, retry: bool = False) -> None:
        """Add a private note. With `retry` only if no note with this reference is there yet."""

    def read(self, ticket_id: str) -> TicketRef:
        """The ticket as it is now. Raises NotFound."""

    def update(self, ticket_id: str, status: str) -> TicketRef:
        """Bring the ticket into OPEN or RESOLVED; as it is then. Safe to repeat.

        Raises NotFound, and Rejected where the system has no way to that state.
        """

    def changes(self, since: datetime) -> Iterable[TicketRef] | None:
        """Tickets changed at or after `since`, ours among others, but no deleted ones.

        None if the system can't tell: then each is read by itself.
        """

    def notes(self, ticket_id: str) -> list[str]:
        """The texts of the ticket's notes, oldest first, ours among others. Raises NotFound."""
