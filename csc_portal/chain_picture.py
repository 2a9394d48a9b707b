"""The chain of one case as a picture: Identity -> Device -> App -> Data, and what links them. Pure.

Things that one alert names together are linked, from each link of the chain to the next one that
the alert touches. Numbers are units of the picture's own width.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_NODES = 5
MOST_EDGES = 60
COLUMN, GAP = 188, 52
NODE_HEIGHT, NODE_GAP, HEAD = 44, 12, 40


@dataclass(frozen=True, slots=True)
class Place:
    """Something to draw. `note` stands below its label."""

    pk: int
    kind: str
    pseudonym: uuid.UUID
    note: str

    @property
    def label(self) -> tuple[str, uuid.UUID]:
        return (self.kind, self.pseudonym)


@dataclass(frozen=True, slots=True)
class Node:
    place: Place
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Edge:
    """`path`: of an SVG. `alerts`: that name both; `weight`: 1 to 3; its number stands at x, y."""

    start: Place
    end: Place
    alerts: int
    path: str
    x: int
    y: int

    @property
    def weight(self) -> int:
        return min(3, self.alerts)


@dataclass(frozen=True, slots=True)
class Column:
    """A link of the chain. `more`: things that are not drawn; `foot`: where that is said."""

    name: str
    x: int
    nodes: tuple[Node, ...]
    more: int
    foot: int


@dataclass(frozen=True, slots=True)
class Picture:
    columns: tuple[Column, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int

    @property
    def is_empty(self) -> bool:
        return not any(column.nodes for column in self.columns)


def draw(
    pillars: Sequence[tuple[str, Sequence[Place]]], alerts: Iterable[Sequence[int]]
) -> Picture:
    """`pillars` in the order of the chain, what matters most first; `alerts`: what each names."""
    columns = tuple(_column(place, name, things) for place, (name, things) in enumerate(pillars))
    nodes = {
        node.place.pk: (place, node)
        for place, column in enumerate(columns)
        for node in column.nodes
    }
    pairs: Counter[tuple[int, int]] = Counter()
    for named in alerts:
        pairs.update(_pairs([(nodes[pk][0], pk) for pk in named if pk in nodes]))
    strongest = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_EDGES]
    edges = tuple(_edge(nodes[a][1], nodes[b][1], count) for (a, b), count in strongest)
    tallest = max((column.foot + 18 * bool(column.more) for column in columns), default=HEAD)
    width = len(columns) * (COLUMN + GAP) - GAP
    return Picture(columns, edges, width, max(tallest, HEAD + NODE_HEIGHT) + 4)


def _column(place: int, name: str, things: Sequence[Place]) -> Column:
    x = place * (COLUMN + GAP)
    nodes = tuple(
        Node(thing, x, HEAD + number * (NODE_HEIGHT + NODE_GAP))
        for number, thing in enumerate(things[:MOST_NODES])
    )
    foot = HEAD + len(nodes) * (NODE_HEIGHT + NODE_GAP)
    return Column(name, x, nodes, max(0, len(things) - MOST_NODES), foot)


def _pairs(named: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """From each column that the alert touches to the next one that it touches."""
    touched = sorted({column for column, _ in named})
    return {
        (a, b)
        for here, following in pairwise(touched)
        for one, a in named
        for other, b in named
        if one == here and other == following
    }


def _edge(start: Node, end: Node, alerts: int) -> Edge:
    x1, y1 = start.x + COLUMN, start.y + NODE_HEIGHT // 2
    x2, y2 = end.x, end.y + NODE_HEIGHT // 2
    bend = (x2 - x1) // 2
    path = f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return Edge(start.place, end.place, alerts, path, (x1 + x2) // 2, (y1 + y2) // 2)
