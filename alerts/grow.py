"""Puts newly stored alerts into cases: the shell around `alerts.correlate` and `alerts.placing`.

Runs under the ingest's lock, so the tenant's cases grow one page at a time; what an analyst does
meanwhile is guarded by row locks and the case's version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from alerts.correlate import RULES, Link, Rules, incident_links, links_of, pairs_of
from alerts.merging import link_chains, merge_rows, write_events
from alerts.neighbours import Known, find_known
from alerts.overlap_classes import classifier
from alerts.placing import Apart, Group, Home, group, settle, united
from alerts.reasons import Facts, facts_of
from alerts.rows import as_json, run

OF_ENTITIES = """
SELECT DISTINCT a.id FROM alerts_alertentity l JOIN alerts_alert a ON a.id = l.alert_id
JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
WHERE l.entity_id = ANY(%s) AND l.ties
"""
APART = "SELECT kind, a, b FROM alerts_apart"
SIZES = "SELECT id, alert_count FROM alerts_case WHERE id = ANY(%s)"
CHAIN_DOWN = """
WITH RECURSIVE chain AS (
  SELECT id, status FROM alerts_case WHERE id = ANY(%s)
  UNION SELECT c.id, c.status FROM alerts_case c JOIN chain ON c.continues_id = chain.id
) SELECT id FROM chain WHERE status < 2
"""
NEW_CASES = """
INSERT INTO alerts_case (public_id, status, verdict, title, category, source, severity, priority,
  pillars, is_vip, alert_count, entity_count, entities, growth, version, ticket_ref, ticket_url,
  first_activity_at, last_activity_at)
SELECT gen_random_uuid(), 0, '', '', '', '', 0, 0, 0, false, 0, 0, '[]', 1, 1, '', '', at, at
FROM json_to_recordset(%s::json) AS x(at timestamptz) RETURNING id
"""
JOIN = """
UPDATE alerts_alert a SET case_id = x.c, case_growth = case_new.growth, joined_by = x.why,
  join_facts = x.facts
FROM json_to_recordset(%s::json) AS x(a bigint, c bigint, why text, facts jsonb),
  alerts_case case_new
WHERE a.id = x.a AND case_new.id = x.c
"""
DUPLICATES = """
UPDATE alerts_alert a SET duplicate_of_id = x.first
FROM json_to_recordset(%s::json) AS x(later bigint, first bigint)
WHERE a.id = x.later AND a.duplicate_of_id IS DISTINCT FROM x.first
"""
GROWN = "UPDATE alerts_case SET growth = growth + 1 WHERE id = ANY(%s)"
# Whether a case is still proven harmless with what joined it is judged anew (alerts.judge).
GROWN_IF_PROVEN = f"{GROWN} AND closed_by = 'proof'"


@dataclass(slots=True)
class Grown:
    """What a page did to the cases. Ids of cases in `opened` and `touched`.

    `overlaps`: how many alerts turned out to report what another one reports.
    """

    opened: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)
    overlaps: int = 0


def grow_cases(
    alert_ids: Sequence[int],
    tenant_id: int,
    merged_entities: Iterable[int] = (),
    rules: Rules = RULES,
) -> Grown:
    """Give every alert of a page its case; open new ones, merge those that it bridges.

    `merged_entities`: entities that turned out to be one just now; all their alerts are looked at
    again, so that the order in which the portal learned it makes no difference.
    """
    ids = list(alert_ids)
    if merged := list(merged_entities):
        ids += [row[0] for row in run(OF_ENTITIES, [merged])]
    known = find_known(ids, classifier(), rules)
    apart = apart_pairs()
    links = _links(known, apart, rules)
    grown = Grown()
    absorbed = _absorb(known, links, grown)
    links = [link for link in links if not {link.a, link.b} & known.closed]
    placed = {key: one for key, one in known.placed.items() if key not in absorbed | known.closed}
    groups, best = group(placed, links, apart)
    _Page(known, groups, best, grown, tenant_id, rules).place()
    grown.overlaps = _mark_duplicates(known, links)
    return grown


def apart_pairs() -> Apart:
    """What people parted. Inside the tenant's scope."""
    rows = run(APART, [])
    return Apart(*(frozenset((a, b) for k, a, b in rows if k == kind) for kind in _APART_KINDS))


_APART_KINDS = ("cases", "alerts", "entities")


def _links(known: Known, apart: Apart, rules: Rules) -> list[Link]:
    new = [known.members[key] for key in known.new if key in known.members]
    pairs = pairs_of(new, known.members, rules)
    links = links_of(pairs, known.members, known.classes, rules)
    links += incident_links(
        member for key, member in known.members.items() if key not in known.closed
    )
    if apart.entities:
        names = known.names
        links = [
            link
            for link in links
            if not any(
                (a in names.get(link.a, ()) and b in names.get(link.b, ()))
                or (b in names.get(link.a, ()) and a in names.get(link.b, ()))
                for a, b in apart.entities
            )
        ]
    return [link for link in links if (link.a, link.b) not in apart.alerts]


def _absorb(known: Known, links: list[Link], grown: Grown) -> set[int]:
    """New alerts that tell again, and no worse, what a closed case is about join that case.

    Only with proof that it is the same thing: the same sign-in, session, address, or all entities.
    """
    joins: dict[int, tuple[int, Link]] = {}
    for link in sorted(links, key=lambda link: link.strength):
        if link.match is None or not link.match.is_certain:
            continue
        for key, other in ((link.a, link.b), (link.b, link.a)):
            is_new = key in known.placed and known.placed[key].case is None
            report = known.reports.get(key)
            if not is_new or other not in known.closed or report is None:
                continue
            if report.severity <= known.severity_of_case[known.case_of[other]]:
                joins.setdefault(key, (other, link))
    if not joins:
        return set()
    known.read_entities(link for _, link in joins.values())
    grown.touched.update(known.case_of[other] for other, _ in joins.values())
    run(GROWN_IF_PROVEN, [sorted(grown.touched)])
    rows = [
        {
            "a": key,
            "c": known.case_of[other],
            "why": link.by,
            "facts": facts_of(link, other, known.entities, known.classes),
        }
        for key, (other, link) in sorted(joins.items())
    ]
    run(JOIN, [as_json(rows)])
    write_events({"c": row["c"], "k": "overlap", "f": {"alerts": [row["a"]]}} for row in rows)
    known.absorbed_links = [link for _, link in joins.values()]
    return set(joins)


def _mark_duplicates(known: Known, links: list[Link]) -> int:
    """The later of two reports points at the earliest that it repeats; how many are new."""
    first: dict[int, int] = {}
    for link in [*links, *known.absorbed_links]:
        if link.match is None:
            continue
        best = first.get(link.match.later)
        if best is None or known.reports[link.match.first].order < known.reports[best].order:
            first[link.match.later] = link.match.first
    rows = []
    for later, found in first.items():
        before = known.duplicate_of.get(later)
        if before is None or known.reports[found].order < before:
            rows.append({"later": later, "first": found})
    if rows:
        run(DUPLICATES, [as_json(rows)])
    return sum(row["later"] not in known.duplicate_of for row in rows)


@dataclass(slots=True)
class _Page:
    """Writes down where the groups of a page go."""

    known: Known
    groups: list[Group]
    best: dict[int, Link]
    grown: Grown
    tenant_id: int
    rules: Rules
    events: list[Facts] = field(default_factory=list)

    def place(self) -> None:
        self.known.read_entities(self.best.values())
        for found in self.groups:
            self.grown.touched.update(found.cases)
            self.known.read_entities(link for link in found.cases.values() if link)
        chains = self._chains()
        self._open_missing(chains)
        self._grow(chains)
        self._join(chains)
        self._merge(chains)
        self._continue(chains)
        write_events(self.events)

    def _chains(self) -> list[list[Home]]:
        """The homes of every group in which something happens."""
        placed, busy = self.known.placed, []
        for found in self.groups:
            homeless = any(placed[key].case is None for key in found.alerts)
            if homeless or len(found.cases) > 1:
                busy.append(found)
        sizes = dict(run(SIZES, [sorted({case for found in busy for case in found.cases})]))
        most = self.rules.most_alerts
        if full := [case for case, size in sizes.items() if size >= most]:
            for found in busy:
                if set(full) & set(found.cases):
                    found.cases.update(
                        {
                            row[0]: found.cases.get(row[0])
                            for row in run(CHAIN_DOWN, [list(found.cases)])
                        }
                    )
            busy = united(busy)
            sizes = dict(run(SIZES, [sorted({case for found in busy for case in found.cases})]))
        return [homes for found in busy if (homes := settle(found, placed, sizes, most))]

    def _open_missing(self, chains: list[list[Home]]) -> None:
        """A new case for every home without one; the earliest gets the lowest number."""
        missing = [
            (place, index)
            for place, homes in enumerate(chains)
            for index, home in enumerate(homes)
            if home.case is None
        ]
        start = {
            where: self.known.members[chains[where[0]][where[1]].alerts[0]].at for where in missing
        }
        missing.sort(key=lambda where: (start[where], where))
        if not missing:
            return
        opened = run(NEW_CASES, [as_json([{"at": start[where]} for where in missing])])
        for (place, index), (case,) in zip(missing, opened, strict=True):
            home = chains[place][index]
            chains[place][index] = Home(case, home.alerts, home.merges, home.continues)
            self.grown.opened.add(case)
            self.grown.touched.add(case)

    def _grow(self, chains: list[list[Home]]) -> None:
        """Cases that get something new to tell; what another product told already is not news."""
        loud = {
            home.case
            for homes in chains
            for home in homes
            if home.case not in self.grown.opened
            and (home.merges or any(not self._is_quiet(key) for key in home.alerts))
        }
        if loud:
            run(GROWN, [sorted(case for case in loud if case is not None)])

    def _is_quiet(self, key: int) -> bool:
        link = self.best.get(key)
        if link is None or link.match is None:
            return False
        other = link.b if key == link.a else link.a
        reports = self.known.reports
        return reports[key].severity <= reports[other].severity

    def _join(self, chains: list[list[Home]]) -> None:
        joins = []
        for homes in chains:
            for home in homes:
                for place, key in enumerate(home.alerts):
                    facts = self._reason(home, key, place, homes)
                    joins.append({"a": key, "c": home.case, "why": facts["by"], "facts": facts})
                if home.alerts:
                    kind = "opened" if home.case in self.grown.opened else "joined"
                    facts = {"alerts": len(home.alerts)}
                    if kind == "joined":
                        facts |= {"ids": list(home.alerts)[:20], "because": joins[-1]["facts"]}
                    self.events.append({"c": home.case, "k": kind, "f": facts})
        if joins:
            run(JOIN, [as_json(joins)])

    def _reason(self, home: Home, key: int, place: int, homes: list[Home]) -> Facts:
        if place == 0 and home.case in self.grown.opened:
            if home.continues is not None:
                return {"by": "first", "continues": homes[home.continues].case}
            return {"by": "first"}
        link = self.best[key]
        other = link.b if key == link.a else link.a
        return facts_of(link, other, self.known.entities, self.known.classes)

    def _merge(self, chains: list[list[Home]]) -> None:
        reasons: dict[int, Facts] = {}
        for homes in chains:
            for home in homes:
                for loser, link in home.merges:
                    self.grown.merged[loser] = int(home.case or 0)
                    reasons[loser] = facts_of(
                        link, link.b, self.known.entities, self.known.classes
                    ) | {"alerts_tied": [link.a, link.b]}
        if self.grown.merged:
            merge_rows(self.grown.merged, self.tenant_id, reasons)

    def _continue(self, chains: list[list[Home]]) -> None:
        pairs = [
            (int(before.case or 0), int(home.case or 0))
            for homes in chains
            for before, home in pairwise(homes)
        ]
        self.events += link_chains(pairs)
