"""What the portal needs of a customer's ticket system."""

from dataclasses import dataclass
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
    """A ticket that is there: its id, its page for people, and its state in our words."""

    id: str
    url: str
    status: str


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
