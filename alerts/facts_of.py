"""Everything that is known about some cases, for priority, policy and the proof."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import orjson

from alerts.marks import marks_of
from alerts.past import past_of
from alerts.rows import run
from enrichment.facts import AlertFacts, CaseEvidence, Known, SharedTrace, TraceKind
from enrichment.stored import from_json

CURSOR = "facts"
"""Name of the cursor: alerts up to its position have been looked at by `alerts.enrich`."""

FACTS = """
SELECT a.case_id, a.id, f.facts::text, a.id <= coalesce(
    (SELECT position FROM alerts_cursor WHERE source = %s), 0)
FROM alerts_alert a LEFT JOIN alerts_alertfact f ON f.alert_id = a.id
WHERE a.case_id = ANY(%s) ORDER BY a.case_id, a.activity_at, a.id
"""
# A trace is met in other sign-ins and among the entities that alerts name. The newest few hundred
# alerts of an address are enough: what is open is recent.
SHARED = """
SELECT DISTINCT a.case_id, t.alert_id, t.kind, other.case_id
FROM alerts_alert a JOIN alerts_signintrace t ON t.alert_id = a.id
CROSS JOIN LATERAL (
  (SELECT o.case_id FROM (
    SELECT s.alert_id FROM alerts_signintrace s WHERE s.pseudonym = t.pseudonym
    ORDER BY s.alert_id DESC LIMIT 300
  ) AS s JOIN alerts_alert o ON o.id = s.alert_id)
  UNION
  (SELECT o.case_id FROM (
    SELECT l.alert_id FROM alerts_entitykey k JOIN alerts_alertentity l ON l.entity_id = k.entity_id
    WHERE k.pseudonym = t.pseudonym AND k.is_identity ORDER BY l.at DESC LIMIT 300
  ) AS l JOIN alerts_alert o ON o.id = l.alert_id)
) AS other
JOIN alerts_case c ON c.id = other.case_id AND c.status < 2
WHERE a.case_id = ANY(%s) AND other.case_id <> a.case_id
ORDER BY a.case_id, t.alert_id, t.kind, other.case_id LIMIT 2000
"""


def facts_of(case_ids: Sequence[int]) -> dict[int, CaseEvidence]:
    """Every case given, each alert of it with its facts. Four queries, in the tenant's scope."""
    ids = sorted(set(case_ids))
    if not ids:
        return {}
    facts, marks, past = _facts(ids), marks_of(ids), past_of(ids)
    shared: dict[int, list[SharedTrace]] = defaultdict(list)
    for case_id, alert_id, kind, other in run(SHARED, [ids]):
        shared[case_id].append(SharedTrace(alert_id, TraceKind(kind), other))
    nothing = CaseEvidence()
    return {
        case_id: CaseEvidence(
            tuple(facts.get(case_id, ())),
            marks.get(case_id, ()),
            past.get(case_id, nothing.past),
            tuple(shared.get(case_id, ())),
        )
        for case_id in ids
    }


def _facts(case_ids: list[int]) -> dict[int, list[AlertFacts]]:
    found: dict[int, list[AlertFacts]] = defaultdict(list)
    for case_id, alert_id, stored, is_looked_at in run(FACTS, [CURSOR, case_ids]):
        if stored is not None:
            facts = from_json(alert_id, orjson.loads(stored))
        elif is_looked_at:
            facts = _not_asked(alert_id)
        else:
            facts = AlertFacts(alert_id)
        found[case_id].append(facts)
    return found


def _not_asked(alert_id: int) -> AlertFacts:
    return AlertFacts(
        alert_id,
        sign_in_known=Known.NOT_ASKED,
        risk_known=Known.NOT_ASKED,
        audits_known=Known.NOT_ASKED,
    )
