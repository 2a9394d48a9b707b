"""Which things of a case belong to a class of assets: VIPs, crown jewels, the tenant's own."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence

from alerts.rows import run
from enrichment.facts import AssetMark

MARKS = """
SELECT DISTINCT a.case_id, e.pseudonym, c.kind, c.name
FROM alerts_alert a JOIN alerts_alertentity l ON l.alert_id = a.id
JOIN alerts_entitykey k ON k.entity_id = l.entity_id
JOIN alerts_assetmember m ON m.pseudonym = k.pseudonym
JOIN alerts_assetclass c ON c.id = m.asset_class_id
JOIN alerts_entity e ON e.id = l.entity_id
WHERE a.case_id = ANY(%s) ORDER BY a.case_id, c.kind, c.name, e.pseudonym
"""
MARKS_OF_ENTITIES = """
SELECT DISTINCT k.entity_id, e.pseudonym, c.kind, c.name
FROM alerts_entitykey k JOIN alerts_entity e ON e.id = k.entity_id
JOIN alerts_assetmember m ON m.pseudonym = k.pseudonym
JOIN alerts_assetclass c ON c.id = m.asset_class_id
WHERE k.entity_id = ANY(%s) ORDER BY k.entity_id, c.kind, c.name
"""


def marks_of(case_ids: Sequence[int]) -> dict[int, tuple[AssetMark, ...]]:
    """Cases that name something in a class; the others are left out. One query, in the scope."""
    return _grouped(run(MARKS, [list(case_ids)]))


def marks_of_entities(entity_ids: Sequence[int]) -> dict[int, tuple[AssetMark, ...]]:
    """The same by entity."""
    return _grouped(run(MARKS_OF_ENTITIES, [list(entity_ids)]))


def _grouped(rows: list[tuple[int, uuid.UUID, str, str]]) -> dict[int, tuple[AssetMark, ...]]:
    found: dict[int, list[AssetMark]] = defaultdict(list)
    for key, entity, kind, name in rows:
        found[key].append(AssetMark(entity, kind, name))
    return {key: tuple(marks) for key, marks in found.items()}
