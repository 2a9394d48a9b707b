"""Which alerts belong together: a function of the set, so the order of arrival never matters."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.grouping import Groups


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


def components(members: Iterable[Member], window: timedelta) -> list[frozenset[Hashable]]:
    """The members' keys in groups, the group with the earliest member first.

    Two members are in one group if they have the same key or incident, or share a tie and lie
    within `window` of each other, directly or through a chain of such members. O(n log n).
    """
    found = list(members)
    groups: Groups[int] = Groups()
    same: dict[tuple[str, Hashable], int] = {}
    sharing: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, member in enumerate(found):
        groups.join((same.setdefault(("key", member.key), index), index))
        if member.incident:
            groups.join((same.setdefault(("incident", member.incident), index), index))
        for tie in member.ties:
            sharing[tie].append(index)
    for indices in sharing.values():
        indices.sort(key=lambda index: found[index].at)
        for earlier, later in pairwise(indices):
            if found[later].at - found[earlier].at <= window:
                groups.join((earlier, later))
    together = [[found[index] for index in indices] for indices in groups.sets().values()]
    together.sort(key=lambda group: min((m.at, repr(m.key)) for m in group))
    return [frozenset(member.key for member in group) for group in together]
