"""Which stored entity each named thing is: by any of its pseudonyms, new ones learned on sight."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from alerts.grouping import Groups
from alerts.prepare import AlertRow, EntityRow
from alerts.rows import as_json, run

KNOWN = """
SELECT k.pseudonym, k.entity_id FROM alerts_entitykey k
JOIN json_array_elements_text(%s::json) AS given(p) ON k.pseudonym = given.p::uuid
WHERE k.is_identity
"""
NEW_ENTITIES = """
INSERT INTO alerts_entity (kind, pseudonym, key_version)
SELECT kind, pseudonym, %s
FROM json_to_recordset(%s::json) AS x(kind text, pseudonym uuid)
RETURNING pseudonym, id
"""
NEW_KEYS = """
WITH fresh AS (
  INSERT INTO alerts_entitykey (pseudonym, entity_id, is_identity)
  SELECT p, e, i FROM json_to_recordset(%s::json) AS x(p uuid, e bigint, i boolean)
  ON CONFLICT DO NOTHING RETURNING pseudonym, entity_id
)
INSERT INTO tenants_entityindex (tenant_id, pseudonym, entity_id)
SELECT %s, pseudonym, entity_id FROM fresh ON CONFLICT DO NOTHING
"""
LINKS = """
INSERT INTO alerts_alertentity (alert_id, entity_id, at, ties, roles, verdict)
SELECT a, e, at, t, r, v FROM json_to_recordset(%s::json)
  AS x(a bigint, e bigint, at timestamptz, t boolean, r text, v text)
ON CONFLICT (alert_id, entity_id) DO UPDATE
SET at = excluded.at, ties = excluded.ties OR alerts_alertentity.ties,
    roles = excluded.roles, verdict = excluded.verdict
"""
# Two entities turned out to be one: everything moves to the older one.
MOVE_LINKS = """
INSERT INTO alerts_alertentity (alert_id, entity_id, at, ties, roles, verdict)
SELECT alert_id, %s, at, ties, roles, verdict FROM alerts_alertentity WHERE entity_id = %s
ON CONFLICT DO NOTHING
"""
# What the lake was told of them holds no more; `note_change` writes the column.
TOUCH_ALERTS = """
UPDATE alerts_alert SET change = 0
WHERE id IN (SELECT alert_id FROM alerts_alertentity WHERE entity_id = %s)
"""
MOVE_KEYS = """
INSERT INTO alerts_entitykey (pseudonym, entity_id, is_identity)
SELECT pseudonym, %s, is_identity FROM alerts_entitykey WHERE entity_id = %s
ON CONFLICT DO NOTHING
"""
MOVE_INDEX = """
INSERT INTO tenants_entityindex (tenant_id, pseudonym, entity_id)
SELECT tenant_id, pseudonym, %s FROM tenants_entityindex
WHERE tenant_id = %s AND pseudonym IN (SELECT pseudonym FROM alerts_entitykey WHERE entity_id = %s)
ON CONFLICT DO NOTHING
"""
MOVE_APART = """
INSERT INTO alerts_apart (kind, a, b, actor_id)
SELECT 'entities', least(%s, rest), greatest(%s, rest), actor_id FROM (
  SELECT CASE a WHEN %s THEN b ELSE a END AS rest, actor_id FROM alerts_apart
  WHERE kind = 'entities' AND %s IN (a, b)) AS pairs
WHERE rest <> %s ON CONFLICT DO NOTHING
"""
# What a person said of it holds for what it is now.
MOVE_HUB = """
INSERT INTO alerts_hub (entity_id, is_hub, pinned, alerts, days, peers)
SELECT %s, is_hub, pinned, 0, 0, 0 FROM alerts_hub WHERE entity_id = %s AND pinned IS NOT NULL
ON CONFLICT (entity_id) DO UPDATE SET is_hub = excluded.is_hub, pinned = excluded.pinned
"""


@dataclass(slots=True)
class Resolved:
    """Pseudonym -> entity id for all of a page, and the entities that were merged into others."""

    ids: dict[uuid.UUID, int] = field(default_factory=dict)
    merged: set[int] = field(default_factory=set)

    def of(self, row: EntityRow) -> int:
        return self.ids[row.identities[0]]


def resolve(rows: Sequence[AlertRow], tenant_id: int, key_version: str) -> Resolved:
    """Find or make the entity of everything that the rows name. Run under the ingest's lock."""
    entities = [entity for row in rows for entity in row.entities]
    groups: Groups[uuid.UUID] = Groups()
    for entity in entities:
        groups.join(entity.identities + entity.older)
    known = dict(run(KNOWN, [as_json(list(groups))]))
    resolved = Resolved()
    fresh: dict[uuid.UUID, EntityRow] = {}
    sets = groups.sets()
    for group in sets.values():
        ids = sorted({known[pseudonym] for pseudonym in group if pseudonym in known})
        for loser in ids[1:]:
            _merge(loser, into=ids[0], tenant_id=tenant_id)
            resolved.merged.add(ids[0])
        if ids:
            resolved.ids.update(dict.fromkeys(group, ids[0]))
    for entity in entities:
        if entity.identities[0] not in resolved.ids:
            fresh.setdefault(groups.root(entity.identities[0]), entity)
    for root, entity_id in _insert(fresh, key_version):
        resolved.ids.update(dict.fromkeys(sets[root], entity_id))
    _learn_keys(entities, known, resolved, tenant_id)
    return resolved


def link(rows: Iterable[tuple[int, AlertRow]], resolved: Resolved) -> None:
    """Store which alert (by id) names which entity."""
    links: dict[tuple[int, int], dict[str, object]] = {}
    for alert_id, row in rows:
        for entity in row.entities:
            entity_id = resolved.of(entity)
            earlier = links.get((alert_id, entity_id))
            links[alert_id, entity_id] = {
                "a": alert_id,
                "e": entity_id,
                "at": row.activity_at,
                "t": entity.ties or bool(earlier and earlier["t"]),
                "r": entity.roles or (earlier["r"] if earlier else ""),
                "v": entity.verdict or (earlier["v"] if earlier else ""),
            }
    run(LINKS, [as_json([links[key] for key in sorted(links)])])


def _insert(fresh: dict[uuid.UUID, EntityRow], key_version: str) -> list[tuple[uuid.UUID, int]]:
    """New entities, given by their set's root; (root, new id) of each."""
    if not fresh:
        return []
    roots = {entity.identities[0]: root for root, entity in fresh.items()}
    rows = [{"kind": e.kind, "pseudonym": e.identities[0]} for e in fresh.values()]
    return [
        (roots[pseudonym], entity_id)
        for pseudonym, entity_id in run(NEW_ENTITIES, [key_version, as_json(rows)])
    ]


def _learn_keys(
    entities: Sequence[EntityRow],
    known: dict[uuid.UUID, int],
    resolved: Resolved,
    tenant_id: int,
) -> None:
    keys: dict[tuple[uuid.UUID, int], bool] = {}
    for entity in entities:
        entity_id = resolved.of(entity)
        for name in entity.names:
            keys.setdefault((name, entity_id), False)
        for pseudonym in entity.identities:
            if pseudonym not in known:
                keys[pseudonym, entity_id] = True
    if keys:
        rows = [{"p": p, "e": e, "i": i} for (p, e), i in keys.items()]
        run(NEW_KEYS, [as_json(rows), tenant_id])


def _merge(loser: int, *, into: int, tenant_id: int) -> None:
    run(TOUCH_ALERTS, [loser])
    run(MOVE_LINKS, [into, loser])
    run(MOVE_INDEX, [into, tenant_id, loser])
    run(MOVE_KEYS, [into, loser])
    run(
        "DELETE FROM tenants_entityindex WHERE tenant_id = %s AND entity_id = %s",
        [tenant_id, loser],
    )
    run(MOVE_APART, [into, into, loser, loser, into])
    run("DELETE FROM alerts_apart WHERE kind = 'entities' AND %s IN (a, b)", [loser])
    run(MOVE_HUB, [into, loser])
    run("DELETE FROM alerts_hub WHERE entity_id = %s", [loser])
    run("DELETE FROM alerts_alertentity WHERE entity_id = %s", [loser])
    run("DELETE FROM alerts_entitykey WHERE entity_id = %s", [loser])
    run("DELETE FROM alerts_entity WHERE id = %s", [loser])
