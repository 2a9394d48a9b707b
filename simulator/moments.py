"""Points in time as Microsoft writes them: UTC, seven fractional digits, a trailing Z."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?)?(Z|[+-]\d\d:?\d\d)?$",
    re.IGNORECASE,
)


def now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """'2026-11-20T08:00:00.1234567Z'; the seventh digit is made up from the sixth."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{moment.microsecond % 10}Z"


def seconds_stamp(moment: datetime) -> str:
    """'2026-11-20T08:00:00Z', as sign-in records and Freshservice write it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


@lru_cache(maxsize=300_000)
def ticks(text: str) -> int:
    """100-nanosecond units since 1970; reads dates with 0 to 12 fractional digits.

    Raises ValueError when `text` is no date.
    """
    match = _ISO.match(text.strip())
    if match is None:
        raise ValueError("not a date and time")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    whole = datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        tzinfo=UTC,
    )
    shift = timedelta()
    if zone and zone not in "Zz":
        sign = 1 if zone[0] == "+" else -1
        shift = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    tail = int(((fraction or "") + "0000000")[:7])
    return int((whole - shift - EPOCH).total_seconds()) * 10_000_000 + tail


def ticks_or_zero(value: object) -> int:
    """Like `ticks`, with 0 for everything that is no date (documents may be malformed)."""
    if not isinstance(value, str):
        return 0
    try:
        return ticks(value)
    except ValueError:
        return 0


def from_stamp(text: str) -> datetime:
    return EPOCH + timedelta(microseconds=ticks(text) // 10)
