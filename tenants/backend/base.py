"""The database connection that always knows in whose scope it stands.

Before a cursor is handed out, role, search path and the list of granted tenants are those of the
current `Session`, set in one round trip and only when they differ from what the server has. A
failed SET is an error here (django-tenants swallows it, and Postgres falls through to `public`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import InternalError
from django.db.backends.postgresql.base import ServerBindingCursor
from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantWrapper
from psycopg import sql
from psycopg.pq import TransactionStatus

from tenants.backend.schema import SchemaEditor


@dataclass(frozen=True, slots=True)
class Session:
    """What one connection is allowed to see: a role, its search path, the tenants granted."""

    role: str
    schemas: tuple[str, ...]
    granted: tuple[int, ...] = ()

    def statement(self) -> sql.Composed:
        """The SET statements; every part is quoted, the tenants are integers."""
        tenants = "{" + ",".join(str(int(tenant)) for tenant in self.granted) + "}"
        return sql.SQL("SET ROLE {}; SET search_path TO {}; SET csc.tenants = {}").format(
            sql.Identifier(self.role),
            sql.SQL(", ").join(sql.Identifier(schema) for schema in self.schemas),
            sql.Literal(tenants),
        )


def role(database: str, name: str) -> str:
    """Roles live in the whole server, so they carry the database's name: csc_app, csc_t17."""
    return f"{database}_{name}"


class OneStatementCursor(ServerBindingCursor):
    """Sends every query by the extended protocol, which takes one statement only.

    psycopg uses the simple protocol for a query without parameters; an injected `; SET ROLE` would
    then be executed. `_execute_send` is psycopg's own seam (3.3); a test watches that it works.
    """

    def _execute_send(self, query: Any, **options: Any) -> None:
        super()._execute_send(query, **{**options, "force_extended": True})


class DatabaseWrapper(TenantWrapper):
    SchemaEditorClass = SchemaEditor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._applied: Session | None = None
        super().__init__(*args, **kwargs)
        self.session = self.portal_session()

    def portal_session(self) -> Session:
        """Outside every scope: the portal's own role, which reaches no tenant schema."""
        return Session(role(self.settings_dict["NAME"], "app"), ("public",))

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params["cursor_factory"] = OneStatementCursor
        # Set by the server at start-up, so that no query ever needs set_config().
        params["options"] = (
            f"-c role={self.portal_session().role} -c TimeZone=UTC -c csc.tenants={{}} "
            "-c statement_timeout=60000 -c lock_timeout=20000 "
            "-c idle_in_transaction_session_timeout=120000"
        )
        return params

    def enter(self, session: Session) -> Session:
        """Stand in `session` from the next statement on; returns the one stood in before."""
        before, self.session = self.session, session
        return before

    def apply_session(self) -> None:
        """Make the server's state that of `self.session`, if it is not already."""
        if self._applied == self.session or self.connection is None:
            return
        self._applied = None
        try:
            with self.wrap_database_errors, psycopg.Cursor(self.connection) as cursor:
                cursor.execute(self.session.statement())
        except InternalError as err:
            if isinstance(err.__cause__, psycopg.errors.InFailedSqlTransaction):
                return  # only a rollback can follow, and it brings us back here
            raise
        self._applied = self.session

    def _handle_search_path(self, cursor: Any = None) -> None:
        self.apply_session()

    def commit(self) -> None:
        # After an error that nobody passed on the server rolls back instead.
        info = self.connection.info if self.connection else None
        if info and info.transaction_status == TransactionStatus.INERROR:
            self._applied = None
        super().commit()

    def rollback(self) -> None:
        self._applied = None  # a SET is undone by the rollback of its transaction
        super().rollback()

    def savepoint_rollback(self, sid: str) -> None:
        try:
            super().savepoint_rollback(sid)
        finally:
            self._applied = None

    def connect(self) -> None:
        self._applied = None
        super().connect()

    def close(self) -> None:
        self._applied = None
        super().close()
