"""Reads what correlation compares: the alerts of a page, and those near them that share something.

Set based: as many statements for a page of five hundred as for one alert.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts.correlate import INSIDE_ADDRESS, NEED_TIES, Link, Member, Rules, reach_of
from alerts.hubs import learn_hubs
from alerts.overlap import PLACE_KINDS, Classifier, OverlapClass, Report
from alerts.placing import Placed
from alerts.prepare import INSIDE, SEVERITY_RANK
from alerts.records import Kind, Severity
from alerts.rows import as_json, run
from alerts.stages import phase_of

MOST_NEIGHBOURS = 400
"""Links of one entity that are read for a page; more than that within days is a flood."""
SETTLED = 2
ADDRESS, DEVICE = str(Kind.IP), str(Kind.DEVICE)
MINOR = (SEVERITY_RANK[Severity.INFORMATIONAL], SEVERITY_RANK[Severity.LOW])

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
SELECT l.alert_id, l.entity_id, l.ties, l.roles, e.kind, h.is_hub
FROM alerts_alertentity l
CROSS JOIN LATERAL (SELECT kind FROM alerts_entity WHERE id = l.entity_id OFFSET 0) AS e
LEFT JOIN alerts_hub h ON h.entity_id = l.entity_id
WHERE l.alert_id = ANY(%s)
"""
NEAR = """
SELECT DISTINCT near.alert_id
FROM json_to_recordset(%s::json) AS s(e bigint, t boolean, since timestamptz, until timestamptz)
CROSS JOIN LATERAL (
  SELECT l.alert_id FROM alerts_alertentity l
  WHERE l.entity_id = s.e AND l.at BETWEEN s.since AND s.until AND l.ties >= s.t
  ORDER BY l.at DESC LIMIT %s
) AS near
"""
ENTITIES = "SELECT id, kind, pseudonym FROM alerts_entity WHERE id = ANY(%s)"
SAME_INCIDENT = """
SELECT DISTINCT ON (a.incident_id, a.case_id) a.id
FROM alerts_alert a JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
WHERE a.incident_id = ANY(%s) AND NOT a.id = ANY(%s)
ORDER BY a.incident_id, a.case_id, a.activity_at, a.id
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
    names: dict[int, set[int]] = field(default_factory=dict)

    def read_entities(self, links: Iterable[Link | None]) -> None:
        """Kind and pseudonym of what these links are made of."""
        wanted = {entity for link in links if link for entity, _ in link.terms}
        if wanted := wanted - self.entities.keys():
            rows = run(ENTITIES, [list(wanted)])
            self.entities.update({pk: (kind, pseudonym) for pk, kind, pseudonym in rows})


def find_known(alert_ids: list[int], classifier: Classifier, rules: Rules) -> Known:
    """The page's alerts and their neighbours. Inside the scope, after their links are stored."""
    known = Known(classifier.classes)
    # An alert of a closed case stays there and ties nothing any more.
    page = [row for row in run(ROWS, [alert_ids]) if row[4] is None or row[4] < SETTLED]
    known.new = [row[0] for row in page]
    named = _Named(known, rules)
    named.read({row[0]: row[1] for row in page}, are_new=True)
    near = {row[0] for row in run(NEAR, [as_json(named.spans()), MOST_NEIGHBOURS])}
    if incidents := list({row[2] for row in page if row[2]}):
        near.update(row[0] for row in run(SAME_INCIDENT, [incidents, alert_ids]))
    near -= set(known.new)
    others = run(ROWS, [list(near)]) if near else []
    named.read({row[0]: row[1] for row in others}, are_new=False)
    for row in (*page, *others):
        _take(known, row, named, classifier)
    return known


def _take(known: Known, row: tuple[Any, ...], named: _Named, classifier: Classifier) -> None:
    (key, at, incident, case, status, category, provider_id, source, detection_source, detector,
     title, created_at, severity, case_severity, first_at, first_id) = row  # fmt: skip
    report = Report(
        key, provider_id, source, detector, title, created_at, severity,
        classifier.classes_of(source, detection_source, detector, title),
        frozenset(known.names.get(key, ())), frozenset(named.places[key]),
    )  # fmt: skip
    known.reports[key] = report
    known.members[key] = Member(
        key, at, incident, named.ties[key], phase_of(category), frozenset(named.addresses[key]),
        frozenset(named.devices[key]), severity in MINOR, report,
    )  # fmt: skip
    if status is not None and status >= SETTLED:
        known.closed.add(key)
    if case is not None:
        known.case_of[key] = case
        known.severity_of_case[case] = case_severity
    known.placed[key] = Placed(key, at, case)
    if first_at is not None:
        known.duplicate_of[key] = (first_at, first_id)


@dataclass(slots=True)
class _Named:
    """What alerts name. `ties`: alert -> entity -> kind of what may tie it, without hubs."""

    known: Known
    rules: Rules
    ties: defaultdict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    places: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    addresses: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    devices: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    hubs: set[int] = field(default_factory=set)
    _times: defaultdict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    _kinds: dict[int, str] = field(default_factory=dict)

    def read(self, alerts: Mapping[int, datetime], *, are_new: bool) -> None:
        """Take what these name. New ones may teach a hub, and say where to look for neighbours."""
        weights, names = self.rules.weights, self.known.names
        found: list[tuple[int, int, str]] = []
        rows = run(TIES, [list(alerts)]) if alerts else []
        for key, entity, is_tie, roles, named_kind, is_hub in rows:
            names.setdefault(key, set()).add(entity)
            kind = self._take_place(key, entity, named_kind, roles)
            if is_hub:
                self.hubs.add(entity)
            if kind in weights and (is_tie or kind not in NEED_TIES):
                found.append((key, entity, kind))
                if are_new:
                    self._times[entity].append(alerts[key])
                    self._kinds[entity] = kind
        if are_new and self._times:
            newest = max(at for times in self._times.values() for at in times)
            for entity, is_hub in learn_hubs(list(self._times), newest, NEED_TIES).items():
                (self.hubs.add if is_hub else self.hubs.discard)(entity)
        for key, entity, kind in found:
            if entity not in self.hubs:
                self.ties[key][entity] = kind

    def _take_place(self, key: int, entity: int, kind: str, roles: str) -> str:
        """Note from where and on what; the kind as which it ties."""
        if kind == DEVICE:
            self.devices[key].add(entity)
        if kind not in PLACE_KINDS:
            return kind
        self.places[key].add(entity)
        if kind != ADDRESS:
            return kind
        self.addresses[key].add(entity)
        return INSIDE_ADDRESS if INSIDE in roles.split(",") else kind

    def spans(self) -> list[dict[str, object]]:
        """Of each entity of new alerts, the stretches of time within reach."""
        found: list[dict[str, object]] = []
        for entity, times in self._times.items():
            kind = self._kinds[entity]
            if entity not in self.hubs and (reach := reach_of(kind, self.rules)):
                found += [
                    {"e": entity, "t": kind in NEED_TIES, "since": since, "until": until}
                    for since, until in _spans(sorted(times), reach)
                ]
        return found


def _spans(times: list[datetime], reach: timedelta) -> list[tuple[datetime, datetime]]:
    """Joined where they overlap."""
    spans: list[tuple[datetime, datetime]] = []
    for at in times:
        since, until = at - reach, at + reach
        if spans and since <= spans[-1][1]:
            since = spans.pop()[0]
        spans.append((since, until))
    return spans
