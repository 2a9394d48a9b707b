"""Which alerts belong together: a function of the set, so the order of arrival never matters."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Member:
    """An alert as correlation sees it.

    `at`: when it happened, aware. `incident`: Microsoft's incident id or "". `ties`: the entities
    that may join it with others, without hubs.
    """

    key: Hashable
    at: datetime
    incident: str
    ties: frozenset[Hashable]


class _Groups:
    """Union-find with path halving and union by size."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._size = [1] * count

    def root(self, item: int) -> int:
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        if one == other:
            return
        if self._size[one] < self._size[other]:
            one, other = other, one
        self._parent[other] = one
        self._size[one] += self._size[other]


def components(members: Iterable[Member], window: timedelta) -> list[frozenset[Hashable]]:
    """The members' keys in groups, the group with the earliest member first.

    Two members are in one group if they have the same key or incident, or share a tie and lie
    within `window` of each other, directly or through a chain of such members. O(n log n).
    """
    found = list(members)
    groups = _Groups(len(found))
    same: dict[tuple[str, Hashable], int] = {}
    sharing: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, member in enumerate(found):
        groups.join(index, same.setdefault(("key", member.key), index))
        if member.incident:
            groups.join(index, same.setdefault(("incident", member.incident), index))
        for tie in member.ties:
            sharing[tie].append(index)
    for indices in sharing.values():
        indices.sort(key=lambda index: found[index].at)
        for earlier, later in pairwise(indices):
            if found[later].at - found[earlier].at <= window:
                groups.join(earlier, later)
    together: defaultdict[int, list[Member]] = defaultdict(list)
    for index, member in enumerate(found):
        together[groups.root(index)].append(member)
    ordered = sorted(together.values(), key=lambda group: min((m.at, repr(m.key)) for m in group))
    return [frozenset(member.key for member in group) for group in ordered]
