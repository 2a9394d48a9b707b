"""The classes of equivalent detections that hold for a tenant: our defaults, the provider's
version of one, the tenant's own version. Each later one replaces the earlier of the same name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.db import transaction
from django.db.models.functions import Now

from alerts.models import OverlapOverride
from alerts.overlap import BadClass, Classifier, OverlapClass, as_body, read_class
from alerts.overlap_defaults import DEFAULTS
from alerts.rows import run
from tenants.audit import record
from tenants.models import OverlapClass as ProvidersClass
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

STORED = """
SELECT name, body::text FROM (
  SELECT 1 AS rank, name, body FROM tenants_overlapclass
  UNION ALL SELECT 2, name, body FROM alerts_overlapoverride
) AS versions ORDER BY rank, name
"""
STALE = "Somebody changed this class meanwhile. Look at it again, then repeat."
MOST_CLASSES = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """A class as it holds. `origin`: default, provider or tenant. `version`: of what is stored at
    the level asked for, 0 if nothing is."""

    kind: OverlapClass
    origin: str
    version: int


def classifier() -> Classifier:
    """For the tenant of the current scope. One query; unchanged rows cost no reading."""
    return _compiled(tuple(run(STORED, [])))


@lru_cache(maxsize=64)
def _compiled(rows: tuple[tuple[str, str], ...]) -> Classifier:
    return Classifier({**DEFAULTS, **_read((name, orjson.loads(body)) for name, body in rows)})


def _read(rows: Any) -> dict[str, OverlapClass]:
    found = {}
    for name, body in rows:
        try:
            found[name] = read_class(name, body)
        except BadClass:
            logger.error("a stored class of detections can't be read name=%s", name)
    return found


def list_classes(tenant: Tenant | None = None) -> list[Shown]:
    """All classes as they hold for the tenant, or for all tenants; by label."""
    stored = {row.name: row for row in ProvidersClass.objects.all()}
    found = {name: Shown(kind, "default", 0) for name, kind in DEFAULTS.items()}
    for name, kind in _read((row.name, row.body) for row in stored.values()).items():
        found[name] = Shown(kind, "provider", 0 if tenant else stored[name].version)
    if tenant:
        with scope(tenant):
            own = {row.name: row for row in OverlapOverride.objects.all()}
        for name, kind in _read((row.name, row.body) for row in own.values()).items():
            found[name] = Shown(kind, "tenant", own[name].version)
    return sorted(found.values(), key=lambda shown: (shown.kind.label.casefold(), shown.kind.name))


def edit_class(
    name: str, body: object, version: int, *, tenant: Tenant | None, actor: str, actor_id: int
) -> OverlapClass:
    """Store a version for the tenant, or for all. `version`: as the person saw it, 0 for none.

    Raises BadClass with a sentence; nothing is stored then.
    """
    kind = read_class(name, body)

    def change(model: Any) -> str:
        row = model.objects.select_for_update().filter(name=name).first()
        if (row.version if row else 0) != version:
            raise BadClass(STALE)
        if row is None and model.objects.count() >= MOST_CLASSES:
            raise BadClass(f"There are {MOST_CLASSES} classes already. Remove one first.")
        values = {"body": as_body(kind), "version": version + 1, "actor_id": actor_id}
        model.objects.update_or_create(name=name, defaults=values | {"changed_at": Now()})
        return "class edited"

    _at(tenant, change, actor, name)
    return kind


def reset_class(name: str, version: int, *, tenant: Tenant | None, actor: str) -> None:
    """Take back the tenant's version (the provider's holds again) or the provider's (ours does).

    Raises BadClass if it changed meanwhile or there is nothing to take back.
    """

    def change(model: Any) -> str:
        if not model.objects.filter(name=name, version=version).delete()[0]:
            raise BadClass(STALE)
        return "class reset"

    _at(tenant, change, actor, name)


def _at(tenant: Tenant | None, change: Callable[[Any], str], actor: str, name: str) -> None:
    with transaction.atomic():
        if tenant:
            with scope(tenant):
                done = change(OverlapOverride)
        else:
            done = change(ProvidersClass)
        record(actor, done, tenant, name)
