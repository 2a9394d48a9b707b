"""Making and removing tenants: all of it or nothing, and safe to do again."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction

from tenants.isolation import drop_tenant_role
from tenants.migrating import fingerprint, migrate_tenant
from tenants.models import (
    RESERVED_SLUGS,
    SLUG,
    CaseFigure,
    EntityIndex,
    FindingEntry,
    MovedCase,
    QueueEntry,
    QueueRollup,
    QueueTombstone,
    Rule,
    Tenant,
    TicketConnection,
    WebhookCase,
    WebhookDelivery,
    schema_of,
)
from tenants.scope import granted, owner, scope

ERASE_ATTEMPTS = 4


class OnboardingError(ValueError):
    """Bad input; the message says what to do."""


@dataclass(frozen=True, slots=True)
class NewTenant:
    """What an admin gives to onboard a customer."""

    slug: str
    name: str
    directory_id: uuid.UUID
    client_id: uuid.UUID
    credential_secret: str


def check_free(new: NewTenant) -> None:
    """Raises OnboardingError when the slug or the directory can't be this tenant's."""
    try:
        SLUG(new.slug)
    except ValidationError as err:
        raise OnboardingError(err.messages[0]) from err
    if new.slug in RESERVED_SLUGS:
        raise OnboardingError(f"The slug '{new.slug}' is reserved. Choose another.")
    if not new.name.strip() or len(new.name) > 100:
        raise OnboardingError("A tenant needs a name of 1 to 100 characters.")
    existing = Tenant.objects.filter(slug=new.slug).first()
    if existing is not None:
        if existing.directory_id != new.directory_id:
            raise OnboardingError(f"The slug '{new.slug}' is taken by another directory.")
        return
    taken = Tenant.objects.filter(directory_id=new.directory_id).first()
    if taken is not None:
        raise OnboardingError(f"This directory is already onboarded as '{taken.slug}'.")
    if _schema_exists(schema_of(new.slug)):
        raise OnboardingError(
            f"A schema '{schema_of(new.slug)}' exists already. Choose another slug."
        )


def create_tenant(new: NewTenant) -> Tenant:
    """The tenant's row, role, schema and tables: all of it or nothing; known ones are updated.

    Raises OnboardingError when the slug or the directory is another tenant's.
    """
    check_free(new)
    with transaction.atomic():
        tenant, _ = Tenant.objects.update_or_create(
            slug=new.slug,
            defaults={
                "name": new.name.strip(),
                "client_id": new.client_id,
                "credential_secret": new.credential_secret,
            },
            create_defaults={
                "schema_name": schema_of(new.slug),
                "name": new.name.strip(),
                "directory_id": new.directory_id,
                "client_id": new.client_id,
                "credential_secret": new.credential_secret,
            },
        )
        wanted = fingerprint()
        if tenant.migrated_to != wanted:
            migrate_tenant(tenant, wanted)
    return tenant


def erase_tenant(tenant: Tenant) -> None:
    """Everything that the database holds of the tenant, at once: queue rows, schema, role, row.

    A worker that still writes for the tenant can stand in the way (a deadlock); it soon ends.
    """
    for attempt in range(1, ERASE_ATTEMPTS + 1):
        try:
            with transaction.atomic():
                _erase(tenant)
        except OperationalError:
            if connection.in_atomic_block or attempt == ERASE_ATTEMPTS:
                raise
            time.sleep(attempt)
        else:
            return


def _erase(tenant: Tenant) -> None:
    with scope(tenant):
        for model in (
            QueueEntry,
            QueueRollup,
            EntityIndex,
            MovedCase,
            QueueTombstone,
            FindingEntry,
            CaseFigure,
        ):
            model.objects.all().delete()
        connection.check_constraints()
    with granted([tenant.pk]):
        Rule.objects.filter(tenant_id=tenant.pk).delete()
    with owner():
        drop_tenant_role(tenant)
    TicketConnection.objects.filter(tenant=tenant).delete()
    for told in (WebhookCase, WebhookDelivery):
        told.objects.filter(tenant_id=tenant.pk).delete()
    # By a copy: one that is deleted loses its key, which another attempt would need.
    Tenant.objects.get(pk=tenant.pk).delete()


def _schema_exists(schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        return cursor.fetchone() is not None
