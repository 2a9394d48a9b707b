"""What a case shows follows from its alerts, and the shared queue follows the case.

Both in one statement each, in the transaction that changed them.
"""

from __future__ import annotations

from collections.abc import Iterable

from alerts.due import DUE_AT, minutes
from alerts.priority import preliminary
from alerts.rows import run
from tenants.scope import tenant_here

# Case by case (LATERAL) and row by row (OFFSET 0 forbids another plan), so that indexes are used
# whatever the planner knows: of a freshly filled tenant it knows nothing for a minute, and would
# read whole tables for each case.
SUMMARISE = """
WITH picked AS (
  SELECT c.id, c.status, c.severity_by_hand, c.snoozed_until FROM alerts_case c
  WHERE c.id = ANY(%s) ORDER BY c.id FOR UPDATE
), found AS (
  SELECT p.id, p.status, p.snoozed_until, n.*, lead.*, named.* FROM picked p
  CROSS JOIN LATERAL (
    SELECT count(*) AS alerts, coalesce(p.severity_by_hand, max(a.severity)) AS severity,
      bit_or(a.pillars::int) AS pillars,
      min(a.activity_at) AS first_at, max(a.last_activity_at) AS last_at,
      bool_and(a.status IN ('resolved', 'deleted')) AND NOT EXISTS (
        -- a person who reopened it knows better; what moves there after that, alerts.outbox tells
        SELECT FROM alerts_caseevent e
        WHERE e.case_id = p.id AND e.kind IN ('reopened', 'reopened_in_ticket')
      ) AS all_resolved
    FROM alerts_alert a WHERE a.case_id = p.id
  ) AS n
  CROSS JOIN LATERAL (
    SELECT a.title, a.category, a.service_source, a.classification FROM alerts_alert a
    WHERE a.case_id = p.id ORDER BY a.severity DESC, a.activity_at, a.provider_id LIMIT 1
  ) AS lead
  CROSS JOIN LATERAL (
    SELECT coalesce(max(r.entities), 0) AS entities,
      coalesce(jsonb_agg(jsonb_build_array(r.kind, r.pseudonym) ORDER BY r.place), '[]') AS shown
    FROM (
      SELECT e.kind, e.pseudonym, count(*) OVER () AS entities, row_number() OVER (
          ORDER BY s.ties DESC, (e.kind = 'user') DESC, s.times DESC, e.id) AS place
      FROM (
        SELECT l.entity_id, count(*) AS times, bool_or(l.ties) AS ties
        FROM alerts_alert a CROSS JOIN LATERAL (
          SELECT l.entity_id, l.ties FROM alerts_alertentity l WHERE l.alert_id = a.id OFFSET 0
        ) AS l WHERE a.case_id = p.id GROUP BY l.entity_id
      ) AS s CROSS JOIN LATERAL (
        SELECT e.id, e.kind, e.pseudonym FROM alerts_entity e WHERE e.id = s.entity_id OFFSET 0
      ) AS e
      ORDER BY place LIMIT 2
    ) AS r
  ) AS named
)
UPDATE alerts_case c SET
  alert_count = f.alerts, severity = f.severity, pillars = f.pillars,
  first_activity_at = f.first_at, last_activity_at = f.last_at,
  title = f.title, category = f.category, source = f.service_source,
  priority = CASE WHEN c.terms = '[]' THEN (%s::int[])[f.severity + 1] ELSE c.priority END,
  judge_at = 'epoch',
  snoozed_until = CASE WHEN c.growth > c.snoozed_growth OR f.severity > c.snoozed_severity
    THEN NULL ELSE c.snoozed_until END,
  entity_count = f.entities, entities = f.shown,
  status = CASE WHEN f.all_resolved AND c.status < 2 THEN 2 ELSE c.status END,
  verdict = CASE WHEN f.all_resolved AND c.status < 2 AND c.verdict = ''
      AND f.classification IN
        ('truePositive', 'informationalExpectedActivity', 'falsePositive')
    THEN f.classification ELSE c.verdict END,
  changed_at = now()
FROM found f WHERE c.id = f.id
RETURNING c.id, f.all_resolved AND f.status < 2,
  f.snoozed_until IS NOT NULL AND c.snoozed_until IS NULL
"""
PUBLISH = f"""
INSERT INTO tenants_queueentry (tenant_id, case_id, public_id, status, severity, priority, pillars,
  source, category, title, is_vip, alert_count, entity_count, entities, assignee_id, verdict,
  ticket_ref, ticket_url, first_activity_at, last_activity_at, opened_at, changed_at, due_at,
  snoozed_until, closed_by, change)
SELECT %s, id, public_id, status, severity, priority, pillars,
  source, category, title, is_vip, alert_count, entity_count, entities, assignee_id, verdict,
  ticket_ref, ticket_url, first_activity_at, last_activity_at, opened_at, changed_at, {DUE_AT},
  snoozed_until, closed_by, pg_current_xact_id()::text::bigint
FROM alerts_case WHERE id = ANY(%s) AND status < 3 ORDER BY id
ON CONFLICT (tenant_id, case_id) DO UPDATE SET
  status = excluded.status, severity = excluded.severity, priority = excluded.priority,
  pillars = excluded.pillars, source = excluded.source, category = excluded.category,
  title = excluded.title, is_vip = excluded.is_vip, alert_count = excluded.alert_count,
  entity_count = excluded.entity_count, entities = excluded.entities,
  assignee_id = excluded.assignee_id, verdict = excluded.verdict,
  ticket_ref = excluded.ticket_ref, ticket_url = excluded.ticket_url,
  first_activity_at = excluded.first_activity_at, last_activity_at = excluded.last_activity_at,
  changed_at = excluded.changed_at, due_at = excluded.due_at,
  snoozed_until = excluded.snoozed_until, closed_by = excluded.closed_by,
  change = excluded.change
RETURNING case_id
"""  # noqa: S608 - made of constants
TELL = """
INSERT INTO alerts_caseevent (case_id, kind, facts)
SELECT id, %s, '{}' FROM unnest(%s::bigint[]) AS id
"""
OPEN = "SELECT id FROM alerts_case WHERE status < 2 ORDER BY id"
BATCH = 1000
WITHDRAW = "DELETE FROM tenants_queueentry WHERE tenant_id = %s AND case_id = ANY(%s)"


def summarise(case_ids: Iterable[int]) -> set[int]:
    """Recompute the cases from their alerts; returns those that Microsoft has closed by now."""
    found = run(SUMMARISE, [sorted(case_ids), preliminary()])
    closed = {case for case, is_closed, _ in found if is_closed}
    woken = {case for case, _, is_woken in found if is_woken}
    for kind, cases in (("resolved_in_microsoft", closed), ("woken", woken)):
        if cases:
            run(TELL, [kind, sorted(cases)])
    return closed


def publish(tenant_id: int, case_ids: Iterable[int]) -> None:
    """Bring the shared queue's rows of these cases up to date; merged cases leave it."""
    ids = sorted(case_ids)
    parameters = [tenant_id, *minutes(tenant_here().sla), ids]
    shown = {case for (case,) in run(PUBLISH, parameters)}
    if gone := [case for case in ids if case not in shown]:
        run(WITHDRAW, [tenant_id, gone])


def publish_open(tenant_id: int) -> int:
    """All open cases again, after the tenant's promises have changed. Returns how many."""
    ids = [case for (case,) in run(OPEN, [])]
    for start in range(0, len(ids), BATCH):
        publish(tenant_id, ids[start : start + BATCH])
    return len(ids)
