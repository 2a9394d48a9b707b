"""Where Postgres and Redis are: given by the environment, else the embedded servers.

Nothing is started before somebody connects. A fresh embedded database is migrated then.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from django.conf import settings

from csc_portal import services
from tenants.secrets import vault

MIGRATING = "CSC_MIGRATING"
"""Set for the process that migrates a fresh database, which must not wait for itself."""


PASSWORD_SECRET = "csc-database-password"  # noqa: S105 - the secret's name


def _with_password(url: str) -> str:
    """A URL without a password gets the vault's, if there is a vault."""
    parts = urlsplit(url)
    if parts.password or not parts.username or not settings.AZURE_KEY_VAULT_URL:
        return url
    password = quote(vault().get(PASSWORD_SECRET).value, safe="")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:{password}@{host}").geturl()


@dataclass(frozen=True)
class Backing:
    """URLs of the servers behind this installation."""

    data_dir: Path
    given_database_url: str = ""
    given_redis_url: str = ""
    given_admin_database_url: str = ""

    @property
    def database_url(self) -> str:
        """Asked for at every new connection, so that a rotated password is used."""
        if self.given_database_url:
            return _with_password(self.given_database_url)
        return self._embedded_and_migrated.database_url

    @property
    def admin_database_url(self) -> str:
        """May make roles. On a real server: ADMIN_DATABASE_URL, else what DATABASE_URL may."""
        if self.given_admin_database_url:
            return self.given_admin_database_url
        return self.database_url if self.given_database_url else self._embedded.admin_database_url

    @cached_property
    def redis_url(self) -> str:
        return self.given_redis_url or self._embedded.redis_url

    @cached_property
    def _embedded(self) -> services.Services:
        return services.ensure(self.data_dir)

    @cached_property
    def _embedded_and_migrated(self) -> services.Services:
        self.migrate_if_fresh()
        return self._embedded

    def migrate_if_fresh(self) -> None:
        """Give a new embedded database its tables. Raises ServicesError."""
        if MIGRATING in os.environ or self._has_tables():
            return
        with (self.data_dir / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._has_tables():
                return
            manage = Path(__file__).resolve().parent.parent / "manage.py"
            done = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, str(manage), "migrate_schemas"],
                env={**os.environ, MIGRATING: "1", "CSC_DATA_DIR": str(self.data_dir)},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                lines = done.stderr.strip().splitlines() or ["no message"]
                raise services.ServicesError(f"The fresh database can't be migrated: {lines[-1]}")

    def _has_tables(self) -> bool:
        with psycopg.connect(self._embedded.admin_database_url) as conn:
            row = conn.execute("SELECT to_regclass('public.tenants_auditentry')").fetchone()
        return row is not None and row[0] is not None
