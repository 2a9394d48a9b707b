"""Other cases of the same people and things within 30 days. In the tenant's scope."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.models import Alert, Apart
from alerts.regroup import apart_of
from alerts.rows import run

WITHIN = timedelta(days=30)
MOST_ALERTS = 200
"""Of each entity: the newest ones."""
MOST_CASES = 30

# What ties the case, so hubs cost nothing.
SAME_ENTITIES = """
WITH mine AS (
  SELECT DISTINCT l.entity_id FROM alerts_alert a
  JOIN alerts_alertentity l ON l.alert_id = a.id AND l.ties WHERE a.case_id = %s LIMIT 50
), met AS (
  SELECT DISTINCT o.case_id, m.entity_id FROM mine m CROSS JOIN LATERAL (
    SELECT l.alert_id FROM alerts_alertentity l
    WHERE l.entity_id = m.entity_id AND l.at >= %s ORDER BY l.at DESC LIMIT %s
  ) AS l JOIN alerts_alert o ON o.id = l.alert_id WHERE o.case_id <> %s
)
SELECT c.id, c.public_id, c.title, c.status, c.verdict, c.severity, c.last_activity_at,
  (array_agg(e.kind ORDER BY e.id))[1:3], (array_agg(e.pseudonym ORDER BY e.id))[1:3], count(*)
FROM met JOIN alerts_case c ON c.id = met.case_id AND c.status < 3
JOIN alerts_entity e ON e.id = met.entity_id
GROUP BY c.id ORDER BY count(*) DESC, c.last_activity_at DESC, c.id DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class RelatedCase:
    """`shared`: the first of the things that both name; `shared_count`: all of them."""

    pk: int
    public_id: uuid.UUID
    title: str
    status: int
    verdict: str
    severity: int
    last_activity_at: datetime
    shared: tuple[tuple[str, uuid.UUID], ...]
    shared_count: int


def related_cases(case_id: int, now: datetime) -> list[RelatedCase]:
    """Those that share most first. One query."""
    rows = run(SAME_ENTITIES, [case_id, now - WITHIN, MOST_ALERTS, case_id, MOST_CASES])
    found = []
    for pk, public_id, title, status, verdict, severity, at, kinds, things, count in rows:
        shared = tuple(zip(kinds, things, strict=True))
        one = RelatedCase(pk, public_id, title, status, verdict, severity, at, shared, count)
        found.append(one)
    return found


def kept_apart(case_id: int) -> list[tuple[int, str, str]]:
    """(number of the pair, one, other) of what people said is never to be tied. Two queries."""
    pairs = apart_of(case_id)
    ids = {pk for pair in pairs if pair.kind == Apart.Kind.ALERTS for pk in (pair.a, pair.b)}
    alerts = {alert.pk: alert for alert in Alert.objects.filter(pk__in=ids)}

    def word(kind: str, pk: int) -> str:
        if kind == Apart.Kind.CASES:
            return f"Case #{pk}"
        if pk not in alerts:
            return "An alert that is not there any more"
        return f"{alerts[pk].title} (case #{alerts[pk].case_id})"

    return [(pair.pk, word(pair.kind, pair.a), word(pair.kind, pair.b)) for pair in pairs]
