"""Change and lifecycle notifications of Microsoft Graph.

An item is believed if its `clientState` was made by us for the item's directory, whatever the URL:
a post may mix tenants. Everything else is answered as if it had been taken, so a stranger learns
nothing. Nothing is stored but a hint. Encrypted content, which we never ask for, is not read.
https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

import html
import re
import uuid
from collections import defaultdict
from functools import cache

from django.http import HttpRequest, HttpResponse

from clients.errors import ApiError
from clients.microsoft.validation_tokens import TokenChecker
from csc_portal.hints import ALERT_ID, GRAPH, LOOK, Hint
from csc_portal.ingress.bodies import Item, Refused, read_items, read_json, read_tokens
from csc_portal.ingress.bounds import plain
from csc_portal.ingress.door import Visit, away, keys, note
from tenants.directories import cloud
from tenants.push_keys import Proven, prove_client_state

LONGEST_TOKEN = 2000
EVENTS = {"reauthorizationRequired", "subscriptionRemoved", "missed"}
_MARKUP = re.compile(r"<[a-z]*[\s/!?]|<script", re.IGNORECASE)


def receive(request: HttpRequest, tenant: uuid.UUID) -> HttpResponse:
    """202: taken. 503: try again. The tenant in the URL only tells Microsoft's posts apart."""
    visit = Visit(request)
    if "validationToken" in request.GET:
        return _shake_hands(request.GET["validationToken"])
    try:
        document = read_json(request, visit.most_bytes)
        items = read_items(document)
    except Refused as err:
        return visit.refuse(err)
    proven = _proven(items)
    if not proven:
        return visit.unproven(plain("", 202))
    tokens = read_tokens(document)
    if tokens:
        try:
            proven = _vouched(proven, tokens)
        except ApiError:
            return away()
    found: defaultdict[uuid.UUID, set[Hint]] = defaultdict(set)
    for item, proof, _ in proven:
        found[proof.tenant].add(_hint(item))
    return note(GRAPH, found)


def _shake_hands(token: str) -> HttpResponse:
    """Graph checks a new URL: the token back, as plain text. Real ones hold no markup."""
    if not 0 < len(token) <= LONGEST_TOKEN:
        return plain("The validation token can't be used.", 400)
    return plain(html.escape(token) if _MARKUP.search(token) else token)


def _proven(items: list[Item]) -> list[tuple[Item, Proven, uuid.UUID]]:
    found = []
    masters = keys()
    for item in items:
        directory = _guid(item.directory)
        if directory is None:
            continue
        proof = prove_client_state(masters, item.client_state, directory)
        if proof is not None:
            found.append((item, proof, directory))
    return found


def _vouched(
    proven: list[tuple[Item, Proven, uuid.UUID]], tokens: list[str]
) -> list[tuple[Item, Proven, uuid.UUID]]:
    """Those for whose app and directory there is a genuine token. Raises ApiError."""
    pairs = _checker().genuine(tokens)
    return [one for one in proven if (one[1].client_id, one[2]) in pairs]


@cache
def _checker() -> TokenChecker:
    return TokenChecker(cloud().login)


def _hint(item: Item) -> Hint:
    subscription = _guid(item.subscription)
    name = str(subscription) if subscription else ""
    if item.event:
        return Hint("lifecycle", name, item.event if item.event in EVENTS else "unknown")
    if ALERT_ID.fullmatch(item.alert_id):
        return Hint("alert", name, item.alert_id)
    return Hint(LOOK.kind, name)


def _guid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
