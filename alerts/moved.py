"""Where the addresses of merged cases lead: rows in `public` that follow from the schema.

Inside the tenant's scope. A merge adds its row by itself (`alerts.merging`).
"""

from __future__ import annotations

from alerts.rows import run

ROUTES = """
WITH RECURSIVE way AS (
  SELECT id, public_id, merged_into_id AS towards FROM alerts_case WHERE status = 3
  UNION
  SELECT way.id, way.public_id, c.merged_into_id FROM way
  JOIN alerts_case c ON c.id = way.towards AND c.status = 3
)
SELECT way.public_id, c.public_id AS target FROM way
JOIN alerts_case c ON c.id = way.towards AND c.status < 3
"""
KEPT = "SELECT public_id, target FROM tenants_movedcase WHERE tenant_id = %s"
DIFFERING = f"""
SELECT count(*) FROM (
  (({ROUTES}) EXCEPT {KEPT}) UNION ALL ({KEPT} EXCEPT ({ROUTES}))
) AS differing
"""  # noqa: S608 only the constants above are put in
ADD = f"""
INSERT INTO tenants_movedcase (public_id, tenant_id, target)
SELECT public_id, %s, target FROM ({ROUTES}) AS routes
"""  # noqa: S608


def refresh_moves(tenant_id: int) -> None:
    """Make the tenant's rows anew."""
    run("DELETE FROM tenants_movedcase WHERE tenant_id = %s", [tenant_id])
    run(ADD, [tenant_id])


def count_differing(tenant_id: int) -> int:
    return int(run(DIFFERING, [tenant_id, tenant_id])[0][0])
