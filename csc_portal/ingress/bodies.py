"""Bodies of posts, treated as hostile: bounded, UTF-8, JSON as promised, or a clear 4xx."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from django.http import HttpRequest

MOST_BYTES = 1024 * 1024
MOST_BYTES_SUSPECT = 32 * 1024
"""For an address that posted too much that proved nothing."""
MOST_ITEMS = 1000


class Refused(Exception):
    """A post that can't be taken; `reason` is our own words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def read_body(request: HttpRequest, most: int = MOST_BYTES) -> bytes:
    """The body, at most so many bytes; also without a Content-Length (chunked)."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415, "Send the body without Content-Encoding.")
    length = request.headers.get("Content-Length", "")
    if length and not re.fullmatch(r"[0-9]{1,18}", length):
        raise Refused(400, "Content-Length is no number.")
    if length and int(length) > most:
        raise Refused(413, f"A body has at most {most} bytes.")
    try:
        if length:
            return request.read(int(length))
        body: bytes = request.META["wsgi.input"].read(most + 1)
    except (OSError, ValueError) as err:  # cut off, or no chunks
        raise Refused(400, "The body can't be read.") from err
    if len(body) > most:
        raise Refused(413, f"A body has at most {most} bytes.")
    return body


def read_json(request: HttpRequest, most: int = MOST_BYTES) -> dict[str, object]:
    """The JSON object in the body."""
    if request.content_type != "application/json":
        raise Refused(415, "Send application/json.")
    charset = (request.content_params or {}).get("charset", "utf-8").strip("\"'").lower()
    if charset not in {"utf-8", "utf8"}:
        raise Refused(415, "Send UTF-8.")
    return parse_object(read_body(request, most))


def parse_object(body: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(body)  # refuses deep nesting and what is no UTF-8
    except orjson.JSONDecodeError as err:
        raise Refused(400, "The body is no JSON.") from err
    if not isinstance(found, dict):
        raise Refused(400, "The body is no JSON object.")
    return found


@dataclass(frozen=True, slots=True)
class Item:
    """One notification: what we use of it. All fields are untrusted text, '' where missing.

    `alert_id` is empty when the notification is about something else than an alert.
    """

    client_state: str
    directory: str
    subscription: str
    alert_id: str
    event: str


_ALERT = re.compile(r"security/alerts(?:_v2)?(?:/|\('|$)", re.IGNORECASE)


def read_items(document: dict[str, object]) -> list[Item]:
    """The notifications in `value`; those of another shape are left out. Raises Refused."""
    value = document.get("value")
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise Refused(400, f"The field value must be a list of at most {MOST_ITEMS} items.")
    items = [_item(item) for item in value if isinstance(item, dict)]
    if len(items) < len(value) and not items:
        raise Refused(400, "The items of value must be objects.")
    return items


def _item(item: dict[str, object]) -> Item:
    data = item.get("resourceData")
    resource = _word(item, "resource").lstrip("/").removeprefix("v1.0/").removeprefix("beta/")
    alert_id = _word(data, "id") if isinstance(data, dict) and _ALERT.match(resource) else ""
    return Item(
        client_state=_word(item, "clientState"),
        directory=_word(item, "tenantId"),
        subscription=_word(item, "subscriptionId"),
        alert_id=alert_id,
        event=_word(item, "lifecycleEvent"),
    )


def _word(value: dict[str, object], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) and len(found) <= 1000 else ""


def read_tokens(document: dict[str, object]) -> list[str]:
    """The `validationTokens` of a rich notification; none for a basic one."""
    found = document.get("validationTokens") or ()
    tokens: Iterable[object] = found if isinstance(found, list) else ()
    return [token for token in tokens if isinstance(token, str)][:20]
