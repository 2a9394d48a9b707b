"""Tolerant readers for fields of documents that others wrote.

They don't raise: what can't be understood reads as nothing. Strings may be null, empty or numbers;
lists may be missing, null or single objects; times may have any number of fraction digits and any
offset.
"""

import math
import re
from datetime import UTC, datetime

from tenants.canonical import clean

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ].{2,40})?", re.ASCII)
_LARGEST_NUMBER = 10**30


def text(value: object) -> str:
    """A string without control and invisible characters; numbers as text; else ""."""
    if type(value) is str:
        return clean(value) if value else ""
    if type(value) is int:
        return str(value) if -_LARGEST_NUMBER < value < _LARGEST_NUMBER else ""
    if type(value) is float and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return ""


def raw(value: object) -> str:
    """A string as it is, for functions that clean it themselves; else as `text`."""
    return value if type(value) is str else text(value)


def strings(value: object) -> list[str]:
    """The texts of a list, or of a single value where a list is expected."""
    items = value if type(value) is list else (value,)
    return [found for item in items if (found := text(item))]


def objects(value: object) -> list[dict[str, object]]:
    """The objects of a list, or a single object where a list is expected."""
    if type(value) is dict:
        return [value]
    return [item for item in value if type(item) is dict] if type(value) is list else []


def instant(value: object) -> datetime | None:
    """An aware time in UTC. Naive times count as UTC; years outside 2000 to 2099 as malformed."""
    if type(value) is not str:
        return None
    if not _DATE.fullmatch(value.strip()):
        return None
    try:
        found = datetime.fromisoformat(value.strip().upper())
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return found if 2000 <= found.year < 2100 else None
