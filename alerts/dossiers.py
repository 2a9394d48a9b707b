"""Reads everything that the judgement needs about many cases. Inside the tenant's scope.

Statements do not grow with the number of cases.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.dossier import MEDIUM, Dossier, Hit, JudgedAlert
from alerts.facts_of import facts_of
from alerts.proof import PROVABLE
from alerts.rows import run
from enrichment.facts import AlertFacts

# Who touched a case that was merged into this one has touched this one. Events whose kind ends so
# are people's doings in the ticket system or at Microsoft.
CASES = """
WITH RECURSIVE family (root, id) AS (
  SELECT id, id FROM unnest(%s::bigint[]) AS id
  UNION SELECT f.root, c.id FROM family f JOIN alerts_case c ON c.merged_into_id = f.id
), told AS (
  SELECT f.root,
    bool_or(e.kind IN ('reopened', 'reopened_in_ticket', 'reopened_in_microsoft')) AS reopened,
    bool_or(e.actor_id IS NOT NULL OR e.kind ~ '_in_(ticket|microsoft)$') AS touched
  FROM family f JOIN alerts_caseevent e ON e.case_id = f.id GROUP BY f.root
)
SELECT c.id, c.severity, c.pillars, c.status, c.growth, c.closed_by, c.snoozed_until,
  c.snoozed_growth, c.snoozed_severity, c.opened_at, c.ticket_ref <> '',
  coalesce(t.touched, false) OR c.assignee_id IS NOT NULL OR c.status = 1,
  coalesce(t.reopened, false), c.version, c.changed_at, c.decided, c.priority,
  c.is_vip, c.public_id, c.verdict
FROM alerts_case c LEFT JOIN told t ON t.root = c.id WHERE c.id = ANY(%s) ORDER BY c.id
"""
ALERTS = """
SELECT a.case_id, a.id, a.service_source, a.title, a.category, a.severity, a.status, a.techniques,
  n.addresses, n.users
FROM alerts_alert a CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE e.kind = 'ip') AS addresses,
    count(*) FILTER (WHERE e.kind = 'user') AS users
  FROM alerts_alertentity l JOIN alerts_entity e ON e.id = l.entity_id WHERE l.alert_id = a.id
) AS n
WHERE a.case_id = ANY(%s) ORDER BY a.case_id, a.activity_at, a.id
"""
# What a watch of the same person found, whichever of their alerts is watched.
HITS = """
WITH hits AS MATERIALIZED (
  SELECT w.alert_id, h.record, h.operation, h.at, h.is_success
  FROM alerts_watchhit h JOIN alerts_watch w ON w.id = h.watch_id
), people AS (
  SELECT h.record, h.operation, h.at, h.is_success, l.entity_id FROM hits h
  JOIN alerts_alertentity l ON l.alert_id = h.alert_id
  JOIN alerts_entity e ON e.id = l.entity_id AND e.kind = 'user'
)
SELECT DISTINCT a.case_id, p.record, p.operation, p.at, p.is_success
FROM people p JOIN alerts_alertentity l ON l.entity_id = p.entity_id
JOIN alerts_alert a ON a.id = l.alert_id
WHERE a.case_id = ANY(%s) AND p.at >= a.activity_at - interval '72 hours'
  AND p.at <= a.last_activity_at + interval '72 hours'
ORDER BY a.case_id, p.at, p.record
"""
# People of these cases who are named by another one that is open, raised and not small, or real.
NEIGHBOURS = """
SELECT DISTINCT a.case_id FROM alerts_alert a
JOIN alerts_alertentity l ON l.alert_id = a.id AND l.ties
JOIN alerts_entity e ON e.id = l.entity_id AND e.kind IN ('user', 'mailbox')
JOIN alerts_alertentity l2 ON l2.entity_id = l.entity_id AND l2.ties
  AND l2.at >= l.at - %s AND l2.at <= l.at + %s
JOIN alerts_alert b ON b.id = l2.alert_id AND b.case_id <> a.case_id
JOIN alerts_case o ON o.id = b.case_id AND (
  o.status < 2 AND o.severity >= %s AND o.terms <> '[]' AND o.ticket_after IS NULL
  OR o.status = 2 AND o.verdict = 'truePositive')
WHERE a.case_id = ANY(%s) AND lower(a.service_source) = ANY(%s)
"""
NEAR = timedelta(hours=24)
"""Two cases about one person within this say something about each other."""
RESOLVED = 2
HAS_HITS = "SELECT EXISTS (SELECT FROM alerts_watchhit)"
ENTITIES = """
SELECT a.case_id, k.pseudonym, count(DISTINCT a.id)
FROM alerts_alert a JOIN alerts_alertentity l ON l.alert_id = a.id
JOIN alerts_entitykey k ON k.entity_id = l.entity_id AND k.is_identity
WHERE a.case_id = ANY(%s) GROUP BY a.case_id, k.pseudonym
"""


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case as it was read: its dossier, and what its row says. `version` and `changed_at` tell
    whether somebody changed it since.
    """

    dossier: Dossier
    version: int
    changed_at: datetime
    decided: uuid.UUID | None
    priority: int
    is_vip: bool
    public_id: uuid.UUID
    verdict: str

    @property
    def is_open(self) -> bool:
        return self.dossier.status < RESOLVED


def read_cases(case_ids: Sequence[int], *, with_entities: bool) -> list[CaseState]:
    """These cases, in order of their numbers. `with_entities`: whether a rule asks for them."""
    ids = sorted(set(case_ids))
    if not ids:
        return []
    evidence = facts_of(ids)
    alerts: dict[int, list[JudgedAlert]] = defaultdict(list)
    facts = {one.alert_id: one for found in evidence.values() for one in found.alerts}
    for row in run(ALERTS, [ids]):
        case, key, source, title, category, severity, status, techniques, addresses, users = row
        known = facts.get(key) or AlertFacts(key)
        alerts[case].append(
            JudgedAlert(
                key, source, title, category, severity, status, known, addresses, users,
                tuple(techniques),
            )
        )  # fmt: skip
    hits = _hits(ids)
    busy = {case for (case,) in run(NEIGHBOURS, [NEAR, NEAR, MEDIUM, ids, list(PROVABLE)])}
    every, shared = _entities(ids, alerts) if with_entities else ({}, {})
    return [
        CaseState(
            Dossier(
                case_id=row[0],
                alerts=tuple(alerts[row[0]]),
                severity=row[1],
                pillars=row[2],
                status=row[3],
                growth=row[4],
                closed_by=row[5] if row[3] == RESOLVED else "",
                snoozed_until=row[6],
                held_growth=row[7],
                held_severity=row[8],
                opened_at=row[9],
                has_ticket=row[10],
                was_touched=row[11],
                was_reopened=row[12],
                marks=evidence[row[0]].marks,
                past=evidence[row[0]].past,
                shared_elsewhere=evidence[row[0]].shared_elsewhere,
                hits=tuple(hits.get(row[0], ())),
                has_neighbour=row[0] in busy,
                entities=frozenset(every.get(row[0], ())),
                shared_entities=frozenset(shared.get(row[0], ())),
            ),
            *row[13:],
        )
        for row in run(CASES, [ids, ids])
    ]


def _hits(case_ids: list[int]) -> dict[int, list[Hit]]:
    found: dict[int, list[Hit]] = defaultdict(list)
    if run(HAS_HITS, [])[0][0]:
        for case, _record, operation, at, is_success in run(HITS, [case_ids]):
            found[case].append(Hit(operation, at, is_success))
    return found


def _entities(
    case_ids: list[int], alerts: dict[int, list[JudgedAlert]]
) -> tuple[dict[int, set[uuid.UUID]], dict[int, set[uuid.UUID]]]:
    """All pseudonyms by case, and those that each of its alerts names."""
    every: dict[int, set[uuid.UUID]] = defaultdict(set)
    shared: dict[int, set[uuid.UUID]] = defaultdict(set)
    for case, pseudonym, count in run(ENTITIES, [case_ids]):
        every[case].add(pseudonym)
        if count == len(alerts[case]):
            shared[case].add(pseudonym)
    return every, shared
