"""One entity, by the pseudonym that pages show: its alerts and cases in time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.http import Http404

from alerts.links import Link, seen_with
from alerts.marks import marks_of_entities
from alerts.models import AlertEntity, Case, Entity, Watch
from csc_portal import queue
from csc_portal.access import Rights
from enrichment.facts import AssetMark
from tenants.models import Tenant, User
from tenants.roles import Right
from tenants.scope import scope

SHOWN = 200


@dataclass(frozen=True, slots=True)
class EntityFile:
    """`links` are its newest alerts with their cases; `alert_count` counts all of them.

    `seen_with`: people, devices, apps and data, most often first; `marks`: its asset classes;
    `watched_until`: its directory audits are being read until then.
    """

    entity: Entity
    links: list[AlertEntity]
    cases: list[Case]
    alert_count: int
    seen_with: list[Link]
    marks: tuple[AssetMark, ...]
    watched_until: datetime | None

    @property
    def is_vip(self) -> bool:
        return any(mark.kind == "vip" for mark in self.marks)


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
    """Six queries in the tenant's scope."""
    with scope(tenant):
        entity = Entity.objects.filter(pk=entity_id).first()
        if entity is None:
            raise Http404
        named = AlertEntity.objects.filter(entity_id=entity_id)
        links = list(named.select_related("alert", "alert__case").order_by("-at")[:SHOWN])
        count = named.count()
        together = seen_with(entity_id)
        marks = marks_of_entities([entity_id]).get(entity_id, ())
        watches = Watch.objects.filter(alert__links__entity_id=entity_id, next_at__isnull=False)
        until = watches.aggregate(until=Max("until"))["until"]
    cases = {link.alert.case_id: link.alert.case for link in links if link.alert.case_id}
    return EntityFile(entity, links, list(cases.values()), count, together, marks, until)
