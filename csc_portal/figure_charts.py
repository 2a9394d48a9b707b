"""Figures as points of pictures: bars, shares with their intervals, columns. Pure: numbers in,
numbers of SVG out. Every picture has its numbers as words beside it and a table below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 720
LABEL_WIDTH = 270
LONGEST_LABEL = 44
ROW = 28
VALUE_WIDTH = 96
COLUMN_HEIGHT, AXIS, MARK_WIDTH = 150, 22, 44


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a chart. `label` is cut to what fits, `full` is not; `text` stands at its end."""

    label: str
    full: str
    text: str
    middle: float
    x: float
    width: float
    dot: float = 0.0

    @property
    def end(self) -> float:
        return round(self.x + self.width, 1)


@dataclass(frozen=True, slots=True)
class Bars:
    rows: list[Bar]
    height: int
    marks: list[tuple[float, str]]

    @property
    def bottom(self) -> int:
        return self.height - AXIS


def bars(rows: Sequence[tuple[str, int, str]]) -> Bars:
    """(label, value, text at the end); the largest value fills the width."""
    most = max((value for _, value, _ in rows), default=0) or 1
    space = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    made = [
        _bar(place, label, text, LABEL_WIDTH, max(space * value / most, 1.0))
        for place, (label, value, text) in enumerate(rows)
    ]
    return Bars(made, ROW * len(rows), [])


def shares(rows: Sequence[tuple[str, float, tuple[float, float], str]]) -> Bars:
    """(label, share, interval, text at the end), from 0 to 100 percent."""
    space = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    made = []
    for place, (label, share, (low, high), text) in enumerate(rows):
        x = LABEL_WIDTH + space * low
        dot = round(LABEL_WIDTH + space * share, 1)
        made.append(_bar(place, label, text, x, space * (high - low), dot))
    marks = [(LABEL_WIDTH + space * part / 4, f"{25 * part} %") for part in range(5)]
    return Bars(made, ROW * len(rows) + AXIS, marks)


def _bar(place: int, label: str, text: str, x: float, width: float, dot: float = 0.0) -> Bar:
    short = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
    return Bar(short, label, text, ROW * place + ROW / 2, round(x, 1), round(width, 1), dot)


@dataclass(frozen=True, slots=True)
class Column:
    """`mark` stands below it, "" where there is no space."""

    label: str
    value: int
    mark: str
    x: float
    width: float
    top: float
    height: float

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)

    @property
    def mark_x(self) -> float:
        """Words at either end stay within the picture."""
        return min(max(self.middle, MARK_WIDTH / 2), WIDTH - MARK_WIDTH / 2)


@dataclass(frozen=True, slots=True)
class Columns:
    columns: list[Column]
    most: int
    total: int

    width = WIDTH
    height = COLUMN_HEIGHT + AXIS
    bottom = COLUMN_HEIGHT


def columns(values: Sequence[tuple[str, str, int]], marks: int = 8) -> Columns:
    """(label, its short form, value) from left to right; about so many have a mark."""
    most = max((value for _, _, value in values), default=0)
    pitch = WIDTH / max(len(values), 1)
    apart = max(1, -(-len(values) // marks))
    made = []
    for place, (label, short, value) in enumerate(values):
        height = COLUMN_HEIGHT * 0.9 * value / most if most else 0.0
        made.append(
            Column(
                label=label,
                value=value,
                mark=short if place % apart == 0 else "",
                x=round(pitch * place + pitch * 0.1, 1),
                width=round(pitch * 0.8, 1),
                top=round(COLUMN_HEIGHT - height, 1),
                height=round(height, 1),
            )
        )
    return Columns(made, most, sum(value for _, _, value in values))
