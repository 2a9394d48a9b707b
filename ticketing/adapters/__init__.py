"""Ticket systems by the name that a connection stores. To add one, copy the nearest module."""

from collections.abc import Callable, Mapping
from typing import Protocol

from clients.throttle import Governor
from ticketing.adapters.base import TicketDraft, TicketRef, TicketSystem
from ticketing.adapters.freshservice import Freshservice
from ticketing.adapters.generic import Generic
from ticketing.adapters.jira import Jira
from ticketing.adapters.servicenow import ServiceNow
from ticketing.adapters.zendesk import Zendesk

__all__ = ["Factory", "TicketDraft", "TicketRef", "TicketSystem", "registry"]


class Factory(Protocol):
    """Makes a ticket system; what `registry` holds.

    `secret` reads the secret, `forget_secret` makes it read the vault again. `options` come from
    whoever set the connection up; `private_networks_allowed` comes from the operator only.
    """

    def __call__(
        self,
        url: str,
        secret: Callable[[], str],
        options: Mapping[str, object],
        governor: Governor | None,
        *,
        private_networks_allowed: tuple[str, ...] = (),
        forget_secret: Callable[[], None] | None = None,
    ) -> TicketSystem:
        """Raises Rejected for a URL or options that cannot be used."""


registry: dict[str, Factory] = {
    "freshservice": Freshservice,
    "generic": Generic,
    "jira": Jira,
    "servicenow": ServiceNow,
    "zendesk": Zendesk,
}
