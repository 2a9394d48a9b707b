"""Finds what an analyst typed: people, devices and addresses by pseudonym, cases, tickets, tenants.

The text is used in memory and nowhere else: it is not stored, logged or put into an address.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from alerts.models import Entity
from alerts.rows import run
from clients.errors import ApiError
from csc_portal import queue
from csc_portal.access import Rights, TenantRef
from csc_portal.filters import ANY, Filter
from csc_portal.queue import Row
from tenants.canonical import search_keys
from tenants.directories import BadSecret, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import granted, scope

MOST_ENTITIES = 30
MOST_TENANTS = 8
MOST_CASES = 8
SHORTEST = 2
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE = re.compile(r"CSC-([0-9A-HJKMNP-TV-Z]{12})", re.IGNORECASE | re.ASCII)
NUMBER = re.compile(r"#?(\d{1,15})")

BY_TICKET = """
SELECT public_id FROM tenants_queueentry
WHERE tenant_id = ANY(%s) AND ticket_ref = %s LIMIT %s
"""
BY_NUMBER = """
SELECT public_id FROM tenants_queueentry
WHERE tenant_id = ANY(%s) AND case_id = %s LIMIT %s
"""
BY_REFERENCE = """
SELECT public_id FROM tenants_queueentry
WHERE tenant_id = ANY(%s) AND public_id >= %s AND public_id <= %s LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class FoundEntity:
    tenant: TenantRef
    kind: str
    pseudonym: uuid.UUID
    alerts: int


@dataclass(frozen=True, slots=True)
class Found:
    """`problem` says why people and devices could not be looked up."""

    entities: list[FoundEntity] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    tenants: list[TenantRef] = field(default_factory=list)
    problem: str = ""

    @property
    def count(self) -> int:
        return len(self.entities) + len(self.cases) + len(self.tenants)


def look_up(text: str, rights: Rights, tenant_ids: Sequence[int], me: int) -> Found:
    """Everything that the text may mean, each kind bounded."""
    text = text.replace("\0", "").strip()  # Postgres has no NUL in texts
    if len(text) < SHORTEST:
        return Found()
    found = Found(cases=_cases(text, tenant_ids, me), tenants=_tenants(text, rights))
    try:
        return replace(found, entities=_entities(text, rights, tenant_ids))
    except (ApiError, BadSecret) as err:
        return replace(found, problem=f"People and devices can't be searched now. {err}")


def _tenants(text: str, rights: Rights) -> list[TenantRef]:
    wanted = text.casefold()
    tenants = rights.tenants.values()
    return list(
        islice(
            (t for t in tenants if wanted in t.name.casefold() or wanted in t.slug), MOST_TENANTS
        )
    )


def _cases(text: str, tenant_ids: Sequence[int], me: int) -> list[Row]:
    """By ticket, number or our reference; else by words in the title of the newest cases."""
    wanted = Filter(status=(ANY,), severity=(ANY,))
    ids = _case_ids(text, list(tenant_ids))
    if ids is None:
        wanted = replace(wanted, q=text[:100])
    elif not ids:
        return []
    return queue.page(wanted, tenant_ids, me, limit=MOST_CASES, public_ids=ids, total=0).rows


def _case_ids(text: str, tenant_ids: list[int]) -> list[uuid.UUID] | None:
    """Public ids of the cases that a number or a reference means; None for other texts."""
    number, reference = NUMBER.fullmatch(text), REFERENCE.search(text)
    with granted(tenant_ids):
        if reference:
            first = _bits(reference[1].upper()) << 68
            last = first | (1 << 68) - 1
            bounds = [uuid.UUID(int=first), uuid.UUID(int=last)]
            rows = run(BY_REFERENCE, [tenant_ids, *bounds, MOST_CASES])
        elif number:
            rows = run(BY_TICKET, [tenant_ids, number[1], MOST_CASES])
            rows += run(BY_NUMBER, [tenant_ids, int(number[1]), MOST_CASES])
        else:
            return None
    return list(dict.fromkeys(row[0] for row in rows))[:MOST_CASES]


def _bits(text: str) -> int:
    bits = 0
    for char in text:
        bits = bits << 5 | CROCKFORD.index(char)
    return bits


def _entities(text: str, rights: Rights, tenant_ids: Sequence[int]) -> list[FoundEntity]:
    """Pseudonymised once a tenant, looked up in one statement, then described by their tenants."""
    keys = search_keys(text)
    if not keys:
        return []
    light = Tenant.objects.only("public_id", "slug", "schema_name")
    tenants = light.in_bulk(list(tenant_ids))
    pseudonyms = [
        pseudonym
        for tenant in tenants.values()
        for pseudonymiser in (pseudonymiser_for(tenant),)
        for kind, key in keys
        for pseudonym in pseudonymiser.all_versions(kind, key)
    ]
    found: dict[int, list[int]] = {}
    for tenant_id, entity_id in queue.find_entities(pseudonyms, tenant_ids, MOST_ENTITIES):
        found.setdefault(tenant_id, []).append(entity_id)
    entities: list[FoundEntity] = []
    for tenant_id, entity_ids in list(found.items())[:MOST_TENANTS]:
        entities += _describe(tenants[tenant_id], rights.tenants[tenant_id], entity_ids)
    return entities


def _describe(tenant: Tenant, ref: TenantRef, entity_ids: Sequence[int]) -> list[FoundEntity]:
    with scope(tenant):
        counts = dict(run(COUNTS, [list(entity_ids)]))
        entities = list(Entity.objects.filter(pk__in=entity_ids))
    return [FoundEntity(ref, e.kind, e.pseudonym, counts.get(e.pk, 0)) for e in entities]


COUNTS = """
SELECT entity_id, count(*) FROM alerts_alertentity WHERE entity_id = ANY(%s) GROUP BY entity_id
"""
