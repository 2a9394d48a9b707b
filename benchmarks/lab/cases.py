"""A model of the shared queue: many tenants' cases, written straight into its table.

Invented, not recorded: cases of one year, evenly in time, in the order in which they were opened;
5 % open; a few tenants have most of the cases; the last tenant is small and all its cases are old
and closed. Tenants have a row but no schema, which the queue does not read.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import psycopg
from django.conf import settings

from tenants.models import ROLLUP_CELLS, Grant, Tenant, User, schema_of

OLD_CASES = 200
BATCH = 500_000
SHARED = {
    "sources": [
        "azureAdIdentityProtection",
        "microsoftDefenderForEndpoint",
        "microsoftDefenderForOffice365",
        "microsoftDefenderForCloudApps",
        "microsoftDefenderForCloud",
    ],
    "titles": [
        "Unfamiliar sign-in properties",
        "Suspicious PowerShell command line on \u2039device\u203a",
        "Mass download by \u2039user\u203a",
        "Email messages containing malicious URL removed after delivery",
        "Password spray",
        "Impossible travel activity",
    ],
    "verdicts": ["truePositive", "falsePositive", "informationalExpectedActivity", ""],
}
# The transaction ids of the changes are negative: all of them before those that now come.
ROWS = """
INSERT INTO tenants_queueentry (tenant_id, case_id, public_id, status, severity, priority, pillars,
  source, category, title, is_vip, alert_count, entity_count, entities, assignee_id, verdict,
  ticket_ref, ticket_url, first_activity_at, last_activity_at, opened_at, changed_at, change)
SELECT tenant, n, gen_random_uuid(), status, severity, least(100, severity * 20 + 10), pillars,
  (%(sources)s::text[])[1 + floor(5 * r1 ^ 2)],
  (ARRAY['InitialAccess', 'Execution', 'Exfiltration', 'Impact'])[1 + floor(4 * r2)],
  (%(titles)s::text[])[1 + floor(6 * r3)],
  r1 < 0.02, 1 + floor(4 * r2), 2 + floor(8 * r3),
  jsonb_build_array(jsonb_build_array('user', gen_random_uuid()),
                    jsonb_build_array('device', gen_random_uuid())),
  CASE WHEN status = 1 THEN 1 + floor(40 * r2) END,
  CASE WHEN status = 2 THEN (%(verdicts)s::text[])[1 + floor(4 * r3)] ELSE '' END,
  CASE WHEN severity > 2 THEN (100000 + n)::text ELSE '' END,
  CASE WHEN severity > 2 THEN 'https://customer.example/a/tickets/' || (100000 + n) ELSE '' END,
  at - interval '20 minutes', at, at - interval '15 minutes', at + interval '1 hour',
  (n - %(cases)s) / 3 - 1
FROM (
  SELECT n, %(first)s + floor(%(tenants)s * random() ^ 2)::int AS tenant, random() AS r1,
    random() AS r2, random() AS r3, 1 + floor(31 * random())::int AS pillars,
    (ARRAY[0, 1, 1, 1, 2, 2, 2, 3, 3, 4])[1 + floor(10 * random())] AS severity,
    CASE WHEN random() < 0.96 THEN CASE WHEN random() < 0.99 THEN 2 ELSE 1 END ELSE 0 END AS status,
    now() - (%(days)s * (1 - n::float8 / %(cases)s) + %(age)s) * interval '1 day' AS at
  FROM generate_series(%(start)s::bigint, %(end)s::bigint) AS n
) AS drawn
"""
COUNTS = f"""
INSERT INTO tenants_queuerollup (tenant_id, {", ".join(ROLLUP_CELLS)})
SELECT tenant_id, {", ".join(f"count(*) FILTER (WHERE {test})" for test in ROLLUP_CELLS.values())}
FROM tenants_queueentry GROUP BY tenant_id
"""
CONSTRAINTS = """
SELECT conname, 'ALTER TABLE tenants_queueentry ADD CONSTRAINT ' || quote_ident(conname) || ' '
  || pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = 'tenants_queueentry'::regclass AND contype = 'u'
"""
INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'tenants_queueentry'::regclass AND NOT i.indisunique
"""


def make_tenants(count: int) -> list[Tenant]:
    """Rows only, without schemas; their ids follow each other."""
    return Tenant.objects.bulk_create(
        Tenant(
            slug=f"customer-{number}",
            schema_name=schema_of(f"customer-{number}"),
            name=f"Customer {number}",
            state=Tenant.State.ACTIVE,
            directory_id=uuid.uuid4(),
            client_id=uuid.uuid4(),
            credential_secret="csc-app-credential",  # noqa: S106 - the secret's name
            polled_at=datetime.now(UTC),
        )
        for number in range(1, count + 1)
    )


def make_user(name: str, tenants: list[Tenant] | None) -> User:
    """An analyst of these tenants; of all if there is no list."""
    user = User.objects.create_user(name, password=None)
    granted = [None] if tenants is None else tenants
    Grant.objects.bulk_create(
        Grant(user=user, tenant=tenant, role=Grant.Role.ANALYST) for tenant in granted
    )
    return user


def fill(tenants: list[Tenant], cases: int) -> None:
    """Make the queue anew. As superuser: row-level security would ask for a tenant's role."""
    first = tenants[0].pk
    with psycopg.connect(settings.BACKING.admin_database_url, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        conn.execute("TRUNCATE tenants_queueentry, tenants_queuerollup")
        # The triggers that keep the counts would take hours; the counts are made at once below.
        conn.execute("ALTER TABLE tenants_queueentry DISABLE TRIGGER USER")
        rebuild = _drop_indexes(conn)
        drawn = {
            **SHARED,
            "first": first,
            "tenants": len(tenants) - 1,
            "cases": cases,
            "days": 365,
            "age": 0,
        }
        for start in range(1, cases + 1, BATCH):
            end = min(cases, start + BATCH - 1)
            conn.execute(ROWS, {**drawn, "start": start, "end": end})
        small = {"first": tenants[-1].pk, "tenants": 1, "cases": OLD_CASES, "age": 400}
        conn.execute(ROWS, {**drawn, **small, "start": 1, "end": OLD_CASES})
        conn.execute(
            "UPDATE tenants_queueentry SET status = 2 WHERE tenant_id = %s", [tenants[-1].pk]
        )
        for statement in rebuild:
            conn.execute(statement)
        conn.execute(COUNTS)
        conn.execute("ALTER TABLE tenants_queueentry ENABLE TRIGGER USER")
        conn.execute("VACUUM ANALYZE tenants_queueentry")
        conn.execute("VACUUM ANALYZE tenants_queuerollup")
        conn.execute("ANALYZE tenants_tenant")
        conn.execute("ANALYZE tenants_grant")


def _drop_indexes(conn: psycopg.Connection) -> list[str]:
    """The statements that make them again, which is much faster than filling them row by row."""
    rebuild = []
    for name, statement in conn.execute(CONSTRAINTS).fetchall():
        conn.execute(f'ALTER TABLE tenants_queueentry DROP CONSTRAINT "{name}"')
        rebuild.append(statement)
    for name, statement in conn.execute(INDEXES).fetchall():
        conn.execute(f'DROP INDEX "{name}"')
        rebuild.append(statement)
    return rebuild
