"""Sums over the shared queue for pictures: by the hour, by the day, and what goes together.

All are bounded: of a long queue the newest are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.rows import run
from tenants.models import PILLARS
from tenants.scope import granted

MOST_AN_HOUR = 1000
MOST_A_DAY = 10_000
NEWEST = 5_000
MOST_DETECTIONS = 300

_HOURS = """
SELECT h.hour, c.open, c.high
FROM generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS h(hour)
CROSS JOIN LATERAL (
  SELECT count(*) AS open, count(*) FILTER (WHERE severity = 4) AS high FROM (
    SELECT q.severity FROM tenants_queueentry q
    WHERE q.tenant_id = ANY(%s) AND q.status < 2
      AND q.last_activity_at >= h.hour AND q.last_activity_at < h.hour + interval '1 hour'
    LIMIT %s) AS bounded
) AS c ORDER BY h.hour
"""
_DAYS = """
SELECT d.day, c.pillars, c.number
FROM generate_series(%s::timestamptz, %s::timestamptz, interval '1 day') AS d(day)
CROSS JOIN LATERAL (
  SELECT bounded.pillars, count(*) AS number FROM (
    SELECT q.pillars FROM tenants_queueentry q
    WHERE q.tenant_id = ANY(%s)
      AND q.last_activity_at >= d.day AND q.last_activity_at < d.day + interval '1 day'
    LIMIT %s) AS bounded GROUP BY bounded.pillars
) AS c
"""
_TOGETHER = """
SELECT pillars, count(*) FROM (
  SELECT q.pillars FROM tenants_queueentry q WHERE q.tenant_id = ANY(%s) AND q.status < 2
  ORDER BY q.last_activity_at DESC, q.id DESC LIMIT %s) AS newest
GROUP BY pillars
"""
_DETECTIONS = """
SELECT title, source, pillars, count(*), max(severity) FROM (
  SELECT q.title, q.source, q.pillars, q.severity FROM tenants_queueentry q
  WHERE q.tenant_id = ANY(%s) AND q.status < 2
  ORDER BY q.last_activity_at DESC, q.id DESC LIMIT %s) AS newest
GROUP BY title, source, pillars ORDER BY count(*) DESC, title LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Hour:
    """Open cases whose last activity fell into the hour; at most MOST_AN_HOUR are counted."""

    start: datetime
    open: int
    high: int

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=1)


def hours(tenant_ids: Sequence[int], now: datetime) -> list[Hour]:
    """The last 24, the one that has not ended included. One statement."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=23)
    with granted(tenant_ids):
        return [Hour(*row) for row in run(_HOURS, [first, last, list(tenant_ids), MOST_AN_HOUR])]


@dataclass(frozen=True, slots=True)
class Day:
    """Cases, open or not, whose last activity fell into the day: number by pillar."""

    start: datetime
    numbers: dict[str, int]

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=1)


def days(tenant_ids: Sequence[int], now: datetime) -> list[Day]:
    """The last seven, the one that has not ended included. One statement."""
    last = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [last - timedelta(days=back) for back in range(6, -1, -1)]
    numbers = {start: dict.fromkeys(PILLARS, 0) for start in starts}
    with granted(tenant_ids):
        found = run(_DAYS, [starts[0], last, list(tenant_ids), MOST_A_DAY])
    for day, bits, number in found:
        for pillar in _pillars(bits):
            numbers[day][pillar] += number
    return [Day(start, numbers[start]) for start in starts]


def touched_together(tenant_ids: Sequence[int]) -> dict[tuple[str, str], int]:
    """(pillar, pillar) -> how many of the newest open cases touch both."""
    with granted(tenant_ids):
        groups = run(_TOGETHER, [list(tenant_ids), NEWEST])
    pairs: dict[tuple[str, str], int] = {}
    for bits, number in groups:
        touched = _pillars(bits)
        for index, one in enumerate(touched):
            for other in touched[index + 1 :]:
                pairs[one, other] = pairs.get((one, other), 0) + number
    return pairs


@dataclass(frozen=True, slots=True)
class Detection:
    """How many of the newest open cases are named so, and the worst severity among them."""

    title: str
    source: str
    cases: int
    severity: int


def top_detections(tenant_ids: Sequence[int], limit: int) -> dict[str, list[Detection]]:
    """By pillar, the commonest first."""
    with granted(tenant_ids):
        groups = run(_DETECTIONS, [list(tenant_ids), NEWEST, MOST_DETECTIONS])
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for title, source, bits, number, severity in groups:
        for pillar in _pillars(bits):
            cases, worst = sums.get((pillar, title, source), (0, 0))
            sums[pillar, title, source] = (cases + number, max(worst, severity))
    found: dict[str, list[Detection]] = {pillar: [] for pillar in PILLARS}
    for (pillar, title, source), (cases, worst) in sums.items():
        found[pillar].append(Detection(title, source, cases, worst))
    return {
        pillar: sorted(all_, key=lambda one: (-one.cases, -one.severity, one.title))[:limit]
        for pillar, all_ in found.items()
    }


def _pillars(bits: int) -> list[str]:
    return [name for bit, name in enumerate(PILLARS) if bits & 1 << bit]
