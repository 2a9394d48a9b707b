"""What became of earlier cases with the same detection: the verdicts that people gave.

The same detection is the same detector of the same service, or the same scrubbed title where a
service names no detector.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.models import Case
from alerts.rows import run
from enrichment.facts import PastVerdicts, Verdicts

MOST_ALERTS = 200
"""Only so many of a detection's latest alerts are looked at: old habits fade, pages stay quick."""

# The two halves of `p` have an index each. `mine` is what ties the case, so hubs cost nothing.
_ALIKE = """
WITH wanted AS (
  SELECT DISTINCT case_id, service_source, detector_id,
    CASE WHEN detector_id = '' THEN title ELSE '' END AS title
  FROM alerts_alert WHERE case_id = ANY(%s)
), mine AS (
  SELECT DISTINCT a.case_id, l.entity_id FROM alerts_alert a
  JOIN alerts_alertentity l ON l.alert_id = a.id AND l.ties WHERE a.case_id = ANY(%s)
), alike AS (
  SELECT w.case_id, p.id, p.case_id AS past_id FROM wanted w CROSS JOIN LATERAL (
    (SELECT a.id, a.case_id FROM alerts_alert a
     WHERE w.detector_id <> '' AND a.detector_id <> '' AND a.detector_id = w.detector_id
       AND a.service_source = w.service_source ORDER BY a.activity_at DESC LIMIT %s)
    UNION ALL
    (SELECT a.id, a.case_id FROM alerts_alert a
     WHERE w.detector_id = '' AND a.detector_id = '' AND a.title = w.title
       AND a.service_source = w.service_source ORDER BY a.activity_at DESC LIMIT %s)
  ) AS p WHERE p.case_id <> w.case_id
), past AS (
  SELECT k.case_id, k.past_id, bool_or(EXISTS (
    SELECT FROM alerts_alertentity l JOIN mine m ON m.entity_id = l.entity_id
    WHERE l.alert_id = k.id AND l.ties AND m.case_id = k.case_id)) AS is_same_entity
  FROM alike k GROUP BY k.case_id, k.past_id
)
"""
# What the portal closed by itself says nothing about what people think.
VERDICTS = (
    _ALIKE
    + """
SELECT p.case_id, c.verdict, p.is_same_entity, count(*)
FROM past p JOIN alerts_case c ON c.id = p.past_id
WHERE c.status = 2 AND c.verdict <> '' AND c.closed_by = ''
GROUP BY p.case_id, c.verdict, p.is_same_entity
"""
)
SIMILAR = (
    _ALIKE
    + """
SELECT c.public_id, c.title, c.status, c.verdict, c.closed_by, c.severity, c.last_activity_at,
  p.is_same_entity
FROM past p JOIN alerts_case c ON c.id = p.past_id WHERE c.status < 3
ORDER BY p.is_same_entity DESC, c.last_activity_at DESC, c.id DESC LIMIT %s
"""
)


@dataclass(frozen=True, slots=True)
class SimilarCase:
    """A past case for people to look at. `closed_by` is empty if a person closed it."""

    public_id: uuid.UUID
    title: str
    status: int
    verdict: str
    closed_by: str
    severity: int
    last_activity_at: datetime
    is_same_entity: bool


def past_of(case_ids: Sequence[int]) -> dict[int, PastVerdicts]:
    """Verdicts of cases like these; a case without any is left out. One query, in the scope."""
    ids = list(case_ids)
    every: dict[int, Counter[str]] = defaultdict(Counter)
    same: dict[int, Counter[str]] = defaultdict(Counter)
    for case_id, verdict, is_same, count in run(VERDICTS, [ids, ids, MOST_ALERTS, MOST_ALERTS]):
        every[case_id][verdict] += count
        if is_same:
            same[case_id][verdict] += count
    return {
        case_id: PastVerdicts(*_counted(counts), same_entity=Verdicts(*_counted(same[case_id])))
        for case_id, counts in every.items()
    }


def _counted(counts: Counter[str]) -> tuple[int, int, int]:
    """In the order of the fields of `Verdicts`."""
    verdict = Case.Verdict
    return (
        counts[str(verdict.TRUE_POSITIVE)],
        counts[str(verdict.FALSE_POSITIVE)],
        counts[str(verdict.EXPECTED)],
    )


def similar_cases(case_id: int, limit: int = 20) -> list[SimilarCase]:
    """Cases with the same detection, those of the same entity first. One query, in the scope."""
    ids = [case_id]
    rows = run(SIMILAR, [ids, ids, MOST_ALERTS, MOST_ALERTS, limit])
    return [SimilarCase(*row) for row in rows]
