"""The rows of facts: which alerts are to be asked about, claimed by one worker, and stored.

An alert is taken in by its row's number: numbers rise with each page that is stored, one page of a
tenant at a time, so everything up to the cursor has been seen.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.db import transaction

from alerts.facts_of import CURSOR
from alerts.links import link_alerts
from alerts.rows import as_json, run
from enrichment.facts import AlertFacts, TraceKind
from enrichment.stored import from_json, to_json

TAKEN_AT_ONCE = LOOKED_AT = 2000
ASKED_WITHIN = timedelta(days=30)
"""Microsoft keeps sign-ins for so long."""
LEASE = timedelta(minutes=10)
"""A worker that died with claimed alerts lets go of them then."""

ENSURE_CURSOR = "INSERT INTO alerts_cursor (source, position) VALUES (%s, 0) ON CONFLICT DO NOTHING"
POSITION = "SELECT coalesce(position, 0) FROM alerts_cursor WHERE source = %s FOR UPDATE"
NEWER = "SELECT id FROM alerts_alert WHERE id > %s ORDER BY id LIMIT %s"
KNOWN = "SELECT id FROM alerts_alert WHERE provider_id = ANY(%s) AND id <= %s"
MOVE = "UPDATE alerts_cursor SET position = %s WHERE source = %s"
# Alerts of one person are due; of several, it is final that nobody is asked.
NEW_FACTS = """
INSERT INTO alerts_alertfact (alert_id, facts, attempts, due_at)
SELECT a.id,
  CASE WHEN n.users = 1 THEN '{}'::jsonb ELSE jsonb_build_object('user_count', n.users,
    'sign_in_known', 'not_asked', 'risk_known', 'not_asked', 'audits_known', 'not_asked') END,
  0, CASE WHEN n.users = 1 THEN %s::timestamptz END
FROM alerts_alert a CROSS JOIN LATERAL (
  SELECT count(*) AS users FROM alerts_alertentity l JOIN alerts_entity e ON e.id = l.entity_id
  WHERE l.alert_id = a.id AND e.kind = 'user'
) AS n WHERE a.id = ANY(%s) AND a.activity_at > %s AND n.users > 0
ON CONFLICT DO NOTHING
"""
# The longest waiting first, but before them those whose case waits for facts with its ticket.
CLAIM = """
WITH due AS (
  SELECT alert_id FROM alerts_alertfact WHERE due_at <= %s ORDER BY due_at, alert_id LIMIT %s
), picked AS (
  SELECT f.alert_id, c.ticket_after > %s AND c.terms <> '[]' AS is_awaited
  FROM due JOIN alerts_alertfact f ON f.alert_id = due.alert_id
  JOIN alerts_alert a ON a.id = f.alert_id LEFT JOIN alerts_case c ON c.id = a.case_id
  WHERE f.due_at <= %s
  ORDER BY (c.ticket_after > %s AND c.terms <> '[]') IS NOT TRUE, f.due_at, f.alert_id
  LIMIT %s FOR UPDATE OF f SKIP LOCKED
)
UPDATE alerts_alertfact f SET due_at = %s
FROM picked p JOIN alerts_alert a ON a.id = p.alert_id WHERE f.alert_id = p.alert_id
RETURNING p.is_awaited IS NOT TRUE, f.alert_id, a.provider_id, a.case_id, f.facts::text, f.attempts
"""
STORE = """
UPDATE alerts_alertfact f
SET facts = x.facts, attempts = x.attempts, due_at = x.due_at, asked_at = %s
FROM jsonb_to_recordset(%s::jsonb)
  AS x(alert_id bigint, facts jsonb, attempts smallint, due_at timestamptz)
WHERE f.alert_id = x.alert_id
"""
TRACES = """
INSERT INTO alerts_signintrace (alert_id, pseudonym, kind)
SELECT alert_id, pseudonym, kind FROM json_to_recordset(%s::json)
  AS x(alert_id bigint, pseudonym uuid, kind text)
ON CONFLICT DO NOTHING
"""
RELEASE = "UPDATE alerts_alertfact SET due_at = %s WHERE alert_id = ANY(%s)"
AWAITED = """
SELECT EXISTS (
  SELECT FROM alerts_case c JOIN alerts_alert a ON a.case_id = c.id
  JOIN alerts_alertfact f ON f.alert_id = a.id
  WHERE c.ticket_after > now() AND c.status < 2 AND c.terms <> '[]' AND f.due_at <= %s
)
"""
NEXT_DUE = """
SELECT least((SELECT min(due_at) FROM alerts_alertfact WHERE due_at IS NOT NULL),
  (SELECT now() WHERE EXISTS (SELECT FROM alerts_alert WHERE id > coalesce(
    (SELECT position FROM alerts_cursor WHERE source = %s), 0))))
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker has for the time of the lease."""

    alert_id: int
    provider_id: str
    case_id: int | None
    facts: AlertFacts
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be stored of one alert. `traces`: of its sign-in, under every key's version."""

    facts: AlertFacts
    attempts: int
    due_at: datetime | None
    traces: tuple[tuple[TraceKind, uuid.UUID], ...] = ()


@transaction.atomic
def take_in(provider_ids: Sequence[str], now: datetime) -> bool:
    """Make rows for new alerts and count who was seen with what; true if there are still more.

    `provider_ids`: what was read just now; known alerts among them may name more than before.
    """
    run(ENSURE_CURSOR, [CURSOR])
    [(position,)] = run(POSITION, [CURSOR])
    new = [pk for (pk,) in run(NEWER, [position, TAKEN_AT_ONCE])]
    known = [pk for (pk,) in run(KNOWN, [list(provider_ids), position])] if provider_ids else []
    if new or known:
        run(NEW_FACTS, [now, new + known, now - ASKED_WITHIN])
        link_alerts(new + known)
    if new:
        run(MOVE, [new[-1], CURSOR])
    return len(new) == TAKEN_AT_ONCE


def claim(now: datetime, limit: int) -> list[Claimed]:
    """What is due, in the order to ask in; nobody else gets it during the lease."""
    rows = run(CLAIM, [now, LOOKED_AT, now, now, now, limit, now + LEASE])
    return [
        Claimed(alert_id, provider_id, case_id, from_json(alert_id, orjson.loads(facts)), attempts)
        for _, alert_id, provider_id, case_id, facts, attempts in sorted(rows)
    ]


def awaited(until: datetime) -> bool:
    """Whether a case waits with its ticket for an alert that is to be asked about by then."""
    return bool(run(AWAITED, [until])[0][0])


@transaction.atomic
def store(outcomes: Iterable[Outcome], now: datetime) -> None:
    """Two statements at most."""
    found = list(outcomes)
    rows = [
        {
            "alert_id": one.facts.alert_id,
            "facts": to_json(one.facts),
            "attempts": min(one.attempts, 1000),
            "due_at": one.due_at,
        }
        for one in found
    ]
    traces = [
        {"alert_id": one.facts.alert_id, "pseudonym": pseudonym, "kind": kind}
        for one in found
        for kind, pseudonym in one.traces
    ]
    if rows:
        run(STORE, [now, as_json(rows)])
    if traces:
        run(TRACES, [as_json(traces)])


def release(alert_ids: Sequence[int], due_at: datetime) -> None:
    """Give claimed alerts back, to be asked about at that time."""
    if alert_ids:
        run(RELEASE, [due_at, list(alert_ids)])


def next_due() -> datetime | None:
    """When something is to be asked next; None if everything is final. Inside the scope."""
    [(due,)] = run(NEXT_DUE, [CURSOR])
    found: datetime | None = due
    return found
