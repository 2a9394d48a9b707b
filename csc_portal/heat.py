"""The ledger as a heat map: tenants in rows, the last 24 hours in columns, a state for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import localtime

from alerts.feed import SOURCE
from alerts.models import Poll
from alerts.rows import run
from tenants.models import Tenant
from tenants.scope import scope

HOURS = 24
WORST_FIRST = (
    Poll.State.GAP,
    Poll.State.FAILED,
    Poll.State.RETRYING,
    Poll.State.PLANNED,
    Poll.State.FETCHED,
)
WORDS = {
    Poll.State.GAP: "gap",
    Poll.State.FAILED: "failed, tried again hourly",
    Poll.State.RETRYING: "being tried again",
    Poll.State.PLANNED: "in flight",
    Poll.State.FETCHED: "fetched",
    "": "not read",
}
# Counts belong to the hour in which a window ends; its state to every hour that it covers.
WINDOWS = """
SELECT h.n, array_agg(DISTINCT p.state),
  count(*) FILTER (WHERE p.until > h.begins AND p.until <= h.ends),
  coalesce(sum((p.counts->>'fetched')::int) FILTER (WHERE p.until > h.begins AND p.until <= h.ends), 0),
  coalesce(sum((p.counts->>'new')::int) FILTER (WHERE p.until > h.begins AND p.until <= h.ends), 0),
  coalesce(max(p.error) FILTER (WHERE p.state <> 'fetched'), '')
FROM (
  SELECT n, %s + n * interval '1 hour' AS begins, %s + (n + 1) * interval '1 hour' AS ends
  FROM generate_series(0, %s) AS n
) AS h
JOIN alerts_poll p ON p.since < h.ends AND coalesce(p.until, %s) > h.begins
WHERE p.source = %s AND NOT p.is_extra
GROUP BY h.n
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of one tenant. `state` is the worst of its windows, empty if there is none."""

    hour: datetime
    state: str = ""
    windows: int = 0
    fetched: int = 0
    new: int = 0
    error: str = ""

    @property
    def words(self) -> str:
        """What the tooltip and a screen reader say."""
        text = f"{localtime(self.hour):%H:%M %Z}: {WORDS[self.state]}"
        if self.windows:
            windows = "1 window" if self.windows == 1 else f"{self.windows} windows"
            text += f", {windows}, {self.fetched} fetched, {self.new} new"
        return f"{text}. {self.error}" if self.error else text


@dataclass(frozen=True, slots=True)
class Row:
    tenant: Tenant
    cells: Sequence[Cell]


def heat_map(tenants: Iterable[Tenant], now: datetime) -> list[Row]:
    """One query a tenant, in its own scope; the caller bounds how many tenants."""
    begins = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    return [Row(tenant, _cells(tenant, begins, now)) for tenant in tenants]


def _cells(tenant: Tenant, begins: datetime, now: datetime) -> list[Cell]:
    with scope(tenant):
        found = run(WINDOWS, [begins, begins, HOURS - 1, now, SOURCE])
    by_hour = {
        number: (next(state for state in WORST_FIRST if state in states), *rest)
        for number, states, *rest in found
    }
    hours = [begins + timedelta(hours=number) for number in range(HOURS)]
    return [Cell(hour, *by_hour.get(number, ())) for number, hour in enumerate(hours)]
