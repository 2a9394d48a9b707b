"""Roles and rights: what makes the database itself refuse other tenants.

Roles of a database `csc` (they carry its name, since roles belong to the whole server):

    csc_owner   owns schemas and tables; nobody logs in as it; migrations run as it
    csc_app     the portal: shared tables, the queue's rows of the granted tenants, no tenant schema
    csc_tenant  what all tenants' roles have in common: their own rows of the shared queue
    csc_t17     tenant 17: its own schema

The portal's login is a member of each WITH INHERIT FALSE, so it has none of their rights until it
says SET ROLE. `set_config` and the large-object functions are revoked from PUBLIC: inside one
statement there is then no way to another role (SET itself can't stand inside a query).
"""

from __future__ import annotations

import psycopg
from django.db import connection
from psycopg import sql

from tenants.backend.base import role
from tenants.models import Tenant

REVOKED = (
    "set_config(text, text, boolean)",
    "lo_close(integer)", "lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)",
    "lo_get(oid)", "lo_get(oid, bigint, integer)", "lo_lseek(integer, integer, integer)",
    "lo_lseek64(integer, bigint, integer)", "lo_open(oid, integer)", "lo_put(oid, bigint, bytea)",
    "lo_tell(integer)", "lo_tell64(integer)", "lo_truncate(integer, integer)",
    "lo_truncate64(integer, bigint)", "lo_unlink(oid)", "loread(integer, integer)",
    "lowrite(integer, bytea)",
    "pg_notify(text, text)",
)  # fmt: skip
"""Functions of pg_catalog that cross scopes: settings, large objects, notifications."""

ENSURE_ROLE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN
    CREATE ROLE {role} NOLOGIN;
  END IF;
END $$
"""


def bootstrap(admin_url: str, database: str, login: str) -> None:
    """Make the roles and close the doors. Safe to run again.

    `login` is the user that the portal connects as. The first time needs a superuser; later runs by
    a lesser user change nothing. Raises psycopg.Error when the rights do not suffice.
    """
    owner, app, tenant = (role(database, name) for name in ("owner", "app", "tenant"))
    with psycopg.connect(admin_url) as conn:
        if not _is_superuser(conn) and _exists(conn, owner):
            return
        for name in (owner, app, tenant):
            conn.execute(
                sql.SQL(ENSURE_ROLE).format(name=sql.Literal(name), role=sql.Identifier(name))
            )
        for statement in _bootstrap_statements():
            conn.execute(
                sql.SQL(statement).format(
                    db=sql.Identifier(database),
                    owner=sql.Identifier(owner),
                    app=sql.Identifier(app),
                    tenant=sql.Identifier(tenant),
                )
            )
        _let_login_become(conn, login, owner, app)


def _bootstrap_statements() -> list[str]:
    return [
        "ALTER ROLE {owner} NOSUPERUSER CREATEROLE",
        "ALTER ROLE {app} NOSUPERUSER NOCREATEROLE NOCREATEDB",
        "GRANT CREATE, CONNECT ON DATABASE {db} TO {owner}",
        "REVOKE ALL ON DATABASE {db} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {db} TO {app}",
        "ALTER SCHEMA public OWNER TO {owner}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {app}, {tenant}",
        "GRANT {tenant} TO {owner} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
        *(f"REVOKE EXECUTE ON FUNCTION pg_catalog.{name} FROM PUBLIC" for name in REVOKED),
    ]


def _is_superuser(conn: psycopg.Connection) -> bool:
    return conn.info.parameter_status("is_superuser") == "on"


def _exists(conn: psycopg.Connection, name: str) -> bool:
    found = conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    return found is not None


def _let_login_become(conn: psycopg.Connection, login: str, owner: str, app: str) -> None:
    for name in (owner, app):
        if login != name:
            conn.execute(
                sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(
                    sql.Identifier(name), sql.Identifier(login)
                )
            )


SHARED_QUEUE = (
    "tenants_queueentry", "tenants_queuerollup", "tenants_entityindex", "tenants_movedcase",
    "tenants_queuetombstone", "tenants_findingentry", "tenants_casefigure",
)  # fmt: skip
"""Tables that tenants write and the portal reads, under row-level security."""
AUDIT = ("tenants_auditentry", "tenants_auditseal", "tenants_auditarchive")
"""Tables that can only be added to; triggers hold their owner to it as well."""


def grant_shared_tables() -> None:
    """What the portal and the tenants may do with `public`, as the owner. Safe to run again."""
    database = connection.settings_dict["NAME"]
    tables = sql.SQL(", ").join(sql.Identifier(table) for table in SHARED_QUEUE)
    parts = {
        "app": sql.Identifier(role(database, "app")),
        "tenant": sql.Identifier(role(database, "tenant")),
        "queue": tables,
        "audit": sql.SQL(", ").join(sql.Identifier(table) for table in AUDIT),
    }
    with connection.cursor() as cursor:
        for statement in (
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {app}, {tenant}",
            "REVOKE INSERT, UPDATE, DELETE ON {queue}, django_migrations FROM {app}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON {queue} TO {tenant}",
            # Which detections are equivalent: the provider's words, read while alerts are stored.
            "GRANT SELECT ON tenants_overlapclass TO {tenant}",
            # Public knowledge, compared with a tenant's weaknesses in its own scope.
            "GRANT SELECT ON tenants_knownexploited, tenants_exploitscore TO {tenant}",
            # What was seen and done can be added to, never changed.
            "REVOKE UPDATE, DELETE, TRUNCATE ON {audit} FROM {app}",
            "REVOKE UPDATE ON tenants_ruleversion FROM {app}",
        ):
            cursor.execute(sql.SQL(statement).format(**parts))


def create_tenant_role(tenant: Tenant) -> None:
    """Schema and role of a tenant, as the owner (see scope.owner). Safe to run again."""
    database = connection.settings_dict["NAME"]
    login = connection.connection.info.user
    name = role(database, f"t{tenant.pk}")
    parts = {
        "name": sql.Literal(name),
        "role": sql.Identifier(name),
        "tenant": sql.Identifier(role(database, "tenant")),
        "schema": sql.Identifier(tenant.schema_name),
        "login": sql.Identifier(login),
        "owner": sql.Identifier(role(database, "owner")),
    }
    with connection.cursor() as cursor:
        for statement in (
            ENSURE_ROLE,
            "GRANT {tenant} TO {role} WITH INHERIT TRUE, SET FALSE",
            "GRANT {role} TO {login} WITH INHERIT FALSE, SET TRUE",
            "CREATE SCHEMA IF NOT EXISTS {schema}",
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} "
            "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} "
            "GRANT USAGE ON SEQUENCES TO {role}",
        ):
            cursor.execute(sql.SQL(statement).format(**parts))


def drop_tenant_role(tenant: Tenant) -> None:
    """Schema and role of a tenant, gone with everything in them, as the owner."""
    database = connection.settings_dict["NAME"]
    name = sql.Identifier(role(database, f"t{tenant.pk}"))
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(tenant.schema_name))
        )
        cursor.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
