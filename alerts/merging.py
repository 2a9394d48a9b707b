"""Merges cases: alerts move, addresses lead on, chains of cases stay whole.

Used when an alert bridges two cases, and by people. In the transaction of whoever calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alerts.reasons import Facts
from alerts.rows import as_json, run

CHAIN_UP = """
WITH RECURSIVE chain AS (
  SELECT id AS start, id, continues_id FROM alerts_case WHERE id = ANY(%s)
  UNION SELECT chain.start, c.id, c.continues_id FROM alerts_case c
  JOIN chain ON c.id = chain.continues_id
) SELECT start, id FROM chain WHERE continues_id IS NULL
"""
CONTINUES = """
UPDATE alerts_case c SET continues_id = x.before
FROM json_to_recordset(%s::json) AS x(c bigint, before bigint) WHERE c.id = x.c
"""
MERGE_ALERTS = """
UPDATE alerts_alert a SET case_id = x.winner, case_growth = w.growth
FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint), alerts_case w
WHERE a.case_id = x.loser AND w.id = x.winner
RETURNING x.loser, a.id
"""
MERGE_CASES = """
UPDATE alerts_case c SET status = 3, merged_into_id = b.winner, changed_at = now(),
  version = version + 1
FROM (
  SELECT l.id, l.status, x.winner
  FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint)
  JOIN alerts_case l ON l.id = x.loser ORDER BY l.id FOR UPDATE OF l
) AS b WHERE c.id = b.id
RETURNING c.id, b.status
"""
# Pairs that are to stay apart hold for what a case became.
MERGE_APART = """
INSERT INTO alerts_apart (kind, a, b, actor_id)
SELECT DISTINCT 'cases', least(x.winner, p.rest), greatest(x.winner, p.rest), p.actor_id
FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint) JOIN (
  SELECT a AS gone, b AS rest, actor_id FROM alerts_apart WHERE kind = 'cases'
  UNION ALL SELECT b, a, actor_id FROM alerts_apart WHERE kind = 'cases'
) AS p ON p.gone = x.loser
WHERE p.rest <> x.winner ON CONFLICT DO NOTHING
"""
IN_CHAINS = """
SELECT x.loser, x.winner FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint)
JOIN alerts_case l ON l.id = x.loser
WHERE l.continues_id IS NOT NULL OR EXISTS (
  SELECT FROM alerts_case n WHERE n.continues_id = x.loser)
"""
MOVED = """
WITH pairs AS (
  SELECT l.public_id AS gone, w.public_id AS target
  FROM json_to_recordset(%s::json) AS x(loser bigint, winner bigint)
  JOIN alerts_case l ON l.id = x.loser JOIN alerts_case w ON w.id = x.winner
), onward AS (
  UPDATE tenants_movedcase m SET target = p.target FROM pairs p WHERE m.target = p.gone
)
INSERT INTO tenants_movedcase (public_id, tenant_id, target)
SELECT gone, %s, target FROM pairs
ON CONFLICT (public_id) DO UPDATE SET target = excluded.target
"""
EVENTS = """
INSERT INTO alerts_caseevent (case_id, actor_id, kind, facts)
SELECT c, actor, k, f FROM json_to_recordset(%s::json) AS x(c bigint, actor int, k text, f jsonb)
"""


def link_chains(pairs: Sequence[tuple[int, int]]) -> list[Facts]:
    """Let each second case continue the first, unless both are of one chain already; the events.

    What has a predecessor keeps it: then the beginning of its chain continues the other.
    """
    if not pairs:
        return []
    roots: dict[int, int] = dict(run(CHAIN_UP, [sorted({case for pair in pairs for case in pair})]))
    rows = []
    for before, case in pairs:
        root = roots[case]
        if root != roots[before]:
            rows.append({"c": root, "before": before})
            joined = roots[before]
            roots.update({key: joined for key, value in roots.items() if value == root})
    if rows:
        run(CONTINUES, [as_json(rows)])
    return [{"c": row["c"], "k": "continues", "f": {"case": row["before"]}} for row in rows]


def merge_rows(
    merged: Mapping[int, int],
    tenant_id: int,
    reasons: Mapping[int, Facts],
    actor_id: int | None = None,
) -> None:
    """Move the alerts, close the cases and keep their addresses; loser -> winner.

    The event tells what an undoing needs: which alerts came, and the case's state before.
    """
    pairs = as_json([{"loser": loser, "winner": winner} for loser, winner in merged.items()])
    moved: dict[int, list[int]] = {loser: [] for loser in merged}
    for loser, alert_id in run(MERGE_ALERTS, [pairs]):
        moved[loser].append(alert_id)
    before = dict(run(MERGE_CASES, [pairs]))
    run(MERGE_APART, [pairs])
    run(MOVED, [pairs, tenant_id])
    link_chains([(winner, loser) for loser, winner in run(IN_CHAINS, [pairs])])
    write_events(
        {
            "c": winner,
            "actor": actor_id,
            "k": "merged",
            "f": {
                "case": loser,
                "alerts": sorted(moved[loser]),
                "status": before[loser],
                "because": reasons.get(loser, {}),
            },
        }
        for loser, winner in merged.items()
    )


def write_events(events: Iterable[Facts]) -> None:
    if rows := list(events):
        run(EVENTS, [as_json(rows)])
