"""Indicators and sightings of a case, read from Microsoft now and kept nowhere."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef

from alerts.content import read_content
from alerts.live_user import IMPATIENT
from alerts.models import Alert, AlertEntity, Case
from csc_portal.api.formats.stix import KINDS, Place, bundle
from tenants.audit import record
from tenants.directories import graph_for
from tenants.models import QueueEntry, Tenant
from tenants.scope import scope

MOST_ALERTS = 100
"""Five reads of Microsoft; the newest alerts that name something of the kinds."""


def read_bundle(tenant: Tenant, entry: QueueEntry, actor: str, subject: str) -> dict[str, Any]:
    """Recorded as names shown before anything is. Raises ApiError or BadSecret."""
    kinds = [kind.value for kind in KINDS]
    with scope(tenant):
        case = Case.objects.get(pk=entry.case_id)
        naming = AlertEntity.objects.filter(alert=OuterRef("pk"), entity__kind__in=kinds)
        alerts = Alert.objects.filter(Exists(naming), case=case).order_by("-activity_at", "-pk")
        ids = list(alerts.values_list("provider_id", flat=True)[:MOST_ALERTS])
    content = read_content(graph_for(tenant).with_policy(IMPATIENT), ids, {}) if ids else {}
    found = bundle(
        Place(
            tenant=tenant.public_id,
            name=tenant.name,
            since=tenant.created_at,
            case=entry.public_id,
            reference=case.reference,
        ),
        content.values(),
    )
    names = sum(one["type"] == "indicator" for one in found["objects"])
    facts: dict[str, object] = {"names": names, "format": "stix", "alerts": len(ids)}
    record(actor, "names_shown", tenant, subject, facts)
    return found
