"""Making and removing tenants: all of it or nothing, and safe to do again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from tenants.isolation import drop_tenant_role
from tenants.migrating import fingerprint, migrate_tenant
from tenants.models import RESERVED_SLUGS, SLUG, EntityIndex, QueueEntry, QueueRollup
from tenants.models import Tenant, TicketConnection, schema_of
from tenants.scope import owner, scope


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


def create_tenant(new: NewTenant) -> Tenant:
    """The tenant's row, role, schema and tables. Finishes a half-made one; changes no other.

    Raises OnboardingError when the slug or the directory is another tenant's.
    """
    _check(new)
    existing = Tenant.objects.filter(slug=new.slug).first()
    if existing is not None:
        return _resume(existing, new)
    taken = Tenant.objects.filter(directory_id=new.directory_id).first()
    if taken is not None:
        raise OnboardingError(f"This directory is already onboarded as '{taken.slug}'.")
    schema = schema_of(new.slug)
    if _schema_exists(schema):
        raise OnboardingError(f"A schema '{schema}' exists already. Choose another slug.")
    with transaction.atomic():
        tenant = Tenant.objects.create(
            slug=new.slug,
            schema_name=schema,
            name=new.name.strip(),
            directory_id=new.directory_id,
            client_id=new.client_id,
            credential_secret=new.credential_secret,
        )
        migrate_tenant(tenant, fingerprint())
    return tenant


def erase_tenant(tenant: Tenant) -> None:
    """Everything that the database holds of the tenant, at once: queue rows, schema, role, row."""
    with transaction.atomic():
        with scope(tenant):
            for model in (QueueEntry, QueueRollup, EntityIndex):
                model.objects.all().delete()
        with owner():
            drop_tenant_role(tenant)
        TicketConnection.objects.filter(tenant=tenant).delete()
        tenant.delete()


def _check(new: NewTenant) -> None:
    try:
        SLUG(new.slug)
    except ValidationError as err:
        raise OnboardingError(err.messages[0]) from err
    if new.slug in RESERVED_SLUGS:
        raise OnboardingError(f"The slug '{new.slug}' is reserved. Choose another.")
    if not new.name.strip():
        raise OnboardingError("A tenant needs a name.")


def _resume(tenant: Tenant, new: NewTenant) -> Tenant:
    if tenant.directory_id != new.directory_id:
        raise OnboardingError(f"The slug '{new.slug}' is taken by another directory.")
    tenant.name, tenant.client_id = new.name.strip(), new.client_id
    tenant.credential_secret = new.credential_secret
    tenant.save(update_fields=["name", "client_id", "credential_secret"])
    migrate_tenant(tenant, fingerprint())
    return tenant


def _schema_exists(schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        return cursor.fetchone() is not None
