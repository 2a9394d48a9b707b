"""One entity, by the pseudonym that pages show: its alerts and cases in time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.http import Http404

from alerts.models import AlertEntity, Case, Entity
from csc_portal import queue
from csc_portal.access import Rights
from tenants.models import Tenant, User
from tenants.roles import Right
from tenants.scope import scope

SHOWN = 200


@dataclass(frozen=True, slots=True)
class EntityFile:
    """`links` are its newest alerts with their cases; `alert_count` counts all of them."""

    entity: Entity
    links: list[AlertEntity]
    cases: list[Case]
    alert_count: int


def find_entity(
    user: User, pseudonym: uuid.UUID, rights: Rights, right: Right = Right.SEE_CASES
) -> tuple[Tenant, int]:
    """(tenant, entity id). A pseudonym belongs to one tenant only. Raises Http404."""
    found = queue.find_entities([pseudonym], rights.having(right), 1)
    if not found:
        raise Http404
    tenant_id, entity_id = found[0]
    return Tenant.objects.get(pk=tenant_id), entity_id


def read_entity(tenant: Tenant, entity_id: int) -> EntityFile:
    """Three queries in the tenant's scope."""
    with scope(tenant):
        entity = Entity.objects.filter(pk=entity_id).first()
        if entity is None:
            raise Http404
        named = AlertEntity.objects.filter(entity_id=entity_id)
        links = list(named.select_related("alert", "alert__case").order_by("-at")[:SHOWN])
        count = named.count()
    cases = {link.alert.case_id: link.alert.case for link in links if link.alert.case_id}
    return EntityFile(entity, links, list(cases.values()), count)
