"""The query language of the tickets filter: "priority:3 AND (status:2 OR tag:'x')"."""

import re
from collections.abc import Callable
from typing import Any

from simulator import moments
from simulator.store import Document

LONGEST = 512
FIELDS = {
    "agent_id": "responder_id", "group_id": "group_id", "priority": "priority", "status": "status",
    "impact": "impact", "urgency": "urgency", "tag": "tags", "due_by": "due_by",
    "fr_due_by": "fr_due_by", "created_at": "created_at", "updated_at": "updated_at",
    "workspace_id": "workspace_id", "requester_id": "requester_id", "type": "type",
    "category": "category", "department_id": "department_id",
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[()])|(?P<word>AND|OR)\b|(?P<term>[a-z_]+:(?:[<>])?(?:'[^']*'|[^\s()]+)))"
)
_TERM = re.compile(r"([a-z_]+):([<>]?)('[^']*'|[^\s()]+)$")
Keep = Callable[[Document], bool]


class BadQuery(ValueError):
    """In the service's words."""


def parse(text: str) -> Keep:
    if len(text) > LONGEST:
        raise BadQuery(f"Has {len(text)} characters, it can have maximum of {LONGEST} characters")
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise BadQuery("Given query is invalid. It should be enclosed in double quotes")
    tokens, place, body = [], 0, text[1:-1].rstrip()
    while place < len(body):
        match = _TOKEN.match(body, place)
        if match is None:
            raise BadQuery("Given query is invalid")
        tokens.append(match.group(str(match.lastgroup)))
        place = match.end()
    keep = _either(tokens)
    if tokens or not body:
        raise BadQuery("Given query is invalid")
    return keep


def _or(one: Keep, other: Keep) -> Keep:
    return lambda row: one(row) or other(row)


def _and(one: Keep, other: Keep) -> Keep:
    return lambda row: one(row) and other(row)


def _either(tokens: list[str]) -> Keep:
    found = _both(tokens)
    while tokens[:1] == ["OR"]:
        tokens.pop(0)
        found = _or(found, _both(tokens))
    return found


def _both(tokens: list[str]) -> Keep:
    found = _single(tokens)
    while tokens[:1] == ["AND"]:
        tokens.pop(0)
        found = _and(found, _single(tokens))
    return found


def _single(tokens: list[str]) -> Keep:
    if not tokens:
        raise BadQuery("Given query is invalid")
    token = tokens.pop(0)
    if token == "(":
        group = _either(tokens)
        if tokens[:1] != [")"]:
            raise BadQuery("Given query is invalid")
        tokens.pop(0)
        return group
    match = _TERM.match(token)
    if match is None:
        raise BadQuery("Given query is invalid")
    name, sign, value = match.groups()
    if name not in FIELDS:
        raise BadQuery(f"Unexpected/invalid field in request: {name}")
    return _test(FIELDS[name], sign, value.strip("'"))


def _test(field: str, sign: str, wanted: str) -> Keep:
    def compare(value: Any) -> bool:
        if wanted == "null":
            return value is None
        if sign:
            left, right = moments.ticks_or_zero(str(value)), moments.ticks_or_zero(wanted)
            return left > right if sign == ">" else left < right
        return str(value).lower() == wanted.lower()

    def keep(row: Document) -> bool:
        value = row.get(field)
        return any(compare(one) for one in value) if isinstance(value, list) else compare(value)

    return keep


def as_indexed(ticket: Document, border: float) -> Document | None:
    """The ticket as the index knows it: as it was before its last change while that is fresh."""
    if ticket.get("_indexed", 0) <= border:
        return ticket
    before = ticket.get("_before")
    return before or None
