"""The only ways to stand in a tenant's data.

`scope(tenant)` switches the connection to the tenant's own role and schema: Postgres itself then
refuses every other tenant. `granted(ids)` keeps the portal's role and names the tenants whose rows
of the shared queue may be read. `owner(schema)` is for migrations alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection

from tenants.backend.base import Session, role
from tenants.current import current_slug
from tenants.models import Tenant


class WrongScope(RuntimeError):
    """A scope was asked for inside the scope of another tenant, or for a tenant without schema."""


@contextmanager
def scope(tenant: Tenant) -> Iterator[Tenant]:
    """Everything inside runs as the tenant's role, in its schema. Always resets, also on errors.

    Raises WrongScope inside another tenant's scope, and for a row that is not saved: Postgres takes
    an unknown schema in silence.
    """
    if tenant.pk is None or not tenant.schema_name:
        raise WrongScope("a tenant needs a row and a schema before its scope can be entered")
    session = tenant_session(tenant)
    here = connection.session
    if here.schemas[0] != "public" and here != session:
        raise WrongScope("already in another tenant's scope")
    token = current_slug.set(tenant.slug)
    try:
        with _session(session, tenant):
            yield tenant
    finally:
        current_slug.reset(token)


@contextmanager
def granted(tenant_ids: Iterable[int]) -> Iterator[None]:
    """The portal's role, allowed to read the shared queue's rows of these tenants."""
    portal = connection.portal_session()
    session = Session(portal.role, portal.schemas, tuple(sorted(set(tenant_ids))))
    if connection.session.schemas[0] != "public":
        raise WrongScope("the shared queue is not read inside a tenant's scope")
    with _session(session, None):
        yield


@contextmanager
def owner(schema: str = "public") -> Iterator[None]:
    """The role that owns all tables, for migrations of one schema."""
    database = connection.settings_dict["NAME"]
    session = Session(role(database, "owner"), (schema,))
    before = connection.schema_name
    connection.set_schema(schema)
    try:
        with _session(session, None):
            yield
    finally:
        connection.set_schema(before)


def tenant_here() -> Tenant:
    """The tenant whose scope this is. Raises WrongScope outside of every scope."""
    tenant = connection.tenant
    if not isinstance(tenant, Tenant):
        raise WrongScope("not in a tenant's scope")
    return tenant


def tenant_session(tenant: Tenant) -> Session:
    """The role and search path of a tenant. `public` follows for the shared queue's tables."""
    database = connection.settings_dict["NAME"]
    return Session(role(database, f"t{tenant.pk}"), (tenant.schema_name, "public"))


@contextmanager
def _session(session: Session, tenant: Tenant | None) -> Iterator[None]:
    schema_before, tenant_before = connection.schema_name, connection.tenant
    if tenant is not None:
        connection.set_tenant(tenant)
    before = connection.enter(session)
    try:
        yield
    finally:
        connection.enter(before)
        if tenant is not None:
            # Back to the very tenant, where this scope stood within another of the same.
            if isinstance(tenant_before, Tenant):
                connection.set_tenant(tenant_before)
            else:
                connection.set_schema(schema_before)
        connection.apply_session()
