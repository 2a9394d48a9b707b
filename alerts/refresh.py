"""What a case shows follows from its alerts, and the shared queue follows the case.

Both in one statement each, in the transaction that changed them.
"""

from __future__ import annotations

from collections.abc import Iterable

from alerts.rows import run

SUMMARISE = """
WITH picked AS (
  SELECT c.id, c.status FROM alerts_case c WHERE c.id = ANY(%s) ORDER BY c.id FOR UPDATE
), counted AS (
  SELECT a.case_id, count(*) AS alerts, max(a.severity) AS severity,
    bit_or(a.pillars::int) AS pillars, min(a.activity_at) AS first_at,
    max(a.last_activity_at) AS last_at, bool_and(a.status = 'resolved') AS all_resolved,
    count(DISTINCT a.service_source) AS providers
  FROM alerts_alert a JOIN picked p ON p.id = a.case_id GROUP BY a.case_id
), lead AS (
  SELECT DISTINCT ON (a.case_id) a.case_id, a.title, a.category, a.service_source, a.classification
  FROM alerts_alert a JOIN picked p ON p.id = a.case_id
  ORDER BY a.case_id, a.severity DESC, a.activity_at, a.provider_id
), seen AS (
  SELECT a.case_id, l.entity_id, count(*) AS times, bool_or(l.ties) AS ties
  FROM alerts_alert a JOIN picked p ON p.id = a.case_id
  JOIN alerts_alertentity l ON l.alert_id = a.id GROUP BY a.case_id, l.entity_id
), ranked AS (
  SELECT s.case_id, e.kind, e.pseudonym, count(*) OVER (PARTITION BY s.case_id) AS entities,
    row_number() OVER (PARTITION BY s.case_id
      ORDER BY s.ties DESC, (e.kind = 'user') DESC, s.times DESC, e.id) AS place
  FROM seen s JOIN alerts_entity e ON e.id = s.entity_id
), shown AS (
  SELECT case_id, max(entities) AS entities,
    jsonb_agg(jsonb_build_array(kind, pseudonym) ORDER BY place) AS first_two
  FROM ranked WHERE place <= 2 GROUP BY case_id
)
UPDATE alerts_case c SET
  alert_count = n.alerts, severity = n.severity, pillars = n.pillars,
  first_activity_at = n.first_at, last_activity_at = n.last_at,
  title = lead.title, category = lead.category, source = lead.service_source,
  priority = least(100, (ARRAY[10, 10, 30, 50, 70])[n.severity + 1]
    + 5 * (length(replace(n.pillars::bit(5)::text, '0', '')) - 1) + 5 * (n.providers - 1)
    + least(10, n.alerts - 1)),
  entity_count = coalesce(shown.entities, 0), entities = coalesce(shown.first_two, '[]'),
  status = CASE WHEN n.all_resolved AND c.status < 2 THEN 2 ELSE c.status END,
  verdict = CASE WHEN n.all_resolved AND c.status < 2 AND c.verdict = ''
      AND lead.classification IN
        ('truePositive', 'informationalExpectedActivity', 'falsePositive')
    THEN lead.classification ELSE c.verdict END,
  changed_at = now()
FROM counted n JOIN picked p ON p.id = n.case_id
  JOIN lead USING (case_id) LEFT JOIN shown USING (case_id)
WHERE c.id = n.case_id
RETURNING c.id, n.all_resolved AND p.status < 2
"""
PUBLISH = """
INSERT INTO tenants_queueentry (tenant_id, case_id, public_id, status, severity, priority, pillars,
  source, category, title, is_vip, alert_count, entity_count, entities, assignee_id, verdict,
  ticket_ref, ticket_url, first_activity_at, last_activity_at, opened_at, changed_at, change)
SELECT %s, id, public_id, status, severity, priority, pillars,
  source, category, title, is_vip, alert_count, entity_count, entities, assignee_id, verdict,
  ticket_ref, ticket_url, first_activity_at, last_activity_at, opened_at, changed_at,
  pg_current_xact_id()::text::bigint
FROM alerts_case WHERE id = ANY(%s) AND status < 3 ORDER BY id
ON CONFLICT (tenant_id, case_id) DO UPDATE SET
  status = excluded.status, severity = excluded.severity, priority = excluded.priority,
  pillars = excluded.pillars, source = excluded.source, category = excluded.category,
  title = excluded.title, is_vip = excluded.is_vip, alert_count = excluded.alert_count,
  entity_count = excluded.entity_count, entities = excluded.entities,
  assignee_id = excluded.assignee_id, verdict = excluded.verdict,
  ticket_ref = excluded.ticket_ref, ticket_url = excluded.ticket_url,
  first_activity_at = excluded.first_activity_at, last_activity_at = excluded.last_activity_at,
  changed_at = excluded.changed_at, change = excluded.change
"""
CLOSED_THERE = """
INSERT INTO alerts_caseevent (case_id, kind, facts)
SELECT id, 'resolved_in_microsoft', '{}' FROM unnest(%s::bigint[]) AS id
"""
WITHDRAW = """
DELETE FROM tenants_queueentry WHERE tenant_id = %s AND case_id = ANY(%s) AND case_id IN
  (SELECT id FROM alerts_case WHERE id = ANY(%s) AND status = 3)
"""


def summarise(case_ids: Iterable[int]) -> set[int]:
    """Recompute the cases from their alerts; returns those that Microsoft has closed by now."""
    closed = {case for case, is_closed in run(SUMMARISE, [sorted(case_ids)]) if is_closed}
    run(CLOSED_THERE, [sorted(closed)])
    return closed


def publish(tenant_id: int, case_ids: Iterable[int]) -> None:
    """Bring the shared queue's rows of these cases up to date; merged cases leave it."""
    ids = sorted(case_ids)
    run(PUBLISH, [tenant_id, ids])
    run(WITHDRAW, [tenant_id, ids, ids])
