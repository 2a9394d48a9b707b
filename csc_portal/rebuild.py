"""The shared queue follows from the tenants' schemas: compare the two, or make it anew."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from alerts.due import DUE_AT, minutes
from alerts.models import Cursor
from alerts.moved import count_differing, refresh_moves
from alerts.refresh import publish
from alerts.rows import run
from tenants.models import ROLLUP_CELLS, Tenant
from tenants.scope import scope

SHOWN = (
    "case_id, public_id, status, severity, priority, pillars, source, category, title, is_vip, "
    "alert_count, entity_count, entities, assignee_id, verdict, ticket_ref, ticket_url, "
    "first_activity_at, last_activity_at, opened_at, changed_at, "
    "snoozed_until, closed_by"
)
FROM_CASES = f"""
SELECT {SHOWN.replace("case_id", "id AS case_id", 1)}, {DUE_AT} FROM alerts_case WHERE status < 3
"""  # noqa: S608
FROM_QUEUE = f"SELECT {SHOWN}, due_at FROM tenants_queueentry WHERE tenant_id = %s"  # noqa: S608
ROWS_THAT_DIFFER = f"""
SELECT count(*) FROM (
  ({FROM_CASES} EXCEPT {FROM_QUEUE}) UNION ALL ({FROM_QUEUE} EXCEPT {FROM_CASES})
) AS differing
"""  # noqa: S608
COUNTED = ", ".join(f"count(*) FILTER (WHERE {c}) AS {n}" for n, c in ROLLUP_CELLS.items())
KEPT = ", ".join(ROLLUP_CELLS)
COUNTS_THAT_DIFFER = f"""
SELECT count(*) FROM (
  SELECT {COUNTED} FROM tenants_queueentry WHERE tenant_id = %s
  EXCEPT SELECT {KEPT} FROM tenants_queuerollup WHERE tenant_id = %s) AS differing
WHERE EXISTS (SELECT FROM tenants_queueentry WHERE tenant_id = %s)
   OR EXISTS (SELECT FROM tenants_queuerollup WHERE tenant_id = %s)
"""  # noqa: S608
KEYS = "SELECT pseudonym, entity_id FROM alerts_entitykey"
INDEX = "SELECT pseudonym, entity_id FROM tenants_entityindex WHERE tenant_id = %s"
KEYS_THAT_DIFFER = f"""
SELECT count(*) FROM (({KEYS} EXCEPT {INDEX}) UNION ALL ({INDEX} EXCEPT {KEYS})) AS differing
"""  # noqa: S608
FILL_INDEX = f"""
INSERT INTO tenants_entityindex (tenant_id, pseudonym, entity_id)
SELECT %s, pseudonym, entity_id FROM ({KEYS}) AS keys
"""  # noqa: S608
BATCH = 5000


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of the queue, its counts, the entity index and merged cases' addresses that do not
    follow the schema."""

    tenant: str
    rows: int
    counts: int
    keys: int
    moves: int

    def __bool__(self) -> bool:
        return bool(self.rows or self.counts or self.keys or self.moves)


def compare(tenant: Tenant) -> Difference:
    """How far the shared tables are from what the tenant's schema says."""
    key, limits = tenant.pk, minutes(tenant.sla)
    with scope(tenant):
        rows = run(ROWS_THAT_DIFFER, [*limits, key, key, *limits])[0][0]
        counts = run(COUNTS_THAT_DIFFER, [key, key, key, key])[0][0]
        keys = run(KEYS_THAT_DIFFER, [key, key])[0][0]
        moves = count_differing(key)
    return Difference(tenant.slug, rows, counts, keys, moves)


def rebuild(tenant: Tenant) -> None:
    """Make the tenant's part of the shared tables anew, in one transaction."""
    key = tenant.pk
    with scope(tenant), transaction.atomic():
        Cursor.objects.select_for_update().get(source="lock")
        run("DELETE FROM tenants_queueentry WHERE tenant_id = %s", [key])
        run("DELETE FROM tenants_queuerollup WHERE tenant_id = %s", [key])
        cases = [row[0] for row in run("SELECT id FROM alerts_case WHERE status < 3", [])]
        for start in range(0, len(cases), BATCH):
            publish(key, cases[start : start + BATCH])
        run("DELETE FROM tenants_entityindex WHERE tenant_id = %s", [key])
        run(FILL_INDEX, [key])
        refresh_moves(key)
