"""Arithmetic of Microsoft's Secure Score. Pure: no rows, no clock.

percent     100 x current / most, of a day
gap         what a control could still give: its most less its points
effort      cost + user impact (Low 1, Moderate 2, High 4, unknown 2) + tier (Core 0,
            Defense in Depth 1, Advanced 2, unknown 1)
drop        own part: points that controls lost or won, over the most of before; the rest of
            the change is Microsoft's: controls that came or went, or whose most changed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

WEIGHTS = {"Low": 1, "Moderate": 2, "High": 4}
TIERS = {"Core": 0, "Defense in Depth": 1, "Advanced": 2}
UNKNOWN_WEIGHT, UNKNOWN_TIER = 2, 1
SETTLED = frozenset({"Ignored", "ThirdParty"})
"""States in which a control asks for nothing any more."""

DROP_PERCENT = 2.0
"""Percentage points lost by own doing from which a drop is a finding."""
BACK_PERCENT = 0.5
"""It is back when less than this is missing."""
LOOK_BACK = timedelta(days=7)
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Points:
    """What a control gave on a day. `most`: None if its profile was not known then."""

    score: float
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One day. `averages`: Microsoft's, by basis, in percent."""

    day: date
    current: float
    most: float
    controls: Mapping[str, Points] = field(default_factory=dict)
    averages: Mapping[str, float] = field(default_factory=dict)
    licensed_users: int | None = None

    @property
    def percent(self) -> float | None:
        """None where nothing can be reached: that is not 0 percent."""
        return None if self.most <= 0 else round(100 * self.current / self.most, 2)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a control. Texts of Microsoft's lists pass as they are."""

    name: str
    title: str = ""
    service: str = ""
    category: str = ""
    action_type: str = ""
    tier: str = ""
    cost: str = ""
    impact: str = ""
    most: float | None = None
    rank: int | None = None
    threats: tuple[str, ...] = ()
    is_deprecated: bool = False
    state: str = "Default"

    @property
    def effort(self) -> int:
        """1 at least: see the module."""
        return (
            WEIGHTS.get(self.cost, UNKNOWN_WEIGHT)
            + WEIGHTS.get(self.impact, UNKNOWN_WEIGHT)
            + TIERS.get(self.tier, UNKNOWN_TIER)
        )

    @property
    def is_settled(self) -> bool:
        """Somebody decided that nothing is to be done, or it does not count any more."""
        return self.is_deprecated or self.state in SETTLED


@dataclass(frozen=True, slots=True)
class Step:
    """A control with what it could still give: `gap` in points, `gain` in percentage points."""

    profile: Profile
    score: float
    most: float
    gap: float
    gain: float

    @property
    def worth(self) -> float:
        """Points by effort."""
        return self.gap / self.profile.effort


def steps(score: Score, profiles: Mapping[str, Profile]) -> list[Step]:
    """Every control that counts, the best gain for its effort first.

    One that has a profile and no points that day does not apply to the tenant.
    """
    found = []
    for name, points in score.controls.items():
        profile = profiles.get(name) or Profile(name)
        most = profile.most if profile.most is not None else points.most
        if most is None:
            continue
        gap = round(max(0.0, most - points.score), 2)
        gain = round(100 * gap / score.most, 2) if score.most > 0 else 0.0
        found.append(Step(profile, points.score, most, gap, gain))
    return sorted(
        found,
        key=lambda step: (-step.worth, -step.gap, _rank(step.profile), step.profile.name),
    )


def recommendations(score: Score, profiles: Mapping[str, Profile]) -> list[Step]:
    """Of the steps those that are open: something to gain, and nobody decided against it."""
    return [one for one in steps(score, profiles) if one.gap > 0 and not one.profile.is_settled]


def _rank(profile: Profile) -> int:
    return profile.rank if profile.rank is not None else 1_000_000


def change(days: Sequence[Score], back: int) -> float | None:
    """Percentage points won in so many days, to the newest; None if there is no day near enough.

    Microsoft leaves days out: the nearest counts, if it is a tenth of the time away at most.
    """
    known = {one.day: one.percent for one in days if one.percent is not None}
    if not known:
        return None
    newest = max(known)
    wanted = newest - timedelta(days=back)
    near = min(known, key=lambda day: (abs(day - wanted), day))
    if near == newest or abs(near - wanted) > timedelta(days=max(2, back // 10)):
        return None
    return round((known[newest] or 0) - (known[near] or 0), 2)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many points a control has more (or fewer) than before."""

    name: str
    points: float


@dataclass(frozen=True, slots=True)
class Change:
    """Between two days. `total`, `own` and `microsofts` are percentage points, own + Microsoft's =
    total; `lost` are the controls that cost most, worst first. `most_changed` and `came` and `went`
    explain Microsoft's part; the first only as far as both days know the most of a control.
    """

    total: float
    own: float
    microsofts: float
    lost: tuple[Moved, ...]
    came: tuple[str, ...]
    went: tuple[str, ...]
    most_changed: tuple[Moved, ...]


def compare(before: Score, now: Score) -> Change:
    """What changed, and whose doing it is. Raises ValueError if a day has no percentage."""
    if before.percent is None or now.percent is None:
        raise ValueError("a day on which nothing can be reached has no percentage")
    moved, most_changed = [], []
    for name, points in now.controls.items():
        old = before.controls.get(name)
        if old is None:
            continue
        if _differ(old.most, points.most):
            most_changed.append(Moved(name, round((points.most or 0) - (old.most or 0), 2)))
        elif abs(points.score - old.score) > _EPSILON:
            moved.append(Moved(name, round(points.score - old.score, 2)))
    own = round(100 * sum(one.points for one in moved) / before.most, 2)
    total = round(now.percent - before.percent, 2)
    return Change(
        total=total,
        own=own,
        microsofts=round(total - own, 2),
        lost=_worst_first(one for one in moved if one.points < 0),
        came=tuple(sorted(set(now.controls) - set(before.controls))),
        went=tuple(sorted(set(before.controls) - set(now.controls))),
        most_changed=_worst_first(most_changed),
    )


def _differ(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) > _EPSILON


def _worst_first(moved: Iterable[Moved]) -> tuple[Moved, ...]:
    return tuple(sorted(moved, key=lambda one: (one.points, one.name)))


@dataclass(frozen=True, slots=True)
class Drop:
    """The score fell by own doing, since `since`."""

    since: date
    before: float
    now: float
    change: Change

    @property
    def severity(self) -> int:
        """As a case's: 2 low, 3 medium, 4 high."""
        lost = -self.change.own
        return 4 if lost >= 10 else 3 if lost >= 5 else 2


def find_drop(days: Sequence[Score], open_since: date | None = None) -> Drop | None:
    """Whether the newest day lies below the best of the week before it, by own doing.

    `open_since`: the day that an open finding compares with: that lasts until the points are back,
    or the day is forgotten. The larger of two drops is told.
    """
    known = sorted((one for one in days if one.percent is not None), key=lambda one: one.day)
    if len(known) < 2:
        return None
    newest, found = known[-1], []
    week = [one for one in known[:-1] if newest.day - one.day <= LOOK_BACK]
    if week:
        best = _drop(max(week, key=lambda one: (one.percent or 0, one.day)), newest)
        found += [best] if best.change.own <= -DROP_PERCENT else []
    for one in known[:-1]:
        if one.day == open_since and compare(one, newest).own <= -BACK_PERCENT:
            found.append(_drop(one, newest))
    return min(found, key=lambda drop: (drop.change.own, drop.since), default=None)


def _drop(before: Score, now: Score) -> Drop:
    return Drop(before.day, before.percent or 0, now.percent or 0, compare(before, now))


# --- others ---------------------------------------------------------------------------------------

BANDS = ((50, "1 to 50"), (300, "51 to 300"), (1000, "301 to 1,000"), (5000, "1,001 to 5,000"))
LARGEST = "over 5,000"
FEWEST = 10
"""Members of a band below which nothing is told of it."""


def band_of(licensed_users: int | None) -> str:
    """The size that a tenant is compared with; "" if nobody knows it."""
    if not licensed_users or licensed_users < 0:
        return ""
    return next((name for most, name in BANDS if licensed_users <= most), LARGEST)


@dataclass(frozen=True, slots=True)
class Band:
    """How tenants of one size fare. Each number is a mean of three of them at least, rounded."""

    name: str
    members: int
    lower: int
    middle: int
    upper: int


def band(name: str, percents: Sequence[float]) -> Band | None:
    """None for fewer than FEWEST. No value of a single tenant can be read from it."""
    if len(percents) < FEWEST:
        return None
    ordered = sorted(percents)
    third = len(ordered) // 3
    return Band(
        name,
        len(ordered) // 10 * 10,
        round(_mean(ordered[:third])),
        round(_mean(ordered)),
        round(_mean(ordered[-third:])),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
