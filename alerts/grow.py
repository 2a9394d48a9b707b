"""Puts newly stored alerts into cases: the shell around `alerts.correlate`.

Runs under the ingest's lock, so the tenant's cases grow one page at a time; what an analyst does
meanwhile is guarded by row locks and the case's version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.correlate import Member, components
from alerts.grouping import Groups
from alerts.rows import as_json, run

WINDOW = timedelta(hours=24)
"""Alerts that share a strong entity belong together when they are no further apart."""

NEIGHBOURS = """
WITH given AS (
  SELECT DISTINCT l.entity_id, l.at FROM alerts_alertentity l
  WHERE l.alert_id = ANY(%s) AND l.ties
)
SELECT near.alert_id, near.at, near.entity_id, near.case_id FROM given
CROSS JOIN LATERAL (
  (SELECT l.alert_id, l.at, l.entity_id, a.case_id
   FROM alerts_alertentity l JOIN alerts_alert a ON a.id = l.alert_id
   JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
   WHERE l.entity_id = given.entity_id AND l.ties
     AND l.at <= given.at AND l.at >= given.at - %s AND NOT l.alert_id = ANY(%s)
   ORDER BY l.at DESC LIMIT 1)
  UNION ALL
  (SELECT l.alert_id, l.at, l.entity_id, a.case_id
   FROM alerts_alertentity l JOIN alerts_alert a ON a.id = l.alert_id
   JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
   WHERE l.entity_id = given.entity_id AND l.ties
     AND l.at > given.at AND l.at <= given.at + %s AND NOT l.alert_id = ANY(%s)
   ORDER BY l.at LIMIT 1)
) AS near
"""
SAME_INCIDENT = """
SELECT DISTINCT ON (a.incident_id, a.case_id) a.id, a.activity_at, a.incident_id, a.case_id
FROM alerts_alert a JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
WHERE a.incident_id = ANY(%s) AND NOT a.id = ANY(%s)
"""
PLACED = """
SELECT a.id, a.activity_at, a.incident_id, a.case_id, coalesce(c.status < 2, true)
FROM alerts_alert a LEFT JOIN alerts_case c ON c.id = a.case_id WHERE a.id = ANY(%s)
"""
TIES = """
SELECT alert_id, array_agg(entity_id) FROM alerts_alertentity
WHERE alert_id = ANY(%s) AND ties GROUP BY alert_id
"""
OF_ENTITIES = """
SELECT DISTINCT a.id FROM alerts_alertentity l JOIN alerts_alert a ON a.id = l.alert_id
JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
WHERE l.entity_id = ANY(%s) AND l.ties
"""
NEW_CASES = """
INSERT INTO alerts_case (public_id, status, verdict, title, category, source, severity, priority,
  pillars, is_vip, alert_count, entity_count, entities, growth, version, ticket_ref, ticket_url,
  first_activity_at, last_activity_at)
SELECT gen_random_uuid(), 0, '', '', '', '', 0, 0, 0, false, 0, 0, '[]', 1, 1, '', '', at, at
FROM json_to_recordset(%s::json) AS x(at timestamptz) RETURNING id
"""
JOIN = """
UPDATE alerts_alert a SET case_id = x.c, case_growth = case_new.growth, joined_by = x.why
FROM json_to_recordset(%s::json) AS x(a bigint, c bigint, why text), alerts_case case_new
WHERE a.id = x.a AND case_new.id = x.c
"""
GROWN = "UPDATE alerts_case SET growth = growth + 1 WHERE id = ANY(%s)"
MERGE_ALERTS = """
UPDATE alerts_alert a SET case_id = x.winner, case_growth = w.growth
FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint), alerts_case w
WHERE a.case_id = x.loser AND w.id = x.winner
"""
MERGE_CASES = """
UPDATE alerts_case c SET status = 3, merged_into_id = x.winner, changed_at = now(),
  version = version + 1
FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint) WHERE c.id = x.loser
"""
EVENTS = """
INSERT INTO alerts_caseevent (case_id, kind, facts)
SELECT c, k, f FROM json_to_recordset(%s::json) AS x(c bigint, k text, f jsonb)
"""


@dataclass(slots=True)
class Grown:
    """What a page did to the cases. Ids of cases in `opened` and `touched`."""

    opened: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Placed:
    """An alert under consideration and the open case that it is in, if any."""

    at: datetime
    incident: str
    case_id: int | None
    ties: set[int] = field(default_factory=set)


def grow_cases(alert_ids: Sequence[int], merged_entities: Iterable[int] = ()) -> Grown:
    """Give every alert of a page its case; open new ones, merge those that it bridges.

    `merged_entities`: entities that turned out to be one just now; all their alerts are looked at
    again, so that the order in which the portal learned it makes no difference.
    """
    placed = _load(alert_ids, list(merged_entities))
    _add_neighbours(placed, list(placed))
    members = [Member(key, p.at, p.incident, frozenset(p.ties)) for key, p in placed.items()]
    groups: Groups[tuple[str, int]] = Groups()
    for component in components(members, WINDOW):
        groups.join(("alert", key) for key in component)  # type: ignore[misc]
    for key, alert in placed.items():
        if alert.case_id is not None:
            groups.join((("alert", key), ("case", alert.case_id)))
    return _place(placed, groups)


def _load(alert_ids: Sequence[int], merged_entities: list[int]) -> dict[int, _Placed]:
    ids = list(alert_ids)
    if merged_entities:
        ids += [row[0] for row in run(OF_ENTITIES, [merged_entities])]
    placed = {
        key: _Placed(at, incident, case_id)
        for key, at, incident, case_id, is_open in run(PLACED, [ids])
        if is_open  # an alert of a closed case stays there and ties nothing any more
    }
    for key, entities in run(TIES, [list(placed)]):
        placed[key].ties.update(entities)
    return placed


def _add_neighbours(placed: dict[int, _Placed], ids: list[int]) -> None:
    """The nearest open alerts by shared entity, and one of each open case of the same incident."""
    for key, at, entity, case_id in run(NEIGHBOURS, [ids, WINDOW, ids, WINDOW, ids]):
        placed.setdefault(key, _Placed(at, "", case_id)).ties.add(entity)
    incidents = list({p.incident for p in placed.values() if p.incident})
    for key, at, incident, case_id in run(SAME_INCIDENT, [incidents, ids]):
        placed.setdefault(key, _Placed(at, incident, case_id)).incident = incident


def _place(placed: dict[int, _Placed], groups: Groups[tuple[str, int]]) -> Grown:
    grown = Grown()
    homes: list[tuple[int | None, list[int]]] = []  # (case or none yet, alerts without a case)
    events: list[dict[str, object]] = []
    for items in groups.sets().values():
        cases = sorted(key for kind, key in items if kind == "case")
        homeless = [key for kind, key in items if kind == "alert" and placed[key].case_id is None]
        for loser in cases[1:]:
            grown.merged[loser] = cases[0]
        if cases:
            grown.touched.update(cases)
        if homeless or len(cases) > 1:
            homes.append((cases[0] if cases else None, homeless))
    _open_missing(placed, homes, grown)
    changed = sorted({case for case, _ in homes if case} - grown.opened)
    run(GROWN, [changed])
    joins = [
        {"a": key, "c": case, "why": "first" if case in grown.opened else "tie"}
        for case, homeless in homes
        for key in sorted(homeless)
    ]
    run(JOIN, [as_json(joins)])
    if grown.merged:
        pairs = [{"loser": loser, "winner": winner} for loser, winner in grown.merged.items()]
        run(MERGE_ALERTS, [as_json(pairs)])
        run(MERGE_CASES, [as_json(pairs)])
        events += [
            {"c": winner, "k": "merged", "f": {"case": loser}}
            for loser, winner in grown.merged.items()
        ]
    for case, homeless in homes:
        kind = "opened" if case in grown.opened else "joined"
        if homeless:
            events.append({"c": case, "k": kind, "f": {"alerts": len(homeless)}})
    run(EVENTS, [as_json(events)])
    return grown


def _open_missing(
    placed: dict[int, _Placed], homes: list[tuple[int | None, list[int]]], grown: Grown
) -> None:
    """A new case for every group without one; the earliest group gets the lowest number."""
    missing = [index for index, (case, _) in enumerate(homes) if case is None]
    missing.sort(key=lambda index: min(placed[key].at for key in homes[index][1]))
    starts = [{"at": min(placed[key].at for key in homes[index][1])} for index in missing]
    if not starts:
        return
    opened = [row[0] for row in run(NEW_CASES, [as_json(starts)])]
    for index, case in zip(missing, opened, strict=True):
        homes[index] = (case, homes[index][1])
    grown.opened.update(opened)
    grown.touched.update(opened)
