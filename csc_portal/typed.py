"""Texts as values: of forms and addresses, where anything may stand, and times of our own JSON."""

from __future__ import annotations

import uuid
from datetime import datetime
from urllib.parse import SplitResult, urlsplit


def uuid_of(text: str) -> uuid.UUID | None:
    """None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def number_of(text: str) -> int:
    """A number that a row can have; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def split_address(text: str) -> SplitResult:
    """Of an address that a browser says it is at; without any part for what is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def moment_of(text: object) -> datetime | None:
    """A time that we wrote as ISO 8601 into JSON; None for nothing."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
