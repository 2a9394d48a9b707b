"""What the queue's page, its live part, its counts and its exports have in common."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import HttpRequest

from alerts.models import AlertEntity
from csc_portal import queue
from csc_portal.access import TenantRef
from csc_portal.filters import Filter, parse
from csc_portal.people import people
from csc_portal.queue import Row
from csc_portal.web.desk import ALL, Desk
from tenants.models import Tenant
from tenants.scope import scope

ENTITY_CASES = 500
NOT_BY_PERSON = "Your role may not filter by person."


@dataclass(frozen=True, slots=True)
class Line:
    """A row with what only its tenant and the users' table know."""

    row: Row
    tenant: TenantRef
    assignee: str


def lines(rows: Sequence[Row], desk: Desk) -> list[Line]:
    """One query, for the assignees."""
    found, tenants = people(row.assignee_id for row in rows), desk.rights.tenants
    return [
        Line(row, tenants[row.tenant_id], found.name(row.assignee_id, tenants[row.tenant_id]))
        for row in rows
    ]


def filter_of(request: HttpRequest, desk: Desk) -> Filter:
    """The address' filter with the tenants in effect, so that links made of it keep them."""
    slugs = tuple(value for name, value in desk.pairs if name == "tenant")
    groups = tuple(value for name, value in desk.pairs if name == "group")
    if slugs == (ALL,) and ALL not in desk.asked:
        slugs = ()
    wanted = replace(parse(request.GET), tenant=slugs + desk.unknown, group=groups)
    return permitted(wanted, desk)


def permitted(wanted: Filter, desk: Desk) -> Filter:
    """Without a person's number where the provider's people are named to nobody: the cases that it
    finds would tell them apart.
    """
    if not wanted.assignee.isdecimal() or desk.sees_provider:
        return wanted
    return replace(wanted, assignee="", problems=(*wanted.problems, NOT_BY_PERSON))


def problems(wanted: Filter, desk: Desk) -> list[str]:
    """What is wrong with the address, in sentences."""
    return [*wanted.problems, *(f"You have no tenant '{slug}'." for slug in desk.unknown)]


def cases_of_entity(wanted: Filter, desk: Desk) -> list[tuple[int, int]] | None:
    """(tenant id, case id) of the newest cases that name the entity; None without that filter."""
    if not wanted.entity:
        return None
    found = queue.find_entities([uuid.UUID(wanted.entity)], desk.ids, 1)
    if not found:
        return []
    tenant_id, entity_id = found[0]
    with scope(Tenant.objects.get(pk=tenant_id)):
        links = AlertEntity.objects.filter(entity_id=entity_id, alert__case__isnull=False)
        newest = links.order_by("-at").values_list("alert__case_id", flat=True)[:ENTITY_CASES]
        return [(tenant_id, case_id) for case_id in set(newest)]
