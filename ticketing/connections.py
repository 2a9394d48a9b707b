"""The adapter of a tenant's ticket system, put together from its connection and the vault."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings

from clients.errors import Rejected
from tenants.directories import governor
from tenants.models import TicketConnection
from tenants.secrets import vault
from ticketing.adapters import TicketSystem, registry
from ticketing.mapping import options_by_pillar

LOOPBACK = ("127.0.0.0/8", "::1/128")


def connect_by_pillar(connection: TicketConnection) -> dict[str, TicketSystem]:
    """The system with other options, for the pillars whose tickets are opened with such."""
    differing = options_by_pillar(connection.options, connection.mapping)
    return {pillar: connect(connection, options) for pillar, options in differing.items()}


def connect(
    connection: TicketConnection, options: Mapping[str, object] | None = None
) -> TicketSystem:
    """`options`: in place of the connection's own. Raises Rejected for an unknown system, and for a
    URL or options that can't be used.
    """
    name = connection.secret_name
    system = registry.get(connection.system)
    if system is None:
        raise Rejected(f"There is no ticket system '{connection.system}'.")
    return system(
        connection.url,
        lambda: vault().get(name).value,
        connection.options if options is None else options,
        governor(),
        private_networks_allowed=private_networks(),
        forget_secret=lambda: vault().forget(name),
    )


def private_networks() -> tuple[str, ...]:
    """Networks that a ticket system may lie in although they are not public.

    Given by the operator; by default none, but loopback where the vault itself is on loopback: an
    installation whose secrets come from this very machine is a laboratory.
    """
    if settings.ALLOWED_PRIVATE_NETWORKS is not None:
        return tuple(settings.ALLOWED_PRIVATE_NETWORKS)
    host = urlsplit(settings.AZURE_KEY_VAULT_URL).hostname or ""
    try:
        is_lab = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_lab = False
    return LOOPBACK if is_lab else ()
