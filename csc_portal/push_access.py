"""How a customer's own systems call the ingress: addresses, and secrets derived for each.

They are derived from the master key, never stored; whoever shows them records that.
"""

from __future__ import annotations

from django.conf import settings

from tenants.directories import master_keys
from tenants.models import TicketConnection
from tenants.push_keys import webhook_token
from ticketing.webhooks import WebhookGuide, describe_webhook


def ticket_webhook(connection: TicketConnection) -> WebhookGuide:
    """What to type into the ticket system, so that it tells of changed tickets."""
    token = webhook_token(master_keys()[0][1], connection.public_id)
    return describe_webhook(
        connection.system, settings.PUBLIC_INGRESS_URL, str(connection.public_id), token
    )
