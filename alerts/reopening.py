"""Closed cases are opened again because of something new; entries of the timeline.

Inside the tenant's scope, in the transaction of what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alerts.rows import as_json, run

EVENTS = """
INSERT INTO alerts_caseevent (case_id, kind, facts)
SELECT c, k, f FROM jsonb_to_recordset(%s::jsonb) AS x(c bigint, k text, f jsonb)
"""
REOPEN = """
UPDATE alerts_case SET status = 0, verdict = '', determination = '', closed_by = '',
  ticket_after = NULL, judge_at = 'epoch', version = version + 1, changed_at = now()
WHERE id = ANY(%s) AND status = 2 RETURNING id
"""


def reopen(cases: Mapping[int, object], by: str) -> set[int]:
    """Those of them that were closed. `cases`: id -> because of what, for the timeline."""
    opened = {case for (case,) in run(REOPEN, [sorted(cases)])}
    tell([(case, "reopened", {"by": by, "because": cases[case]}) for case in sorted(opened)])
    return opened


def tell(events: Sequence[tuple[int, str, Mapping[str, object]]]) -> None:
    """(case, kind, facts) of each."""
    if events:
        run(EVENTS, [as_json([{"c": c, "k": kind, "f": facts} for c, kind, facts in events])])
