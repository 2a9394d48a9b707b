"""Ticket systems by the name that a connection stores. To add one, copy the nearest module."""

from ticketing.adapters.base import Factory, TicketDraft, TicketRef, TicketSystem
from ticketing.adapters.freshservice import Freshservice

__all__ = ["Factory", "TicketDraft", "TicketRef", "TicketSystem", "registry"]

registry: dict[str, Factory] = {"freshservice": Freshservice}
