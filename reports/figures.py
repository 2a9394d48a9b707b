"""The numbers of a report, as they are frozen: counts, minutes, percents, public words. Pure.

Times are counted so:

touched     from the opening of a case to the first thing that anybody did with it: a person here,
            in the ticket system or at Microsoft, or the portal when it closed it by itself
resolved    from the opening of a case to its last end, for cases that are closed
in time     at most the promised minutes
late        later, or not yet although the promised time is over
share       in time / (in time + late); what is neither yet counts in neither

A case belongs to the period in which it was opened, an alert to that in which it was read; what was
closed by itself, to that of the decision. Merged cases count as the one that goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

Counts = dict[str, int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Handled:
    """Cases that were opened and alerts that were read. Products by the id that Microsoft uses.

    `days`: alerts by day of the period's zone. `verdicts`: of the cases that are closed by now.
    """

    cases: Counts = field(default_factory=dict)
    alerts: Counts = field(default_factory=dict)
    repeated: int = 0
    case_pillars: Counts = field(default_factory=dict)
    alert_pillars: Counts = field(default_factory=dict)
    case_products: Counts = field(default_factory=dict)
    alert_products: Counts = field(default_factory=dict)
    days: Counts = field(default_factory=dict)
    still_open: int = 0
    verdicts: Counts = field(default_factory=dict)

    @property
    def all_cases(self) -> int:
        return sum(self.cases.values())

    @property
    def all_alerts(self) -> int:
        return sum(self.alerts.values())


@dataclass(frozen=True, slots=True)
class Automatic:
    """Cases that the portal closed by itself, by the last such decision of the period.

    `methods`: how MFA was done in the sign-ins that prove it, by cases. `reopened`: does not hold
    any more.
    """

    proof: int = 0
    rule: int = 0
    suppressed: int = 0
    would_close: int = 0
    reopened: int = 0
    methods: Counts = field(default_factory=dict)

    @property
    def closed(self) -> int:
        return self.proof + self.rule + self.suppressed


@dataclass(frozen=True, slots=True)
class Times:
    """Of the cases of one severity. Minutes; medians are of what has happened."""

    severity: str
    cases: int = 0
    touch_minutes: int | None = None
    touched_in_time: int = 0
    touched_late: int = 0
    touch_median: float | None = None
    resolve_minutes: int | None = None
    resolved_in_time: int = 0
    resolved_late: int = 0
    resolve_median: float | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A control of the Secure Score, in Microsoft's public words. `gain` in percentage points."""

    title: str
    service: str
    points: float
    gain: float
    cost: str
    impact: str


@dataclass(frozen=True, slots=True)
class ScoreTrend:
    """`days`: percent by day of the period; `before`: of the last day before it. `actions`: best
    of the `open` ones.
    """

    days: dict[str, float] = field(default_factory=dict)
    before: float | None = None
    actions: tuple[Action, ...] = ()
    open: int = 0

    @property
    def last(self) -> float | None:
        return self.days[max(self.days)] if self.days else None

    @property
    def change(self) -> float | None:
        """Since the last day before the period, else since its first."""
        if self.last is None:
            return None
        first = self.before if self.before is not None else self.days[min(self.days)]
        return round(self.last - first, 2)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Azure resources by state, and the kinds of those that nobody watches. `blind`: sentences on
    what can't be read at all.
    """

    states: Counts = field(default_factory=dict)
    kinds: Counts = field(default_factory=dict)
    blind: tuple[str, ...] = ()

    @property
    def percent(self) -> int | None:
        """Watched among those that have to be; rounded down, so that 100 means all."""
        watched, unwatched = self.states.get("watched", 0), self.states.get("unwatched", 0)
        return 100 * watched // (watched + unwatched) if watched + unwatched else None


@dataclass(frozen=True, slots=True)
class Exploited:
    """A weakness of the tenant's devices that attackers use now."""

    cve: str
    name: str
    severity: str
    devices: int
    listed: str
    by_ransomware: bool


@dataclass(frozen=True, slots=True)
class Weaknesses:
    """`counts`: weaknesses by severity. `exploited`: the worst first; `all_exploited`: how many."""

    counts: Counts = field(default_factory=dict)
    exploited: tuple[Exploited, ...] = ()
    all_exploited: int = 0


@dataclass(frozen=True, slots=True)
class News:
    title: str
    source: str
    day: str
    about: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All of one period. What could not be known is None: that is not the same as nothing."""

    handled: Handled = field(default_factory=Handled)
    automatic: Automatic = field(default_factory=Automatic)
    times: tuple[Times, ...] = ()
    score: ScoreTrend | None = None
    coverage: Coverage | None = None
    weaknesses: Weaknesses | None = None
    news: tuple[News, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def touched(self) -> tuple[int, int]:
        """In time and late, over all severities."""
        return (
            sum(one.touched_in_time for one in self.times),
            sum(one.touched_late for one in self.times),
        )

    @property
    def resolved(self) -> tuple[int, int]:
        return (
            sum(one.resolved_in_time for one in self.times),
            sum(one.resolved_late for one in self.times),
        )


def figures_of(stored: Mapping[str, Any]) -> Figures:
    """As they were frozen. What an older portal did not count is empty."""
    score, coverage, weak = (stored.get(key) for key in ("score", "coverage", "weaknesses"))
    return Figures(
        handled=_one(Handled, stored.get("handled") or {}),
        automatic=_one(Automatic, stored.get("automatic") or {}),
        times=_many(Times, stored.get("times") or ()),
        score=_one(ScoreTrend, score, actions=_many(Action, score.get("actions") or ()))
        if score
        else None,
        coverage=_one(Coverage, coverage, blind=tuple(coverage.get("blind") or ()))
        if coverage
        else None,
        weaknesses=_one(Weaknesses, weak, exploited=_many(Exploited, weak.get("exploited") or ()))
        if weak
        else None,
        news=_many(News, stored.get("news") or ()),
    )


def _one(kind: type[T], stored: Mapping[str, Any], **more: object) -> T:
    known = {name: stored[name] for name in getattr(kind, "__slots__", ()) if name in stored}
    return kind(**{**known, **more})


def _many(kind: type[T], stored: Sequence[Mapping[str, Any]]) -> tuple[T, ...]:
    return tuple(_one(kind, row) for row in stored)


def share(in_time: int, late: int) -> float | None:
    """Percent in time, to a tenth and rounded down, so that 100 means all; None of nothing."""
    return 1000 * in_time // (in_time + late) / 10 if in_time + late else None
