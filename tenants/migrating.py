"""Migrations of the shared schema and of each tenant's, as the owner role.

A tenant whose recorded fingerprint is that of the code is skipped, so a run over thousands resumes
where it stopped and costs nothing when there is nothing to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tenants.isolation import create_tenant_role, grant_shared_tables
from tenants.models import Tenant
from tenants.rows import let_take_long
from tenants.scope import owner


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one schema. `error` is empty when all went well."""

    schema: str
    seconds: float
    skipped: bool = False
    error: str = ""


def fingerprint() -> str:
    """Changes whenever a tenant app gains or loses a migration."""
    loader = MigrationLoader(None)
    names = sorted(f"{app}.{name}" for app, name in loader.disk_migrations)
    own = [name for name in names if name.split(".")[0] in settings.TENANT_APPS]
    return hashlib.sha256("\n".join(own).encode()).hexdigest()


def migrate_shared() -> Migrated:
    """Bring `public` up to date and set the rights on its tables."""
    started = perf_counter()
    with owner("public"), transaction.atomic():
        _migrate(is_tenants=False)
        grant_shared_tables()
    return Migrated("public", perf_counter() - started)


def migrate_tenants(*, again: bool = False) -> Iterator[Migrated]:
    """Bring every tenant up to date, one transaction each; one that fails stops no other."""
    wanted = fingerprint()
    for tenant in Tenant.objects.order_by("pk").iterator(chunk_size=200):
        if tenant.migrated_to == wanted and not again:
            yield Migrated(tenant.schema_name, 0.0, skipped=True)
            continue
        started = perf_counter()
        try:
            migrate_tenant(tenant, wanted)
        except DatabaseError as err:
            error = f"{type(err).__name__}: {str(err).splitlines()[0]}"
            yield Migrated(tenant.schema_name, perf_counter() - started, error=error)
        else:
            yield Migrated(tenant.schema_name, perf_counter() - started)


def migrate_tenant(tenant: Tenant, wanted: str) -> None:
    """Role, schema and tables of one tenant: all of it or nothing."""
    with transaction.atomic():
        with owner(tenant.schema_name):
            create_tenant_role(tenant)
            _migrate(is_tenants=True)
        Tenant.objects.filter(pk=tenant.pk).update(migrated_to=wanted)
    tenant.migrated_to = wanted


def _migrate(*, is_tenants: bool) -> None:
    """Apply the apps of tenants or the shared ones. Neither needs to know the others' history."""
    let_take_long()
    MigrationRecorder(connection).ensure_schema()
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    executor.migrate([leaf for leaf in leaves if (leaf[0] in settings.TENANT_APPS) == is_tenants])
