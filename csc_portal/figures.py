"""Counts a tenant's figures from its lake, by DuckDB; the pages of analytics add them up.

The pages do not ask the lake themselves: of 2,000 tenants that would be some hundred thousand
files. So what a tenant has to say is counted once, when its lake got something new.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from lake.reader import Lake, Limits
from lake.store import Store
from tenants.models import CaseFigure, Tenant
from tenants.scope import scope

PERIODS = (7, 30, 90)
STEPS_MIN = (
    1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 4320,
    10080, 20160, 43200,
)  # fmt: skip
"""Upper ends of the steps that times are counted by, in minutes; what is longer has one more."""
MOST = {"detection": 300, "source": 100, "entity": 200, "analyst": 200}
LIMITS = Limits(rows=1_000)
Topic = CaseFigure.Topic

# Triaged: a person touched it, here or where it was carried to. Resolved: closed by people, last.
_CASES = """
SELECT c.case_id, c.title, c.source, c.severity, c.assignee, c.alert_count, c.opened_at, c.status,
  c.closed_by, c.verdict, c.status = 'resolved' AND c.closed_by = '' AS by_people,
  epoch(t."at" - c.opened_at) AS triage_s, epoch(r."at" - c.opened_at) AS resolve_s
FROM cases c
LEFT JOIN (SELECT case_id, min(happened_at) AS "at" FROM events
  WHERE actor IS NOT NULL OR kind LIKE '%\\_in\\_ticket' ESCAPE '\\'
    OR kind LIKE '%\\_in\\_microsoft' ESCAPE '\\' GROUP BY case_id) AS t USING (case_id)
LEFT JOIN (SELECT case_id, max(happened_at) AS "at" FROM events
  WHERE kind = 'resolved' OR kind LIKE 'resolved\\_in\\_%' ESCAPE '\\' GROUP BY case_id) AS r
  USING (case_id)
WHERE c.status <> 'merged' AND c.opened_at >= ? AND c.opened_at < ?
"""
_NAMED = """
SELECT DISTINCT a.case_id, unnest(a.entities) AS entity
FROM alerts a SEMI JOIN recent USING (case_id)
"""
_MEASURES = """
count(*), sum(alert_count), count(*) FILTER (status IN ('new', 'in_progress')),
count(*) FILTER (by_people AND verdict = 'truePositive'),
count(*) FILTER (by_people AND verdict = 'informationalExpectedActivity'),
count(*) FILTER (by_people AND verdict = 'falsePositive'),
count(*) FILTER (status = 'resolved' AND closed_by <> ''),
count(triage_s) FILTER (triage_s >= 0), sum(triage_s) FILTER (triage_s >= 0),
count(resolve_s) FILTER (by_people AND resolve_s >= 0),
sum(resolve_s) FILTER (by_people AND resolve_s >= 0)
"""
_GROUPED = {
    Topic.DETECTION: ("title, source", "recent"),
    Topic.SOURCE: ("source, ''", "recent"),
    Topic.SEVERITY: ("severity::varchar, ''", "recent"),
    Topic.DAY: ("strftime(opened_at, '%Y-%m-%d'), ''", "recent"),
    Topic.ANALYST: ("assignee::varchar, ''", "recent"),
    Topic.ENTITY: ("entity.pseudonym, entity.kind", "recent JOIN named USING (case_id)"),
}
_WHERE = {
    Topic.ANALYST: "AND assignee IS NOT NULL",
    Topic.ENTITY: "AND entity.pseudonym IS NOT NULL",
}
_LEAST = {Topic.ENTITY: 2}
"""Once is no recurrence."""
_GROUP = """
SELECT {key}, {measures} FROM {source} WHERE opened_at >= ? {where}
GROUP BY ALL HAVING count(*) >= {least} ORDER BY count(*) DESC, 1, 2 LIMIT {most}
"""
_STEPS = """
SELECT list_count(list_filter({steps}, lambda step: step * 60 <= seconds))::varchar, count(*)
FROM (SELECT {seconds} AS seconds FROM recent WHERE opened_at >= ? AND {seconds} >= 0 {where})
GROUP BY ALL
"""
_TIMES = {"triage": ("triage_s", ""), "resolve": ("resolve_s", "AND by_people")}


def count_figures(tenant: Tenant, store: Store, until: datetime) -> int:
    """Replace the tenant's figures; how many rows there are now."""
    public_id = str(tenant.public_id)
    with Lake(store, {public_id: tenant.slug}, LIMITS) as lake:
        lake.keep("recent", _CASES, [until - timedelta(days=max(PERIODS)), until])
        lake.keep("named", _NAMED)
        rows = [
            CaseFigure(tenant_id=tenant.pk, topic=topic, days=days, **figures)
            for days in PERIODS
            for topic, figures in _counted(lake, until - timedelta(days=days))
        ]
    with scope(tenant), transaction.atomic():
        CaseFigure.objects.filter(tenant_id=tenant.pk).delete()
        CaseFigure.objects.bulk_create(rows, batch_size=500)
    return len(rows)


NAMES = (
    "key", "more", "cases", "alerts", "open", "true_positive", "expected", "false_positive",
    "by_portal", "triaged", "triage_s", "resolved", "resolve_s",
)  # fmt: skip


def _counted(lake: Lake, since: datetime) -> Iterator[tuple[str, dict[str, object]]]:
    for topic, (grouped, source) in _GROUPED.items():
        sql = _GROUP.format(
            key=grouped, measures=_MEASURES, source=source, where=_WHERE.get(topic, ""),
            least=_LEAST.get(topic, 1), most=MOST.get(topic, LIMITS.rows),
        )  # fmt: skip
        for row in lake.query(sql, [since]).rows:
            numbers = [int(value or 0) for value in row[2:]]  # type: ignore[call-overload]
            yield topic, dict(zip(NAMES, (*row[:2], *numbers), strict=True))
    for topic, (seconds, of) in _TIMES.items():
        sql = _STEPS.format(steps=list(STEPS_MIN), seconds=seconds, where=of)
        for step, number in lake.query(sql, [since]).rows:
            yield topic, {"key": step, "cases": number}
