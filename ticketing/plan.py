"""Which tickets and notes are owed, by comparing cases with what was delivered."""

from __future__ import annotations

from alerts.rows import run

CREATE = """
INSERT INTO ticketing_delivery (case_id, kind, growth, state, attempts, error)
SELECT c.id, 'create', c.growth, 'pending', 0, '' FROM alerts_case c
WHERE c.status < 2 AND NOT EXISTS (
  SELECT FROM ticketing_delivery d WHERE d.case_id = c.id AND d.kind = 'create')
ORDER BY c.id
ON CONFLICT DO NOTHING RETURNING id
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


def plan_deliveries() -> int:
    """Save the intent of every ticket and note that is owed. Inside the tenant's scope."""
    return sum(len(run(statement, [])) for statement in (CREATE, NOTE, MERGED))
