"""Incidents that Microsoft merged into others: their alerts belong to the one at the chain's end.

The pairs are kept, because an alert may come later than the news that its incident was merged.
Runs inside the tenant's scope, in the ingest's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from alerts.models import Redirect
from alerts.rows import as_json, run

STORE = """
INSERT INTO alerts_redirect (source, target, final, updated_at)
SELECT source, target, target, updated_at FROM json_to_recordset(%s::json)
  AS x(source text, target text, updated_at timestamptz)
ON CONFLICT (source) DO UPDATE SET target = excluded.target, updated_at = excluded.updated_at
WHERE (alerts_redirect.updated_at, alerts_redirect.target) < (excluded.updated_at, excluded.target)
RETURNING source
"""
SET_FINAL = """
UPDATE alerts_redirect r SET final = x.final
FROM json_to_recordset(%s::json) AS x(source text, final text) WHERE r.source = x.source
"""
# The first condition lets the partial index serve.
MOVE_ALL = """
UPDATE alerts_alert a SET incident_id = r.final FROM alerts_redirect r
WHERE a.incident_id <> '' AND a.incident_id = ANY(%s)
  AND r.source = a.incident_id AND r.final <> r.source
RETURNING a.id
"""
MOVE_SOME = """
UPDATE alerts_alert a SET incident_id = r.final FROM alerts_redirect r
WHERE a.id = ANY(%s) AND r.source = a.incident_id AND r.final <> r.source
RETURNING a.id
"""


@dataclass(frozen=True, slots=True)
class Redirection:
    """One incident was merged into another. `updated_at`: Microsoft's time of that news."""

    source: str
    target: str
    updated_at: datetime


def final_targets(targets: Mapping[str, str]) -> dict[str, str]:
    """Where the chain of each incident ends; a circle ends at its smallest number. Pure."""
    finals: dict[str, str] = {}
    for start in targets:
        path: dict[str, None] = {}
        at = start
        while at in targets and at not in finals and at not in path:
            path[at] = None
            at = targets[at]
        if at in path:
            circle = list(path)[list(path).index(at) :]
            end = min(circle, key=lambda incident: (len(incident), incident))
        else:
            end = finals.get(at, at)
        finals.update(dict.fromkeys(path, end))
    return finals


def learn(redirections: Collection[Redirection]) -> list[int]:
    """Keep them and move the alerts that are stored; ids of the alerts moved."""
    newest: dict[str, Redirection] = {}
    for one in sorted(redirections, key=lambda one: (one.updated_at, one.target)):
        newest[one.source] = one
    if not newest or not run(STORE, [as_json([asdict(one) for one in newest.values()])]):
        return []
    rows = {source: (target, final) for source, target, final in _rows()}
    finals = final_targets({source: target for source, (target, _) in rows.items()})
    changed = [
        {"source": source, "final": final}
        for source, final in finals.items()
        if rows[source][1] != final or source in newest
    ]
    run(SET_FINAL, [as_json(changed)])
    return [row[0] for row in run(MOVE_ALL, [[row["source"] for row in changed]])]


def follow(alert_ids: Iterable[int]) -> None:
    """Alerts just stored may name an incident that is known to have been merged."""
    run(MOVE_SOME, [list(alert_ids)])


def _rows() -> Iterable[tuple[str, str, str]]:
    return Redirect.objects.values_list("source", "target", "final")
