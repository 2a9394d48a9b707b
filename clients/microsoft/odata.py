"""Literals of OData filters."""

from datetime import UTC, datetime


def time_literal(at: datetime) -> str:
    """An aware time as Graph's filters want it: UTC, Z, not quoted. Raises ValueError if naive."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be sent")
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds' if utc.microsecond else 'seconds')}Z"


def text_literal(text: str) -> str:
    """A quoted string; quotes inside are doubled, so that no text can end the literal."""
    return "'" + text.replace("'", "''") + "'"
