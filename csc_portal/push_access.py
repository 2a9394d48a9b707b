"""Addresses and secrets that a customer's own systems need to call the ingress.

They are derived from the master key, never stored; whoever shows them records that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from tenants.directories import master_keys
from tenants.models import TicketConnection
from tenants.push_keys import webhook_token


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    token: str = field(repr=False)


def ticket_webhook(connection: TicketConnection) -> Webhook:
    """Where the ticket system tells of changed tickets, and the token that it sends along."""
    base = settings.PUBLIC_INGRESS_URL.rstrip("/")
    token = webhook_token(master_keys()[0][1], connection.public_id)
    return Webhook(f"{base}/webhooks/tickets/{connection.public_id}/", token)
