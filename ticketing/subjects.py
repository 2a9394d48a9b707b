"""What a ticket can be about, in the one shape that `ticketing.dispatch` sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clients.microsoft.graph import Graph
from tenants.models import Tenant
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem
from ticketing.models import Delivery, Ticket


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


class Subject(Protocol):
    """A case or a finding, as it is now. `key`: how rows of deliveries and tickets name it."""

    key: Mapping[str, int]
    reference: str
    growth: int
    is_open: bool
    is_merged: bool

    def system(self) -> TicketSystem:
        """Whose options its ticket is opened with."""

    def draft(self) -> TicketDraft:
        """The ticket with all that is known at this moment."""

    def note(self, delivery: Delivery, ticket: Ticket) -> str:
        """HTML of what is new since the ticket told of it last."""

    def take(self, found: TicketRef) -> None:
        """It has this ticket now."""

    def tell(self, kind: str, facts: dict[str, object]) -> None:
        """What was told to the ticket, for its history, if it keeps one."""
