"""A number a day as bars of a picture. Pure: numbers in, places out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

BAR, GAP, HEIGHT = 14, 4, 60


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    number: int
    x: int
    y: int
    height: int


def bars(days: Sequence[tuple[date, int]]) -> list[Bar]:
    """The largest number has the full height; what is not 0 can be seen."""
    most = max((number for _, number in days), default=0) or 1
    heights = [max(3, round(n * HEIGHT / most)) if n else 0 for _, n in days]
    return [
        Bar(day, number, place * (BAR + GAP), HEIGHT - height, height)
        for place, ((day, number), height) in enumerate(zip(days, heights, strict=True))
    ]
