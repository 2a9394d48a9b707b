"""Cursors: where a list goes on. Opaque to callers, checked by us, and only good for the query that
they came from: a cursor of another one would leave rows out in silence.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.http import QueryDict

from csc_portal.api.problems import FieldError, Problem, bad_fields

DEFAULT_LIMIT = 50
MOST = 200
PAGING = frozenset({"cursor", "limit"})
_LONGEST = 600
MOST_ID = 2**62
"""No row has a higher number."""


def limit_of(query: QueryDict, most: int = MOST) -> int:
    """1 to `most`. Raises Problem."""
    text = query.get("limit", str(min(DEFAULT_LIMIT, most)))
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= most):
        raise bad_fields(FieldError("limit", f"A number from 1 to {most}."))
    return int(text)


def cursor_for(query: QueryDict, values: list[Any]) -> str:
    """`values`: what JSON can hold."""
    found = orjson.dumps([_digest(query), *values])
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


def cursor_of(query: QueryDict, kinds: tuple[type, ...]) -> list[Any] | None:
    """The values of the query's cursor; None without one. Raises Problem."""
    text = query.get("cursor", "")
    if not text:
        return None
    values = _decoded(text)
    if values is None or len(values) != len(kinds) + 1 or values[0] != _digest(query):
        raise bad_fields(
            FieldError("cursor", "Take it from the answer before, with the same filters.")
        )
    if not all(type(one) is kind for one, kind in zip(values[1:], kinds, strict=True)):
        raise bad_cursor()
    return values[1:]


def place_of(query: QueryDict, usual: int, most: int) -> int:
    """The cursor of a list that goes on at a number, from 0 to `most`; `usual` without one.

    Raises Problem.
    """
    values = cursor_of(query, (int,))
    place: int = values[0] if values else usual
    if not 0 <= place <= most:
        raise bad_cursor()
    return place


def bad_cursor() -> Problem:
    """Of one that holds what none of ours does."""
    return bad_fields(FieldError("cursor", "This is none of the portal's cursors."))


def _decoded(text: str) -> list[Any] | None:
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = orjson.loads(raw)
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, list) else None


def _digest(query: QueryDict) -> str:
    """Of everything but where and how much."""
    pairs = sorted((n, v) for n, vs in query.lists() if n not in PAGING for v in vs)
    return hashlib.sha256(repr(pairs).encode()).hexdigest()[:16]


def page(items: Sequence[Mapping[str, Any]], next_cursor: str = "", **more: Any) -> dict[str, Any]:
    """The envelope of every list."""
    return {"items": items, "next": next_cursor or None, **more}
