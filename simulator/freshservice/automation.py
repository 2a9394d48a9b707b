"""The Workflow Automator's "Trigger Webhook": calls a chosen URL when a ticket was changed.

As published there is no signature, only headers that the admin writes; the body holds what the
admin put into it by placeholders. One attempt an event, as the automator makes it.
"""

import asyncio
import logging

import requests

from simulator.freshservice.account import Account
from simulator.store import Document

logger = logging.getLogger(__name__)
TIMEOUT_S = 10
_running: set[asyncio.Future[None]] = set()


def fire(account: Account, ticket: Document) -> None:
    """In the background; nothing happens without a webhook, or outside of a running server."""
    if account.webhook is None:
        return
    body = {
        "ticket_id": ticket["id"],
        "ticket_status": ticket["status"],
        "ticket_subject": ticket["subject"],
        "ticket_latest_comment": "…",
    }
    loop = asyncio.get_running_loop()
    task = loop.run_in_executor(None, _post, account.webhook, body)
    _running.add(task)
    task.add_done_callback(_running.discard)


def _post(webhook: Document, body: Document) -> None:
    try:
        requests.post(
            webhook["url"], json=body, headers=webhook.get("headers"), timeout=TIMEOUT_S,
            allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException as err:
        logger.warning("webhook not delivered error=%s", type(err).__name__)
