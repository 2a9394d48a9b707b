"""The curve of a tenant's score as points of a picture. Pure: numbers in, texts of SVG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from posture.scores import Score

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 176, 12, 26
LABEL_APART = 15
BASES = {
    "AllTenants": "All of Microsoft's",
    "TotalSeats": "Same size, Microsoft",
    "IndustryTypes": "Same industry, Microsoft",
}
OURS = "Same size, here"
DASHES = ("2 5", "8 4", "8 4 2 4", "1 3", "12 3")
"""Lines are told apart by their dashes and the words at their end, not by colour."""


@dataclass(frozen=True, slots=True)
class Line:
    """A level to compare with. `label_y` is moved where labels would lie on each other."""

    label: str
    percent: float
    y: float
    label_y: float
    dash: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`path`: the curve; `marks`: percent and height of the grid; `ends`: first and last day."""

    path: str
    last: tuple[float, float]
    percent: float
    label_y: float
    lines: list[Line]
    marks: list[tuple[int, float]]
    ends: tuple[date, date]


def chart(days: Sequence[Score], averages: Mapping[str, float]) -> Chart | None:
    """None without two days: a point is no curve. `averages`: label -> percent."""
    known = [(one.day, one.percent) for one in days if one.percent is not None]
    if len(known) < 2:
        return None
    first, last = known[0][0], known[-1][0]
    levels = [percent for _, percent in known] + list(averages.values())
    low = max(0, int(min(levels) // 10 * 10))
    high = min(100, int(-(-max(levels) // 10) * 10)) or 10
    high = max(high, low + 10)
    span = (last - first).days

    def x(day: date) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (day - first).days / span, 1)

    def y(percent: float) -> float:
        share = (min(percent, high) - low) / (high - low)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)

    points = [(x(day), y(percent)) for day, percent in known]
    path = "M" + " L".join(f"{at} {height}" for at, height in points)
    heights = _apart([points[-1][1], *(y(percent) for percent in averages.values())])
    return Chart(
        path=path,
        last=points[-1],
        percent=known[-1][1],
        label_y=heights[0],
        lines=[
            Line(label, percent, y(percent), heights[place + 1], DASHES[place % len(DASHES)])
            for place, (label, percent) in enumerate(averages.items())
        ],
        marks=[(mark, y(mark)) for mark in range(low, high + 1, max(10, (high - low) // 5))],
        ends=(first, last),
    )


def levels_of(score: Score, ours: int | None) -> dict[str, float]:
    """Microsoft's averages of a day, and the mean of the provider's own tenants of that size."""
    found = {BASES.get(basis, basis): percent for basis, percent in score.averages.items()}
    return found if ours is None else {**found, OURS: float(ours)}


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights moved down just so far that no label lies on another; the bottom pushes up."""
    order = sorted(range(len(heights)), key=lambda place: (heights[place], place))
    found = list(heights)
    for before, place in pairwise(order):
        found[place] = max(found[place], found[before] + LABEL_APART)
    lowest = float(HEIGHT - BOTTOM)
    for place in reversed(order):
        found[place] = min(found[place], lowest)
        lowest = found[place] - LABEL_APART
    return [round(height, 1) for height in found]
