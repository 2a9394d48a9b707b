"""What polling costs and how late it learns of alerts: a day of 500 tenants, in simulated time.

Ours is `csc_portal.polling` as it is, with all other requests that keep the feed whole (hourly
counts, incidents, hints), against polls at a fixed interval. Arrivals are a model, not measured:

    rates     alerts a day by tenant: log-normal, median 6, mean about 22; few tenants make most
    changes   each alert is changed 1.5 times on average within hours, which polls read, too
    day       each tenant has its own midnight; at night a fifth as much as at noon
    bursts    half of the alerts come in groups of 5 on average, minutes apart
    push      a fifth of the tenants; a hint comes after a median of 20 s, one of 20 is lost

The first simulated day only fills the rates that the pace depends on; the second one counts.
"""

from __future__ import annotations

import math
import random
import statistics
import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from alerts.incidents import AFTER_CHANGES, AT_REST
from benchmarks.lab.report import options, p95, progress, show
from csc_portal.polling import Pace, next_poll

HOUR_S, DAY_S = 3600.0, 86400.0
START = datetime(2026, 11, 18, tzinfo=UTC)
PAGE = 100
BEAT_S = 2.0
READ_S = 0.5
"""From the request to stored rows, so that nothing is learned in no time."""
HINT_MEDIAN_S, HINT_SPREAD, HINTS_LOST = 20.0, 0.8, 0.05
BASELINES = {"fixed_1_min": 60.0, "fixed_5_min": 300.0, "fixed_15_min": 900.0}


@dataclass(frozen=True, slots=True)
class Tenant:
    """Times in seconds since START, in order. `changes` has the alerts' own times as well."""

    number: int
    alerts: list[float]
    changes: list[float]
    has_push: bool


@dataclass(slots=True)
class Outcome:
    """Of the second day."""

    requests: int = 0
    delays: list[float] = field(default_factory=list)

    def figures(self, tenants: int) -> dict[str, float]:
        return {
            "requests_per_tenant_hour": round(self.requests / tenants / 24, 2),
            "delay_p50_s": round(statistics.median(self.delays), 1),
            "delay_p95_s": round(p95(self.delays), 1),
        }


def main() -> None:
    arguments = options(__doc__)
    count = 200 if arguments.quick else 500
    progress(f"{count} tenants")
    tenants = [tenant(number) for number in range(1, count + 1)]
    outcomes = {"adaptive": total(tenants, adaptive)}
    pushed = [one for one in tenants if one.has_push]
    polled = [one for one in tenants if not one.has_push]
    for name, interval_s in BASELINES.items():
        outcomes[name] = total(tenants, lambda one, s=interval_s: fixed(one, s))
    parts = {
        "adaptive, tenants with push": (total(pushed, adaptive), len(pushed)),
        "adaptive, tenants without": (total(polled, adaptive), len(polled)),
    }
    for times in (1 / 4, 4):
        varied = [tenant(number, times) for number in range(1, count + 1)]
        parts[f"adaptive, {times:g} x the alerts"] = total(varied, adaptive), count
    _report(outcomes, parts, tenants, as_json=arguments.json)


def total(tenants: list[Tenant], policy: Callable[[Tenant], Outcome]) -> Outcome:
    found = Outcome()
    for one in tenants:
        outcome = policy(one)
        found.requests += outcome.requests
        found.delays += outcome.delays
    return found


# --- arrivals -------------------------------------------------------------------------------------


def tenant(number: int, times: float = 1) -> Tenant:
    """The same for the same number. `times` as many alerts."""
    dice = random.Random(number)
    per_day = times * 6 * math.exp(dice.gauss(0, 1.6))
    midnight = dice.choice([0, 1, 1, 1, 2, 6, 9, 17]) * HOUR_S
    alerts: list[float] = []
    at = 0.0
    while True:
        # Half of the alerts come in groups of 5, so a sixth of all beginnings is a group. The mean
        # size makes up for what the nights leave out.
        at += dice.expovariate(per_day / DAY_S)
        if at >= 2 * DAY_S:
            break
        if dice.random() > _daylight(at + midnight):
            continue
        one = at
        for _ in range(_geometric(dice, 5) if dice.random() < 1 / 6 else 1):
            alerts.append(one)
            one += dice.expovariate(1 / 180)
    alerts = sorted(one for one in alerts if one < 2 * DAY_S)
    later = [
        one + dice.expovariate(1 / (2 * HOUR_S))
        for one in alerts
        for _ in range(_geometric(dice, 2.5) - 1)
    ]
    return Tenant(number, alerts, sorted(alerts + later), dice.random() < 0.2)


def _daylight(at: float) -> float:
    """A fifth at midnight, all at noon."""
    return 0.6 - 0.4 * math.cos(2 * math.pi * at / DAY_S)


def _geometric(dice: random.Random, mean: float) -> int:
    return 1 + int(math.log(1 - dice.random()) / math.log(1 - 1 / mean))


# --- policies -------------------------------------------------------------------------------------


def fixed(one: Tenant, interval_s: float) -> Outcome:
    """A poll every so often, each tenant at a phase of its own."""
    outcome = Outcome()
    before, at = 0.0, zlib.crc32(one.number.to_bytes(8, "big")) / 2**32 * interval_s
    while at < 2 * DAY_S:
        _poll(one, outcome, before, at)
        before, at = at, at + interval_s
    return outcome


def adaptive(one: Tenant) -> Outcome:
    """As pipeline.note_success: after each poll the next is set by the changes read lately.

    Besides, one count an hour (alerts.reconcile), and incidents as alerts.incidents.is_due says.
    """
    outcome = Outcome()
    heard = _heard(one) if one.has_push else {}
    for at in heard.values():
        outcome.requests += at >= DAY_S
    outcome.requests += 24
    before, at, incidents_at = 0.0, 60.0, 0.0
    while at < 2 * DAY_S:
        changed = _poll(one, outcome, before, at, heard)
        if at >= incidents_at + (AFTER_CHANGES if changed else AT_REST).total_seconds():
            outcome.requests += at >= DAY_S
            incidents_at = at
        before, at = at, _next_turn(one, at)
    return outcome


def _poll(
    one: Tenant,
    outcome: Outcome,
    before: float,
    at: float,
    heard: Mapping[float, float] = MappingProxyType({}),
) -> int:
    """Read what changed; how much that was. An alert of which a hint told is known already."""
    changed = _count(one.changes, before, at)
    if at >= DAY_S:
        outcome.requests += max(1, math.ceil(changed / PAGE))
    for came_at in one.alerts[bisect_right(one.alerts, before) : bisect_right(one.alerts, at)]:
        if came_at >= DAY_S:
            learned_at = min(at, heard.get(came_at, at))
            outcome.delays.append(learned_at + READ_S - came_at)
    return changed


def _next_turn(one: Tenant, at: float) -> float:
    now = START + timedelta(seconds=at)
    rate = max(
        _count(one.changes, at - DAY_S, at) / 24, _count(one.changes, at - HOUR_S / 4, at) * 4
    )
    pace = Pace(rate, now if one.has_push else None)
    due = (next_poll(one.number, pace, now) - START).total_seconds()
    return math.ceil(due / BEAT_S) * BEAT_S


def _heard(one: Tenant) -> dict[float, float]:
    """When a hint tells of each change, by the time of the change; lost ones are left out."""
    dice = random.Random(-one.number)
    return {
        at: at + HINT_MEDIAN_S * math.exp(dice.gauss(0, HINT_SPREAD))
        for at in one.changes
        if dice.random() > HINTS_LOST
    }


def _count(times: list[float], after: float, until: float) -> int:
    return bisect_right(times, until) - bisect_right(times, after)


# --- report ---------------------------------------------------------------------------------------


def _report(
    outcomes: dict[str, Outcome],
    parts: dict[str, tuple[Outcome, int]],
    tenants: list[Tenant],
    *,
    as_json: bool,
) -> None:
    figures = {name: outcome.figures(len(tenants)) for name, outcome in outcomes.items()}
    ours = figures.pop("adaptive")
    result = {"tenants": len(tenants), **ours, **figures}
    rows = [{"policy": name} | row for name, row in {"adaptive": ours, **figures}.items()]
    rows += [{"policy": name} | outcome.figures(count) for name, (outcome, count) in parts.items()]
    per_day = sorted(_count(one.alerts, DAY_S, 2 * DAY_S) for one in tenants)
    arrivals = [
        {
            "alerts that day": sum(per_day),
            "median tenant": per_day[len(per_day) // 2],
            "busiest tenant": per_day[-1],
        }
    ]
    show([result], [rows, arrivals], NOTES, as_json=as_json)


NOTES = """\
Simulated time, modelled arrivals. requests_per_tenant_hour counts every request to Graph: polls and
their further pages; for ours also hints, hourly counts and incidents. Delays are of new alerts,
from Microsoft's first answer that would hold them to the poll or hint that read them."""


if __name__ == "__main__":
    main()
