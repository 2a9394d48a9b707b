"""How often a tenant is polled. Pure.

    quiet_s  = 3600 / (1 + alerts per hour)          the busier, the sooner something new is waiting
    interval = clamp(quiet_s / 6, 60, 600)           without push: 1 to 10 minutes
    interval = 900                                   with healthy push: a safety net only
    interval is at most what the request budget allows: 3600 x requests a poll / share of the budget

A tenant's own phase, from its id, spreads polls evenly; failures double the interval up to an hour.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

SHORTEST_S, LONGEST_S, WITH_PUSH_S, FAILING_S = 60.0, 600.0, 900.0, 3600.0
PUSH_IS_HEALTHY_FOR = timedelta(hours=24)
BUDGET_PER_HOUR = 140 * 60
"""Requests an hour that the governor lets through to one directory's alerts."""
POLLING_SHARE = 0.25
"""Of the budget; the rest is for people, hints, retries and enrichment."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the interval depends on. `alerts_per_hour`: mean of the last day, new and updated."""

    alerts_per_hour: float
    push_healthy_at: datetime | None = None
    requests_a_poll: float = 1.0
    failures: int = 0


def interval_s(pace: Pace, now: datetime) -> float:
    """Seconds until the next poll, before spreading."""
    if pace.failures:
        return min(FAILING_S, SHORTEST_S * 2.0 ** min(pace.failures, 10))
    if pace.push_healthy_at and now - pace.push_healthy_at < PUSH_IS_HEALTHY_FOR:
        wanted = WITH_PUSH_S
    else:
        quiet_s = 3600 / (1 + pace.alerts_per_hour)
        wanted = min(LONGEST_S, max(SHORTEST_S, quiet_s / 6))
    cheapest = 3600 * pace.requests_a_poll / (POLLING_SHARE * BUDGET_PER_HOUR)
    return max(wanted, cheapest)


def next_poll(tenant_id: int, pace: Pace, now: datetime) -> datetime:
    """The tenant's next turn: the next moment of its own phase of the interval."""
    interval = interval_s(pace, now)
    if pace.failures:
        return now + timedelta(seconds=interval)
    phase = zlib.crc32(tenant_id.to_bytes(8, "big")) / 2**32
    turns = now.timestamp() / interval - phase
    ahead = interval * (1 - turns % 1)
    # Never sooner than half an interval: a long poll must not be followed by another at once.
    return now + timedelta(seconds=ahead if ahead > interval / 2 else ahead + interval)
