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
POLICIES = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON {table} TO "{tenant}"
  USING (tenant_id = substring(current_user::text FROM '_t([0-9]+)$')::int)
  WITH CHECK (tenant_id = substring(current_user::text FROM '_t([0-9]+)$')::int);
CREATE POLICY granted_rows ON {table} FOR SELECT TO "{app}"
  USING (tenant_id = ANY (current_setting('csc.tenants', true)::int[]));
"""


def isolate(apps, schema_editor):
    database = schema_editor.connection.settings_dict["NAME"]
    for table in QUEUE:
        schema_editor.execute(
            POLICIES.format(table=table, tenant=role(database, "tenant"), app=role(database, "app"))
        )


def expose(apps, schema_editor):
    for table in QUEUE:
        schema_editor.execute(
            f"DROP POLICY own_rows ON {table}; DROP POLICY granted_rows ON {table};"
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"
        )


def _counting() -> str:
    """One trigger function for all three verbs; it runs as whoever changed the queue."""
    columns = ", ".join(CELLS)
    sums = ", ".join(f"coalesce(sum(n) FILTER (WHERE {condition}), 0)" for condition in CELLS.values())
    adds = ", ".join(f"{cell} = r.{cell} + excluded.{cell}" for cell in CELLS)

    def count(rows: str) -> str:
        return (
            f"INSERT INTO public.tenants_queuerollup AS r (tenant_id, {columns}) "
            f"SELECT tenant_id, {sums} FROM ({rows}) AS changed GROUP BY tenant_id "
            f"ON CONFLICT (tenant_id) DO UPDATE SET {adds};"
        )

    new = "SELECT tenant_id, status, severity, pillars, 1 AS n FROM new_rows"
    old = "SELECT tenant_id, status, severity, pillars, -1 AS n FROM old_rows"
    return f"""
CREATE FUNCTION public.queue_inserted() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog
  AS $$ BEGIN {count(new)} RETURN NULL; END $$;
CREATE FUNCTION public.queue_updated() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog
  AS $$ BEGIN {count(new + " UNION ALL " + old)} RETURN NULL; END $$;
CREATE FUNCTION public.queue_deleted() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog
  AS $$ BEGIN {count(old)} RETURN NULL; END $$;
CREATE TRIGGER count_inserted AFTER INSERT ON tenants_queueentry
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.queue_inserted();
CREATE TRIGGER count_updated AFTER UPDATE ON tenants_queueentry
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION public.queue_updated();
CREATE TRIGGER count_deleted AFTER DELETE ON tenants_queueentry
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.queue_deleted();
"""


UNCOUNT = """
DROP TRIGGER count_inserted ON tenants_queueentry;
DROP TRIGGER count_updated ON tenants_queueentry;
DROP TRIGGER count_deleted ON tenants_queueentry;
DROP FUNCTION public.queue_inserted(), public.queue_updated(), public.queue_deleted();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.RunPython(isolate, expose),
        migrations.RunSQL(_counting(), UNCOUNT),
    ]
