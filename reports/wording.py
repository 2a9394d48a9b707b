"""Numbers, times and names as a report says them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.products import SOURCES

PILLARS = {
    "identity": "Identity",
    "device": "Device",
    "app": "App",
    "data": "Data",
    "infrastructure": "Infrastructure",
    "none": "None of these",
}
SEVERITIES = ("high", "medium", "low", "informational", "unknown")
VERDICTS = {
    "truePositive": "True positive: a real attack or abuse",
    "informationalExpectedActivity": "Expected activity",
    "falsePositive": "False positive: nothing happened",
    "": "Closed without a verdict",
}
METHODS = {
    "fido2": "Security key or passkey",
    "hello": "Windows Hello",
    "platform": "Key of the device",
    "certificate": "Certificate",
    "app": "Authenticator app",
    "code": "One-time code",
}
STATES = {
    "watched": "Watched",
    "unwatched": "Not watched",
    "exempt": "Exempt, for a reason and a time",
    "ignored": "Kinds that need no watching",
    "unknown": "Not known: no rule yet, or tags not readable",
}
NONE = "\N{EN DASH}"


def number(value: int) -> str:
    return f"{value:,}"


def percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} %"


def signed(value: float) -> str:
    """A change, with a minus that is as wide as the plus."""
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")


def minutes(value: float | None) -> str:
    """ "35 min", "3 h 20 min", "2 d 4 h"."""
    if value is None:
        return NONE
    whole = round(value)
    days, rest = divmod(whole, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{left} min"


def many(count: int, one: str, more: str = "") -> str:
    """ "1 case", "2 cases"."""
    return f"{number(count)} {one if count == 1 else more or one + 's'}"


def product(source: str) -> str:
    return SOURCES.get(source, source) or "Not told"


def by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest first; of the same size by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def listed(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
