"""A customer with a schema and cases of its own, for what writes to them: ingested one by one."""

from __future__ import annotations

import uuid
from typing import Any

from alerts.ingest import store_page
from alerts.models import Case
from alerts.prepare import prepare_page
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import scope

PAGE = 500


def ingest_cases(slug: str, count: int) -> list[uuid.UUID]:
    """The public ids of so many open cases. Their alerts share nothing, so none is tied."""
    new = NewTenant(slug, slug, uuid.uuid4(), uuid.uuid4(), "csc-app-credential")
    tenant = create_tenant(new)
    Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.ACTIVE)
    key = Pseudonymiser([("1", derive_key(b"benchmark" * 4, tenant.public_id))])
    for start in range(0, count, PAGE):
        documents = [_alert(number) for number in range(start, min(count, start + PAGE))]
        with scope(tenant):
            store_page(tenant.pk, prepare_page(documents, key), key.version)
    with scope(tenant):
        return list(Case.objects.order_by("pk").values_list("public_id", flat=True))


def _alert(number: int) -> dict[str, Any]:
    at = "2026-11-20T08:00:00Z"
    device = {
        "@odata.type": "#microsoft.graph.security.deviceEvidence",
        "mdeDeviceId": f"{number:040x}",
        "deviceDnsName": f"pc-{number}.contoso.com",
    }
    return {
        "id": f"benchmark-{number}",
        "title": "Suspicious sign-in",
        "severity": "medium",
        "status": "new",
        "category": "InitialAccess",
        "serviceSource": "microsoftDefenderXDR",
        "createdDateTime": at,
        "lastUpdateDateTime": at,
        "evidence": [device],
    }
