"""Row-level security on the shared queue, its counts, and the audit log that only grows."""

from django.db import migrations

from tenants.backend.base import role

QUEUE = ("tenants_queueentry", "tenants_queuerollup", "tenants_entityindex")
PILLARS = ("identity", "device", "app", "data", "infrastructure")
SEVERITIES = ("unknown", "informational", "low", "medium", "high")
CELLS = {
    **{
        f"{pillar}_{severity}": f"status < 2 AND severity = {rank} AND pillars & {1 << bit} > 0"
        for bit, pillar in enumerate(PILLARS)
        for rank, severity in enumerate(SEVERITIES)
    },
    **{
        f"open_{severity}": f"status < 2 AND severity = {rank}"
        for rank, severity in enumerate(SEVERITIES)
    },
    "status_new": "status = 0",
    "status_in_progress": "status = 1",
    "status_resolved": "status = 2",
}

# For a tenant's role the rows are bound to the role itself; for the portal to the list that the
# server set for this request. Written directly, so that the planner may use it as an index condition.
POLICIES = (
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
    """
CREATE POLICY own_rows ON {table} TO "{tenant}"
  USING (tenant_id = substring(current_user::text FROM '_t([0-9]+)$')::int)
  WITH CHECK (tenant_id = substring(current_user::text FROM '_t([0-9]+)$')::int)""",
    """
CREATE POLICY granted_rows ON {table} FOR SELECT TO "{app}"
  USING (tenant_id = ANY (current_setting('csc.tenants', true)::int[]))""",
)


def isolate(apps, schema_editor):
    database = schema_editor.connection.settings_dict["NAME"]
    names = {"tenant": role(database, "tenant"), "app": role(database, "app")}
    for table in QUEUE:
        for statement in POLICIES:
            schema_editor.execute(statement.format(table=table, **names))


def expose(apps, schema_editor):
    for table in QUEUE:
        for statement in (
            f"DROP POLICY own_rows ON {table}",
            f"DROP POLICY granted_rows ON {table}",
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ):
            schema_editor.execute(statement)


def _count(rows: str) -> str:
    """Adds the cells of changed rows to the tenants' counts."""
    columns = ", ".join(CELLS)
    sums = ", ".join(f"coalesce(sum(n) FILTER (WHERE {test}), 0)" for test in CELLS.values())
    adds = ", ".join(f"{cell} = r.{cell} + excluded.{cell}" for cell in CELLS)
    return (
        f"INSERT INTO public.tenants_queuerollup AS r (tenant_id, {columns}) "
        f"SELECT tenant_id, {sums} FROM ({rows}) AS changed GROUP BY tenant_id "
        f"ON CONFLICT (tenant_id) DO UPDATE SET {adds};"
    )


NEW = "SELECT tenant_id, status, severity, pillars, 1 AS n FROM new_rows"
OLD = "SELECT tenant_id, status, severity, pillars, -1 AS n FROM old_rows"
TRIGGERS = {
    "INSERT": ("NEW TABLE AS new_rows", NEW),
    "UPDATE": ("OLD TABLE AS old_rows NEW TABLE AS new_rows", f"{NEW} UNION ALL {OLD}"),
    "DELETE": ("OLD TABLE AS old_rows", OLD),
}


def _counting():
    """A trigger for each verb, once a statement; it runs as whoever changed the queue."""
    for verb, (tables, rows) in TRIGGERS.items():
        name = f"queue_counts_{verb.lower()}"
        yield migrations.RunSQL(
            [
                f"CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql "
                f"SET search_path = pg_catalog AS $$ BEGIN {_count(rows)} RETURN NULL; END $$",
                f"CREATE TRIGGER {name} AFTER {verb} ON tenants_queueentry REFERENCING {tables} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION public.{name}()",
            ],
            [f"DROP TRIGGER {name} ON tenants_queueentry", f"DROP FUNCTION public.{name}()"],
        )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [migrations.RunPython(isolate, expose), *_counting()]
