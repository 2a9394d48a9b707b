"""'Show names': read live from Microsoft, put on one response, recorded, forgotten.

The database knows entities by pseudonym only. Which alerts name them is looked up in each tenant's
scope; the alerts are read again by `$batch`, and every identity in them is pseudonymised once more
to find the entity that it belongs to.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache

from alerts.content import read_content
from alerts.records import EntityRecord
from alerts.rows import run
from clients.errors import ApiError
from tenants.audit import record
from tenants.directories import BadSecret, graph_for, pseudonymiser_for
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

MOST_CASES = 50
MOST_ENTITIES = 300
MOST_ALERTS = 60
NEWEST_ALERTS = 20
"""Of one entity: names of what is beside it come from these."""
DEADLINE_S = 15.0
THREADS = 16
TOO_LATE = "Microsoft did not answer in time. Try again."

OF_CASES = """
SELECT DISTINCT ON (l.entity_id) l.entity_id, e.pseudonym, a.provider_id
FROM alerts_alert a JOIN alerts_alertentity l ON l.alert_id = a.id
JOIN alerts_entity e ON e.id = l.entity_id
WHERE a.case_id = ANY(%s) AND (%s OR e.pseudonym = ANY(%s))
ORDER BY l.entity_id, a.severity DESC, a.updated_at DESC LIMIT %s
"""
# Of one thing and of what its newest alerts name beside it.
OF_ENTITY = """
SELECT DISTINCT ON (l.entity_id) l.entity_id, e.pseudonym, a.provider_id
FROM (SELECT alert_id, at FROM alerts_alertentity WHERE entity_id = %s ORDER BY at DESC LIMIT %s
) AS n JOIN alerts_alertentity l ON l.alert_id = n.alert_id
JOIN alerts_alert a ON a.id = n.alert_id JOIN alerts_entity e ON e.id = l.entity_id
ORDER BY l.entity_id, n.at DESC LIMIT %s
"""
KEYS = """
SELECT k.pseudonym, k.entity_id FROM alerts_entitykey k
WHERE k.entity_id = ANY(%s) AND k.is_identity LIMIT 5000
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read for one tenant. `shown`: pseudonym of an identity -> the one on the page."""

    tenant: Tenant
    alert_ids: tuple[str, ...]
    cases: int
    shown: dict[uuid.UUID, uuid.UUID]


@dataclass(slots=True)
class Names:
    """Pseudonym on the page -> name; tenant id -> why its names are missing."""

    names: dict[uuid.UUID, str] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)


def of_cases(
    tenant: Tenant, case_ids: Sequence[int], pseudonyms: Sequence[uuid.UUID] | None = None
) -> Reading:
    """For the entities of these cases: all of them, or those with these pseudonyms. Two queries."""
    with scope(tenant):
        found = run(
            OF_CASES, [list(case_ids), pseudonyms is None, list(pseudonyms or ()), MOST_ENTITIES]
        )
        return _reading(tenant, found, len(case_ids))


def of_entity(tenant: Tenant, entity_id: int) -> Reading:
    with scope(tenant):
        return _reading(tenant, run(OF_ENTITY, [entity_id, NEWEST_ALERTS, MOST_ENTITIES]), 0)


def _reading(tenant: Tenant, found: list[tuple[int, uuid.UUID, str]], cases: int) -> Reading:
    """Inside the tenant's scope. `found`: (entity id, its pseudonym, an alert that names it)."""
    pseudonym_of = {entity_id: pseudonym for entity_id, pseudonym, _ in found}
    keys = run(KEYS, [list(pseudonym_of)])
    shown = {key: pseudonym_of[entity_id] for key, entity_id in keys}
    alert_ids = tuple(dict.fromkeys(alert_id for _, _, alert_id in found))
    return Reading(tenant, alert_ids[:MOST_ALERTS], cases, shown)


def show(readings: Sequence[Reading], actor: str, subject: str) -> Names:
    """Read all at once and record who was shown names of which tenant. Never raises ApiError.

    `subject` says what was looked at ("queue", "case ..."); the entry holds counts, no name.
    """
    result = Names()
    futures = {_pool().submit(_read, reading): reading for reading in readings}
    done, late = wait(futures, timeout=DEADLINE_S)
    for future in late:
        future.cancel()
        result.problems[futures[future].tenant.pk] = TOO_LATE
    for future in done:
        _take(future, futures[future].tenant, result)
    for reading in readings:
        count = len(set(reading.shown.values()) & result.names.keys())
        if count:
            facts: dict[str, object] = {"names": count, "cases": reading.cases}
            record(actor, "names_shown", reading.tenant, subject, facts)
    return result


def _take(future: Future[dict[uuid.UUID, str]], tenant: Tenant, result: Names) -> None:
    try:
        result.names.update(future.result())
    except (ApiError, BadSecret) as err:
        logger.warning("names not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
        result.problems[tenant.pk] = str(err)


def _read(reading: Reading) -> dict[uuid.UUID, str]:
    """In a thread of the pool: Microsoft and the vault, no database."""
    if not reading.alert_ids:
        return {}
    pseudonymiser = pseudonymiser_for(reading.tenant)
    content = read_content(graph_for(reading.tenant), reading.alert_ids, {})
    names: dict[uuid.UUID, str] = {}
    for alert in content.values():
        for entity in alert.entities:
            pseudonym = _shown_as(entity, pseudonymiser, reading.shown)
            if pseudonym is not None:
                names.setdefault(pseudonym, name_of(entity))
    return names


def _shown_as(
    entity: EntityRecord, pseudonymiser: Pseudonymiser, shown: dict[uuid.UUID, uuid.UUID]
) -> uuid.UUID | None:
    for key in entity.identity:
        for pseudonym in pseudonymiser.all_versions(entity.kind.value, key):
            if pseudonym in shown:
                return shown[pseudonym]
    return None


def name_of(entity: EntityRecord) -> str:
    """What people call it, else its strongest identifier without the namespace."""
    return (entity.name or entity.identity[0].partition(":")[2] or entity.identity[0])[:200]


@cache
def _pool() -> ThreadPoolExecutor:
    """One a process. A call that hangs keeps a thread until its own time-out, not the request."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="names")
