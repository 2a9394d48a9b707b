"""Which tickets and notes are owed, by comparing cases with what was delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alerts.rows import run
from tenants.rows import as_json

# What may still be closed by itself waits, for a bounded time (alerts.decide).
CREATE = """
INSERT INTO ticketing_delivery (case_id, kind, growth, state, attempts, error)
SELECT c.id, 'create', c.growth, 'pending', 0, '' FROM alerts_case c
WHERE c.status < 2 AND (c.ticket_after IS NULL OR c.ticket_after <= now()) AND NOT EXISTS (
  SELECT FROM ticketing_delivery d WHERE d.case_id = c.id AND d.kind = 'create')
ORDER BY c.id
ON CONFLICT DO NOTHING RETURNING id
"""
# A case that was closed before it got a ticket, and is open again.
AFTER_ALL = """
UPDATE ticketing_delivery d SET state = 'pending', due_at = now(), error = ''
FROM alerts_case c
WHERE d.case_id = c.id AND d.kind = 'create' AND d.state = 'cancelled' AND c.status < 2
RETURNING d.id
"""
# One waiting note is enough: it tells of everything new at the time it is sent.
NOTE = """
INSERT INTO ticketing_delivery (case_id, kind, growth, state, attempts, error)
SELECT c.id, 'note', c.growth, 'pending', 0, '' FROM alerts_case c
JOIN ticketing_ticket t ON t.case_id = c.id
WHERE c.status < 2 AND c.growth > t.covers_growth AND NOT EXISTS (
  SELECT FROM ticketing_delivery d
  WHERE d.case_id = c.id AND d.kind = 'note' AND d.state IN ('pending', 'sending'))
ORDER BY c.id
ON CONFLICT DO NOTHING RETURNING id
"""
# A merged case's ticket is told once where the case goes on. Growth 0 stands for that note.
MERGED = """
INSERT INTO ticketing_delivery (case_id, kind, growth, state, attempts, error)
SELECT c.id, 'note', 0, 'pending', 0, '' FROM alerts_case c
JOIN ticketing_ticket t ON t.case_id = c.id
WHERE c.status = 3 AND NOT EXISTS (
  SELECT FROM ticketing_delivery d WHERE d.case_id = c.id AND d.kind = 'note' AND d.growth = 0)
ORDER BY c.id
ON CONFLICT DO NOTHING RETURNING id
"""
MERGED_GROWTH = 0
# The case was closed or opened again, and the ticket was not told. Once for each decision.
UPDATE = """
INSERT INTO ticketing_delivery (case_id, kind, growth, state, attempts, error)
SELECT c.id, 'update', c.version, 'pending', 0, '' FROM ticketing_ticket t
JOIN alerts_case c ON c.id = t.case_id
WHERE t.gone_at IS NULL AND (
  (t.told = 'open' AND c.status = 2) OR (t.told = 'closed' AND c.status < 2)
) AND NOT EXISTS (
  SELECT FROM ticketing_delivery d
  WHERE d.case_id = c.id AND d.kind = 'update' AND d.state IN ('pending', 'sending'))
ORDER BY c.id
ON CONFLICT DO NOTHING RETURNING id
"""


# A finding that a rule means, unless its risk is accepted at present.
FINDING_CREATE = """
INSERT INTO ticketing_delivery (finding_id, kind, growth, state, attempts, error)
SELECT f.id, 'create', f.growth, 'pending', 0, '' FROM posture_finding f
JOIN jsonb_to_recordset(%s::jsonb) AS r (kind text, min_severity int, min_size int)
  ON r.kind = f.kind AND f.severity >= r.min_severity AND f.size >= r.min_size
WHERE f.closed_at IS NULL AND (f.accepted_until IS NULL OR f.accepted_until <= now())
  AND NOT EXISTS (SELECT FROM ticketing_delivery d WHERE d.finding_id = f.id AND d.kind = 'create')
ORDER BY f.id
ON CONFLICT DO NOTHING RETURNING id
"""
FINDING_NOTE = """
INSERT INTO ticketing_delivery (finding_id, kind, growth, state, attempts, error)
SELECT f.id, 'note', f.growth, 'pending', 0, '' FROM posture_finding f
JOIN ticketing_ticket t ON t.finding_id = f.id
WHERE f.closed_at IS NULL AND t.gone_at IS NULL AND f.growth > t.covers_growth AND NOT EXISTS (
  SELECT FROM ticketing_delivery d
  WHERE d.finding_id = f.id AND d.kind = 'note' AND d.state IN ('pending', 'sending'))
ORDER BY f.id
ON CONFLICT DO NOTHING RETURNING id
"""
FINDING_UPDATE = """
INSERT INTO ticketing_delivery (finding_id, kind, growth, state, attempts, error)
SELECT f.id, 'update', f.growth, 'pending', 0, '' FROM posture_finding f
JOIN ticketing_ticket t ON t.finding_id = f.id
WHERE f.closed_at IS NOT NULL AND t.gone_at IS NULL AND t.told = 'open'
ORDER BY f.id
ON CONFLICT DO NOTHING RETURNING id
"""


def plan_findings(rules: Sequence[Mapping[str, object]]) -> int:
    """The same for findings. `rules`: {kind, min_severity, min_size} of those that get a ticket.

    Without a rule a ticket that is there is told all the same. Inside the tenant's scope.
    """
    made = run(FINDING_CREATE, [as_json(list(rules))]) if rules else []
    return len(made) + sum(len(run(one, [])) for one in (FINDING_NOTE, FINDING_UPDATE))


def plan_deliveries() -> int:
    """Save the intent of all that tickets are owed. Inside the tenant's scope."""
    return sum(len(run(statement, [])) for statement in (CREATE, AFTER_ALL, NOTE, MERGED, UPDATE))
