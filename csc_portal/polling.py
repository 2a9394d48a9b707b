"""How often a tenant is polled. Pure.

    interval = `longest` / sqrt(1 + alerts per hour)    from `shortest` (60 s) to `longest` (600 s)
    interval = 1.5 x `longest` while push is healthy: then a poll is a safety net only
    interval = `shortest` x 2^failures after failures, at most an hour

The root, because it makes the mean delay of all alerts least for a given number of requests: twice
the alerts are worth 1.4 times the polls. What it costs and brings: benchmarks/graph_cost.py.

A tenant's own phase, from its id, spreads polls evenly over the interval.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt

WITH_PUSH = 1.5
FAILING_S = 3600.0
PUSH_IS_HEALTHY_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Pace:
    """What the interval depends on.

    `alerts_per_hour`: new and updated ones, the mean of the last day, or of the last quarter of an
    hour if that is higher, because alerts come in bursts.
    """

    alerts_per_hour: float
    push_healthy_at: datetime | None = None
    failures: int = 0
    shortest_s: float = 60.0
    longest_s: float = 600.0


def interval_s(pace: Pace, now: datetime) -> float:
    """Seconds until the next poll, before spreading."""
    if pace.failures:
        return min(FAILING_S, pace.shortest_s * 2.0 ** min(pace.failures, 12))
    if pace.push_healthy_at and now - pace.push_healthy_at < PUSH_IS_HEALTHY_FOR:
        return WITH_PUSH * pace.longest_s
    return max(pace.shortest_s, pace.longest_s / sqrt(1 + pace.alerts_per_hour))


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
