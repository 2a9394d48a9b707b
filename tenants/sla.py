"""How soon a case has to be touched and resolved. Pure.

`Tenant.sla` holds what differs from the default, by severity:

    {"high": {"touch_minutes": 30, "resolve_minutes": 480}, ...}

None instead of a number means that there is no such promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SEVERITIES = ("high", "medium", "low", "informational")
LONGEST_MINUTES = 60 * 24 * 90


@dataclass(frozen=True, slots=True)
class Promise:
    """Minutes from the opening of a case to its first touch and to its end; None: no promise."""

    touch_minutes: int | None
    resolve_minutes: int | None


DEFAULTS: Mapping[str, Promise] = {
    "high": Promise(30, 8 * 60),
    "medium": Promise(2 * 60, 24 * 60),
    "low": Promise(8 * 60, 72 * 60),
    "informational": Promise(None, None),
}
NO_PROMISE = Promise(None, None)


def promise_for(sla: Mapping[str, object], severity: str) -> Promise:
    """What is promised for a case of this severity; what is not said is the default."""
    default = DEFAULTS.get(severity, NO_PROMISE)
    said = sla.get(severity)
    if not isinstance(said, Mapping):
        return default
    return Promise(
        _minutes(said, "touch_minutes", default.touch_minutes),
        _minutes(said, "resolve_minutes", default.resolve_minutes),
    )


def _minutes(said: Mapping[str, object], name: str, default: int | None) -> int | None:
    value = said.get(name, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        return default
    return value if 0 < value <= LONGEST_MINUTES else default


def as_stored(promises: Mapping[str, Promise]) -> dict[str, object]:
    """For `Tenant.sla`: what differs from the default."""
    return {
        severity: {
            "touch_minutes": promise.touch_minutes,
            "resolve_minutes": promise.resolve_minutes,
        }
        for severity, promise in promises.items()
        if promise != DEFAULTS.get(severity)
    }
