"""What the newest open cases of a tenant name most, by link of the chain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from alerts.rows import run
from csc_portal.case_file import pillar_name
from tenants.models import Tenant
from tenants.scope import scope

NEWEST_CASES = 500
SHOWN = 40

NAMED_MOST = """
SELECT n.kind, n.pseudonym, n.cases, n.alerts, EXISTS (
  SELECT FROM alerts_entitykey k
  JOIN alerts_assetmember m ON m.pseudonym = k.pseudonym
  JOIN alerts_assetclass c ON c.id = m.asset_class_id AND c.kind = 'vip'
  WHERE k.entity_id = n.id)
FROM (
SELECT e.id, e.kind, e.pseudonym, count(DISTINCT a.case_id) AS cases, count(*) AS alerts
FROM (SELECT id FROM alerts_case WHERE status < 2 ORDER BY id DESC LIMIT %s) AS c
JOIN alerts_alert a ON a.case_id = c.id
JOIN alerts_alertentity l ON l.alert_id = a.id
JOIN alerts_entity e ON e.id = l.entity_id
GROUP BY e.id ORDER BY cases DESC, alerts DESC, e.id LIMIT %s
) AS n ORDER BY n.cases DESC, n.alerts DESC, n.id
"""


@dataclass(frozen=True, slots=True)
class Top:
    kind: str
    pseudonym: uuid.UUID
    cases: int
    alerts: int
    is_vip: bool

    @property
    def pillar(self) -> str:
        return pillar_name(self.kind)

    @property
    def label(self) -> tuple[str, uuid.UUID]:
        return (self.kind, self.pseudonym)


def top_entities(tenant: Tenant) -> list[Top]:
    """One query in the tenant's scope."""
    with scope(tenant):
        return [Top(*row) for row in run(NAMED_MOST, [NEWEST_CASES, SHOWN])]
