"""What a report is made of, whatever shows it: words, numbers, tables and pictures. Pure.

All texts are ready to be read. Each block has a `kind`, by which the page and the PDF choose how to
draw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    words: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences one below the other."""

    lines: tuple[str, ...]
    kind: str = "lines"


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that is read first. `than`: how it was before; `tone`: good, bad or empty."""

    label: str
    value: str
    than: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    tiles: tuple[Tile, ...]
    kind: str = "tiles"


@dataclass(frozen=True, slots=True)
class Table:
    """The first `words` columns are text, the others numbers; column `wide` gets the room."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    wide: int = 0
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Bar:
    """`share`: of the longest, in percent."""

    label: str
    value: str
    share: float


@dataclass(frozen=True, slots=True)
class Bars:
    caption: str
    bars: tuple[Bar, ...]
    kind: str = "bars"


@dataclass(frozen=True, slots=True)
class Columns:
    """A number a day, as columns. `heights`: of the highest, in percent."""

    caption: str
    heights: tuple[float, ...]
    first: str
    last: str
    told: str
    kind: str = "columns"

    @property
    def rects(self) -> list[tuple[float, float, float, float]]:
        """x, y, width and height in a picture of 100 by 100 whose zero is above."""
        width = 100 / max(1, len(self.heights))
        return [
            (round(place * width, 3), 100 - height, round(width * 0.72, 3), height)
            for place, height in enumerate(self.heights)
        ]


@dataclass(frozen=True, slots=True)
class Curve:
    """Percents by day: `points` are (right, up) in percent of the picture, whose edges are `low`
    and `high`. `told`: the same in words.
    """

    caption: str
    points: tuple[tuple[float, float], ...]
    low: str
    high: str
    first: str
    last: str
    told: str
    kind: str = "curve"

    @property
    def path(self) -> str:
        """For a picture of 100 by 100 whose zero is above."""
        return "M" + " L".join(f"{x:.2f} {100 - y:.2f}" for x, y in self.points)


Block = Text | Lines | Tiles | Table | Bars | Columns | Curve


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """`brief`: what the first page says; `todo`: what is for the customer to decide."""

    title: str
    tenant: str
    period: str
    made: str
    tiles: Tiles
    brief: tuple[str, ...]
    todo: tuple[str, ...]
    sections: tuple[Section, ...]
    foot: str


def bars(caption: str, pairs: Sequence[tuple[str, int, str]]) -> Bars:
    """`pairs`: label, number, the number in words."""
    longest = max((number for _, number, _ in pairs), default=0) or 1
    return Bars(
        caption, tuple(Bar(name, told, round(100 * n / longest, 2)) for name, n, told in pairs)
    )
