"""Posts by others than Microsoft Graph: signed hints of scripts, webhooks of ticket systems."""

from __future__ import annotations

import re
import time
import uuid

import redis
from django.http import HttpRequest, HttpResponse

from csc_portal.hints import ALERT_ID, GRAPH, LOOK, MOST, TICKETS, Hint, connect, is_first_use
from csc_portal.ingress.bodies import Refused, parse_object, read_body
from csc_portal.ingress.bounds import plain
from csc_portal.ingress.door import Visit, away, keys, note
from tenants.push_keys import is_hint_signed, is_webhook_token

CLOCK_S = 300
"""How far a signer's clock may be from ours."""
_SECONDS = re.compile(r"[0-9]{9,11}")


def hint(request: HttpRequest, tenant: uuid.UUID) -> HttpResponse:
    """A customer's script says "look now", signed with the tenant's hint key (docs/push.md).

    The body is empty or {"ids": [alert ids]}. 401: no valid signature, or not in time. 409: this
    very post was taken before.
    """
    visit = Visit(request)
    try:
        body = read_body(request, visit.most_bytes)
    except Refused as err:
        return visit.refuse(err)
    timestamp = request.headers.get("X-CSC-Timestamp", "")
    signature = request.headers.get("X-CSC-Signature", "").removeprefix("v1=").lower()
    is_signed = is_hint_signed(keys(), tenant, timestamp, body, signature)
    if not (is_signed and _is_in_time(timestamp)):
        return visit.unproven(plain("The signature is missing, wrong or too old.", 401))
    hints = _hints(body)
    try:
        if not is_first_use(connect(), signature, 2 * CLOCK_S):
            return plain("This post was taken before. Sign each with a new timestamp.", 409)
    except redis.RedisError:
        return away()
    return note(GRAPH, {tenant: hints})


def _is_in_time(timestamp: str) -> bool:
    return bool(_SECONDS.fullmatch(timestamp)) and abs(time.time() - int(timestamp)) <= CLOCK_S


def _hints(body: bytes) -> set[Hint]:
    ids = parse_object(body).get("ids", []) if body.strip() else []
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise Refused(400, "The field ids must be a list of strings.")
    if not all(ALERT_ID.fullmatch(one) for one in ids):
        raise Refused(400, "The field ids holds something that is no alert id.")
    return {Hint("alert", "", one) for one in ids} if 0 < len(ids) <= MOST else {LOOK}


def tickets(request: HttpRequest, connection: uuid.UUID) -> HttpResponse:
    """A ticket changed. The body is not read for content: it may name people."""
    visit = Visit(request)
    try:
        read_body(request, visit.most_bytes)
    except Refused as err:
        return visit.refuse(err)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.headers.get("X-CSC-Token", "")
    if not is_webhook_token(keys(), connection, token.strip()):
        return visit.unproven(plain("The token is missing or wrong.", 401))
    return note(TICKETS, {connection: {Hint("tickets")}})
