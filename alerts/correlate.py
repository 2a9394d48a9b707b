"""Which alerts belong together, and why: scores of pairs, made of what the two share.

A pair's score is a function of the two alerts alone, and it never rises with their distance in
time. Groups are what such pairs connect, so that the order of arrival does not matter; for the
same reason a weak pair must be refused by its own score: one alone can join two big groups.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from math import log2

from alerts.grouping import Groups
from alerts.overlap import Match, OverlapClass, Report, match
from alerts.records import Kind
from alerts.stages import step


@dataclass(frozen=True, slots=True)
class Weight:
    """What sharing an entity is worth at once, and after how many hours half of that.

    Entities of one `group` say the same (a user and his mailbox): only the best of them counts.
    A half-life is that of a thing beside others; alone it fades sooner (`Rules.alone`).
    """

    points: float
    half_life_h: float
    group: str


INSIDE_ADDRESS = "inside_address"
"""How an address of a private network ties: it is lent, translated and used again elsewhere."""
_STRONG = {
    Kind.USER: Weight(1.5, 6, "person"),
    Kind.MAILBOX: Weight(1.5, 6, "person"),
    Kind.DEVICE: Weight(2.0, 8, "device"),
    Kind.IOT_DEVICE: Weight(2.0, 8, "device"),
    Kind.OAUTH_APP: Weight(2.0, 48, "app"),
    Kind.SERVICE_PRINCIPAL: Weight(2.0, 48, "app"),
    Kind.AI_AGENT: Weight(2.0, 48, "app"),
    Kind.CLOUD_RESOURCE: Weight(1.5, 6, "resource"),
    Kind.REPOSITORY: Weight(1.5, 6, "resource"),
    Kind.MAIL: Weight(2.0, 48, "message"),
    Kind.TEAMS_MESSAGE: Weight(2.0, 48, "message"),
}
"""Only where the alert's own evidence says that they may tie (`AlertEntity.ties`)."""
_OTHER = {
    Kind.LOGON_REQUEST: Weight(2.0, 48, "session"),
    Kind.LOGON_SESSION: Weight(2.0, 48, "session"),
    Kind.SAS_TOKEN: Weight(2.0, 48, "resource"),
    Kind.BLOB_CONTAINER: Weight(2.0, 24, "resource"),
    Kind.BLOB: Weight(2.0, 24, "resource"),
    Kind.KUBERNETES: Weight(1.5, 6, "resource"),
    Kind.CONTAINER: Weight(2.0, 12, "resource"),
    Kind.MAIL_CLUSTER: Weight(2.0, 48, "message"),
    Kind.URL: Weight(1.4, 12, "link"),
    Kind.DOMAIN: Weight(0.8, 12, "link"),
    Kind.IP: Weight(1.1, 48, "address"),
    INSIDE_ADDRESS: Weight(0.5, 2, "address"),
    Kind.FILE: Weight(0.5, 12, "file"),
}
WEIGHTS: dict[str, Weight] = {str(kind): weight for kind, weight in (_STRONG | _OTHER).items()}
MOST_GROUPS = 5
"""Of so many things that two alerts share, the best counts a fifth of what is needed, or more."""
_PEOPLE = frozenset({str(Kind.USER), str(Kind.MAILBOX)})
NEED_TIES = frozenset(map(str, _STRONG))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tie is.

    `onward`, `backward`: points for the order of attack stages. `strangers`: what an address counts
    between alerts about different people. `elsewhere`: points if both name addresses and none in
    common, and if both name machines and none in common. `minor`: points if neither is more than
    of low severity. `alone`: how many times as fast all fades if only one sort of what they share
    could tie.
    `reach`: no alerts further apart are compared. `most_alerts`: of one case.
    """

    weights: Mapping[str, Weight] = field(default_factory=lambda: WEIGHTS)
    threshold: float = 1.0
    onward: float = 0.4
    backward: float = -0.2
    strangers: float = 0.5
    elsewhere: float = -0.3
    minor: float = -0.2
    alone: float = 2.0
    reach: timedelta = timedelta(hours=48)
    most_compared: int = 16
    most_alerts: int = 150


RULES = Rules()


@dataclass(frozen=True, slots=True)
class Member:
    """An alert as correlation sees it.

    `at`: when it happened, aware. `incident`: Microsoft's incident id or "". `ties`: entity id ->
    kind, of those that have a weight, without hubs. `phase`: see `alerts.stages`. `addresses`,
    `devices`: ids of entities, with hubs. `is_minor`: of low severity or less. `report`: what tells
    whether another product reported the same.
    """

    key: int
    at: datetime
    incident: str = ""
    ties: Mapping[int, str] = field(default_factory=dict)
    phase: int = 0
    addresses: frozenset[int] = frozenset()
    devices: frozenset[int] = frozenset()
    is_minor: bool = False
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Why two alerts belong together: `by` is overlap, incident or entities.

    `terms`: (entity id, points). `step`: see `alerts.stages.step`. `match`: of overlaps; its
    `later` is the alert that adds nothing.
    """

    a: int
    b: int
    by: str
    score: float
    gap_s: float = 0
    terms: tuple[tuple[int, float], ...] = ()
    step: int = 0
    match: Match | None = None
    incident: str = ""

    @property
    def strength(self) -> tuple[int, float, int, int]:
        """The stronger sorts first; never a tie between two different links."""
        return (_RANK[self.by], -self.score, self.a, self.b)


_RANK = {"overlap": 0, "incident": 1, "entities": 2}


def score_of(a: Member, b: Member, shared: Collection[int], rules: Rules = RULES) -> Link | None:
    """The link by what two alerts share and how near they are; None if that is not enough."""
    earlier, later = (a, b) if (a.at, a.key) <= (b.at, b.key) else (b, a)
    gap_s = (later.at - earlier.at).total_seconds()
    best = _best(a, b, shared, gap_s / 3600, rules)
    onward = step(earlier.phase, later.phase)
    if not gap_s:  # either may have been first: never what their keys say
        onward = abs(onward)
    total = sum(points for points, _ in best) + _circumstances(a, b, onward, rules)
    if not best or total < rules.threshold - 1e-9 or gap_s > rules.reach.total_seconds():
        return None
    terms = sorted(((entity, points) for points, entity in best), key=lambda t: -t[1])
    return Link(
        min(a.key, b.key), max(a.key, b.key), "entities", total, gap_s, tuple(terms), onward
    )


def _best(
    a: Member, b: Member, shared: Collection[int], gap_h: float, rules: Rules
) -> Collection[tuple[float, int]]:
    """(points, entity): what is shared, of each group the best."""
    weights = [(entity, rules.weights[a.ties[entity]]) for entity in shared]
    can_tie = {weight.group for _, weight in weights if weight.points >= rules.threshold}
    is_alone = len(can_tie) < 2
    faded_h = gap_h * rules.alone if is_alone else gap_h
    strangers = _are_strangers(a, b)
    best: dict[str, tuple[float, int]] = {}
    for entity, weight in weights:
        points = weight.points * 0.5 ** (faded_h / weight.half_life_h)
        if strangers and weight.group == "address":
            points *= rules.strangers
        known = best.get(weight.group)
        if known is None or (points, -entity) > (known[0], -known[1]):
            best[weight.group] = (points, entity)
    return best.values()


def _circumstances(a: Member, b: Member, onward: int, rules: Rules) -> float:
    """Points for what speaks for or against it besides what they share."""
    points = rules.onward if onward > 0 else rules.backward if onward < 0 else 0.0
    for one, other in ((a.addresses, b.addresses), (a.devices, b.devices)):
        if one and other and one.isdisjoint(other):
            points += rules.elsewhere
    if a.is_minor and b.is_minor:
        points += rules.minor
    return points


def _are_strangers(a: Member, b: Member) -> bool:
    """Whether both name people and no one in common: then an address may be that of an office."""
    theirs, others = (
        {entity for entity, kind in one.ties.items() if kind in _PEOPLE} for one in (a, b)
    )
    return bool(theirs and others and theirs.isdisjoint(others))


@lru_cache(maxsize=256)
def _reach_s(weight: Weight, threshold: float, onward: float, longest_s: float) -> float:
    if weight.points + onward < threshold:
        return 0
    least = (threshold - onward) / MOST_GROUPS
    return min(longest_s, 3600 * weight.half_life_h * max(0.0, log2(weight.points / least)))


def reach_of(kind: str, rules: Rules = RULES) -> timedelta:
    """How far apart two alerts that share such an entity are worth comparing.

    Nothing for what can't tie even with the order of stages in its favour: it only adds.
    """
    weight = rules.weights[kind]
    longest_s = rules.reach.total_seconds()
    return timedelta(seconds=_reach_s(weight, rules.threshold, rules.onward, longest_s))


def pairs_of(
    new: Iterable[Member], members: Mapping[int, Member], rules: Rules = RULES
) -> dict[tuple[int, int], list[int]]:
    """Pairs of a new alert and any other that share entities within reach -> what they share.

    Of each entity's alerts the nearest `most_compared` on either side are looked at.
    """
    reach = {kind: reach_of(kind, rules) for kind in rules.weights}
    naming: defaultdict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for member in members.values():
        for entity, kind in member.ties.items():
            if reach[kind]:
                naming[entity].append((member.at, member.key))
    for line in naming.values():
        line.sort()
    found: set[tuple[int, int]] = set()
    for member in new:
        for entity, kind in member.ties.items():
            line = naming.get(entity, [])
            if len(line) < 2:
                continue
            place, within = bisect_left(line, (member.at, member.key)), reach[kind]
            first = max(0, place - rules.most_compared)
            for at, key in line[first : place + 1 + rules.most_compared]:
                if key != member.key and abs(at - member.at) <= within:
                    found.add((key, member.key) if key < member.key else (member.key, key))
    return {
        (a, b): [entity for entity in members[a].ties if entity in members[b].ties]
        for a, b in found
    }


def links_of(
    pairs: Mapping[tuple[int, int], Collection[int]],
    members: Mapping[int, Member],
    classes: Mapping[str, OverlapClass],
    rules: Rules = RULES,
) -> list[Link]:
    """The pairs that are tied: reports of one thing by two products, or enough in common."""
    links = []
    for (one, other), shared in pairs.items():
        a, b = members[one], members[other]
        if a.report and b.report:
            kinds = frozenset(a.ties[entity] for entity in shared)
            gap = abs(b.at - a.at)
            if found := match(a.report, b.report, gap, kinds, classes):
                terms = tuple((entity, 0.0) for entity in sorted(shared))
                links.append(
                    Link(one, other, "overlap", 0, gap.total_seconds(), terms, match=found)
                )
                continue
        if link := score_of(a, b, shared, rules):
            links.append(link)
    return links


def incident_links(members: Iterable[Member]) -> list[Link]:
    """Alerts of one Microsoft incident, each linked to the earliest of them."""
    same: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        if member.incident:
            same[member.incident].append(member)
    links = []
    for incident, group in same.items():
        first = min(group, key=lambda member: (member.at, member.key))
        for member in group:
            if member is not first:
                a, b = sorted((first.key, member.key))
                gap_s = (member.at - first.at).total_seconds()
                links.append(Link(a, b, "incident", 0, gap_s, incident=incident))
    return links


def components(
    members: Iterable[Member],
    classes: Mapping[str, OverlapClass] | None = None,
    rules: Rules = RULES,
) -> list[frozenset[int]]:
    """The members' keys in groups, the group with the earliest member first."""
    known = {member.key: member for member in members}
    groups: Groups[int] = Groups()
    for key in known:
        groups.join((key,))
    pairs = pairs_of(known.values(), known, rules)
    for link in [*links_of(pairs, known, classes or {}, rules), *incident_links(known.values())]:
        groups.join((link.a, link.b))
    found = [frozenset(keys) for keys in groups.sets().values()]
    return sorted(found, key=lambda keys: min((known[key].at, key) for key in keys))
