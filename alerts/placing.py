"""Which case every alert of a page goes to, from the links between alerts. Pure.

Links join alerts and cases, the strongest first, unless a person said that the two are to stay
apart. A group that is more than a case may hold becomes several cases, each continuing another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alerts.correlate import Link


@dataclass(frozen=True, slots=True)
class Placed:
    """An alert. `case`: the open case that it is in, if any; `at`: sorts by time."""

    key: int
    at: object
    case: int | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """A case and the alerts that join it. `case` is None for a new one; `alerts` by time.

    `merges`: other cases that become part of it, each with the link that is the reason.
    `continues`: index of the home that this one continues, because that is full.
    """

    case: int | None
    alerts: tuple[int, ...]
    merges: tuple[tuple[int, Link], ...] = ()
    continues: int | None = None


@dataclass(slots=True)
class Group:
    """Alerts that belong together, and their cases: each with the link to an older one."""

    cases: dict[int, Link | None] = field(default_factory=dict)
    alerts: set[int] = field(default_factory=set)


Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Apart:
    """Pairs that a person parted, by id; the smaller first."""

    cases: frozenset[Pair] = frozenset()
    alerts: frozenset[Pair] = frozenset()
    entities: frozenset[Pair] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.cases or self.alerts or self.entities)


NOTHING_APART = Apart()


def group(
    placed: Mapping[int, Placed], links: Iterable[Link], apart: Apart = NOTHING_APART
) -> tuple[list[Group], dict[int, Link]]:
    """Groups of cases and alerts, and the strongest link of every alert that was used."""
    homes: dict[int, Group] = {}
    by_case: dict[int, Group] = {}
    for key in sorted(placed):
        case = placed[key].case
        own = by_case.setdefault(case, Group({case: None})) if case is not None else Group()
        own.alerts.add(key)
        homes[key] = own
    best: dict[int, Link] = {}
    for link in sorted(links, key=lambda link: link.strength):
        one, other = homes[link.a], homes[link.b]
        if one is not other:
            if apart and _parted(one, other, apart):
                continue
            if len(one.alerts) < len(other.alerts):
                one, other = other, one
            _join(one, other, link)
            homes.update(dict.fromkeys(other.alerts, one))
        for key in (link.a, link.b):
            best.setdefault(key, link)
    return list({id(found): found for found in homes.values()}.values()), best


def united(groups: Iterable[Group]) -> list[Group]:
    """The groups, those that share a case made one: by a chain, two may lead to the same."""
    found: list[Group] = []
    for one in groups:
        for other in [other for other in found if other.cases.keys() & one.cases.keys()]:
            found.remove(other)
            for case, link in other.cases.items():
                one.cases[case] = one.cases.get(case) or link
            one.alerts |= other.alerts
        found.append(one)
    return found


def _join(one: Group, other: Group, link: Link) -> None:
    """Make `other` part of `one`. Of their oldest cases the younger has the link as its reason."""
    if one.cases and other.cases:
        younger = max(min(one.cases), min(other.cases))
        (one if younger in one.cases else other).cases[younger] = link
    one.cases.update(other.cases)
    one.alerts.update(other.alerts)


def _parted(one: Group, other: Group, apart: Apart) -> bool:
    pairs = [(a, b, one.cases, other.cases) for a, b in apart.cases]
    pairs += [(a, b, one.alerts, other.alerts) for a, b in apart.alerts]  # type: ignore[misc]
    return any((a in x and b in y) or (b in x and a in y) for a, b, x, y in pairs)


def settle(
    found: Group, placed: Mapping[int, Placed], sizes: Mapping[int, int], most: int
) -> list[Home]:
    """The homes of a group: one case, or a chain of them if it is more than a case may hold.

    `sizes`: how many alerts the cases hold. Cases that do not fit into one stay; new alerts go to
    the youngest with room. Of an empty group nothing comes.
    """
    cases = sorted(found.cases)
    homeless = sorted(
        (key for key in found.alerts if placed[key].case is None),
        key=lambda key: (placed[key].at, key),
    )
    chain: list[tuple[int | None, list[int], list[tuple[int, Link]], int]] = []
    for case in cases:
        size, link = sizes.get(case, 0), found.cases[case]
        if chain and link is not None and chain[-1][3] + size <= most:
            into, alerts, merges, held = chain[-1]
            chain[-1] = (into, alerts, [*merges, (case, link)], held + size)
        else:
            chain.append((case, [], [], size))
    for key in homeless:
        if not chain or chain[-1][3] >= most:
            chain.append((None, [], [], 0))
        case_id, alerts, merges, held = chain[-1]
        alerts.append(key)
        chain[-1] = (case_id, alerts, merges, held + 1)
    return [
        Home(case, tuple(alerts), tuple(merges), index - 1 if index else None)
        for index, (case, alerts, merges, _) in enumerate(chain)
    ]
