"""Reads what correlation compares: the alerts of a page, and those near them that share something.

Set based: as many statements for a page of five hundred as for one alert.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.correlate import NEED_TIES, Link, Member, Rules
from alerts.hubs import learn_hubs
from alerts.overlap import PLACE_KINDS, Classifier, OverlapClass, Report
from alerts.placing import Placed
from alerts.rows import as_json, run
from alerts.stages import phase_of

MOST_NEIGHBOURS = 400
"""Links of one entity that are read for a page; more than that within days is a flood."""
SETTLED = 2

COLUMNS = """a.id, a.activity_at, a.incident_id, a.case_id, c.status, a.category, a.provider_id,
  a.service_source, a.detection_source, a.detector_id, a.title, a.created_at, a.severity,
  c.severity, first.created_at, first.provider_id"""
# Row by row (OFFSET 0 forbids another plan), as in alerts.refresh: a freshly filled tenant has no
# statistics, and whole tables would be read.
ROWS = f"""
SELECT {COLUMNS} FROM alerts_alert a
LEFT JOIN LATERAL (
  SELECT status, severity FROM alerts_case WHERE id = a.case_id OFFSET 0) AS c ON true
LEFT JOIN LATERAL (
  SELECT created_at, provider_id FROM alerts_alert WHERE id = a.duplicate_of_id OFFSET 0
) AS first ON true
WHERE a.id = ANY(%s)
"""  # noqa: S608 only the constant above is put in
TIES = """
SELECT l.alert_id, l.entity_id, l.at, l.ties, e.kind, e.pseudonym, coalesce(h.is_hub, false)
FROM alerts_alertentity l
CROSS JOIN LATERAL (
  SELECT kind, pseudonym FROM alerts_entity WHERE id = l.entity_id OFFSET 0) AS e
LEFT JOIN alerts_hub h ON h.entity_id = l.entity_id
WHERE l.alert_id = ANY(%s)
"""
NEAR = """
SELECT near.alert_id, near.entity_id
FROM json_to_recordset(%s::json) AS s(e bigint, t boolean, since timestamptz, until timestamptz)
CROSS JOIN LATERAL (
  SELECT l.alert_id, l.entity_id FROM alerts_alertentity l
  WHERE l.entity_id = s.e AND l.at BETWEEN s.since AND s.until AND l.ties >= s.t
  ORDER BY l.at DESC LIMIT %s
) AS near
"""
SAME_INCIDENT = """
SELECT DISTINCT ON (a.incident_id, a.case_id) a.id
FROM alerts_alert a JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
WHERE a.incident_id = ANY(%s) AND NOT a.id = ANY(%s)
ORDER BY a.incident_id, a.case_id, a.activity_at, a.id
"""
NAMES = """
SELECT l.alert_id, l.entity_id, e.kind FROM alerts_alertentity l
CROSS JOIN LATERAL (SELECT kind FROM alerts_entity WHERE id = l.entity_id OFFSET 0) AS e
WHERE l.alert_id = ANY(%s)
"""


@dataclass(slots=True)
class Known:
    """Everything about the alerts that are compared, by alert id.

    `new`: of the page; `placed`: those whose case is open or still to be found; `closed`: alerts of
    closed cases, which tie nothing any more but may have been told of already. `entities`: kind and
    pseudonym. `duplicate_of`: order of the report that it repeats.
    """

    classes: Mapping[str, OverlapClass]
    new: list[int] = field(default_factory=list)
    members: dict[int, Member] = field(default_factory=dict)
    placed: dict[int, Placed] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    case_of: dict[int, int] = field(default_factory=dict)
    severity_of_case: dict[int, int] = field(default_factory=dict)
    reports: dict[int, Report] = field(default_factory=dict)
    duplicate_of: dict[int, tuple[datetime, str]] = field(default_factory=dict)
    entities: dict[int, tuple[str, uuid.UUID]] = field(default_factory=dict)
    absorbed_links: list[Link] = field(default_factory=list)

    def read_reports(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Entities of those pairs whose detections could be of the same happening."""
        wanted: set[int] = set()
        for pair in pairs:
            one, other = (self.reports[key] for key in pair)
            same_sort = (one.source, one.title) == (other.source, other.title)
            if same_sort or one.classes & other.classes:
                wanted.update(pair)
        names: defaultdict[int, set[int]] = defaultdict(set)
        places: defaultdict[int, set[int]] = defaultdict(set)
        if wanted:
            for key, entity, kind in run(NAMES, [list(wanted)]):
                names[key].add(entity)
                if kind in PLACE_KINDS:
                    places[key].add(entity)
        for key in wanted:
            report = replace(
                self.reports[key], names=frozenset(names[key]), places=frozenset(places[key])
            )
            self.reports[key] = report
            self.members[key] = replace(self.members[key], report=report)

    def read_names(self, keys: Collection[int]) -> dict[int, set[int]]:
        names: dict[int, set[int]] = {key: set() for key in keys}
        for key, entity, _ in run(NAMES, [list(keys)]):
            names[key].add(entity)
        return names


def find_known(alert_ids: list[int], classifier: Classifier, rules: Rules) -> Known:
    """The page's alerts and their neighbours. Inside the scope, after their links are stored."""
    known = Known(classifier.classes)
    page = {row[0]: row for row in run(ROWS, [alert_ids])}
    # An alert of a closed case stays there and ties nothing any more.
    page = {key: row for key, row in page.items() if row[4] is None or row[4] < SETTLED}
    ties, spans = _ties(list(page), known, rules)
    known.new = list(page)
    near: defaultdict[int, set[int]] = defaultdict(set)
    for key, entity in run(NEAR, [as_json(spans), MOST_NEIGHBOURS]):
        if key not in page:
            near[key].add(entity)
    incidents = list({row[2] for row in page.values() if row[2]})
    same = [row[0] for row in run(SAME_INCIDENT, [incidents, alert_ids])] if incidents else []
    others = run(ROWS, [list({*near, *same})]) if near or same else []
    for row in (*page.values(), *others):
        key = row[0]
        shared = ties[key] if key in page else {e: known.entities[e][0] for e in near[key]}
        _take(known, row, shared, classifier)
    return known


def _take(known: Known, row: tuple[Any, ...], ties: dict[int, str], classifier: Classifier) -> None:
    (key, at, incident, case, status, category, provider_id, source, detection_source, detector,
     title, created_at, severity, case_severity, first_at, first_id) = row  # fmt: skip
    classes = classifier.classes_of(source, detection_source, detector, title)
    report = Report(key, provider_id, source, detector, title, created_at, severity, classes)
    known.reports[key] = report
    known.members[key] = Member(key, at, incident, ties, phase_of(category), report)
    if status is not None and status >= SETTLED:
        known.closed.add(key)
    if case is not None:
        known.case_of[key] = case
        known.severity_of_case[case] = case_severity
    known.placed[key] = Placed(key, at, case)
    if first_at is not None:
        known.duplicate_of[key] = (first_at, first_id)


def _ties(
    alert_ids: list[int], known: Known, rules: Rules
) -> tuple[dict[int, dict[int, str]], list[dict[str, object]]]:
    """Alert -> entity -> kind of what may tie it; and from when to when others may share it."""
    ties: dict[int, dict[int, str]] = {key: {} for key in alert_ids}
    found: defaultdict[int, list[tuple[datetime, int]]] = defaultdict(list)
    hubs: set[int] = set()
    for key, entity, at, is_tie, kind, pseudonym, is_hub in run(TIES, [alert_ids]):
        if kind not in rules.weights or (kind in NEED_TIES and not is_tie):
            continue
        known.entities[entity] = (kind, pseudonym)
        found[entity].append((at, key))
        if is_hub:
            hubs.add(entity)
    if found:
        newest = max(at for named in found.values() for at, _ in named)
        learned = learn_hubs(list(found), newest, NEED_TIES)
        hubs = hubs - set(learned) | {entity for entity, is_hub in learned.items() if is_hub}
    spans: list[dict[str, object]] = []
    for entity, named in found.items():
        if entity in hubs:
            continue
        kind = known.entities[entity][0]
        for _, key in named:
            ties[key][entity] = kind
        for since, until in _spans(sorted(at for at, _ in named), rules):
            row = {"e": entity, "t": kind in NEED_TIES, "since": since, "until": until}
            spans.append(row)
    return ties, spans


def _spans(times: list[datetime], rules: Rules) -> list[tuple[datetime, datetime]]:
    """The stretches of time within reach, joined where they overlap."""
    spans: list[tuple[datetime, datetime]] = []
    for at in times:
        since, until = at - rules.reach, at + rules.reach
        if spans and since <= spans[-1][1]:
            since = spans.pop()[0]
        spans.append((since, until))
    return spans
