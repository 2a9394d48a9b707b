"""manage.py migrate_schemas: roles, shared tables and every tenant's tables, brought up to date."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.isolation import bootstrap
from tenants.migrating import Migrated, migrate_shared, migrate_tenants


class Command(BaseCommand):
    help = "Bring the shared schema and every tenant's up to date; skips those that are."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--again", action="store_true", help="also tenants that are up to date")
        parser.add_argument("--json", action="store_true", help="one JSON object a schema")

    def handle(self, *args: Any, **options: Any) -> None:
        database = settings.DATABASES["default"]["NAME"]
        login = urlsplit(settings.BACKING.database_url).username or "postgres"
        try:
            bootstrap(settings.BACKING.admin_database_url, database, login)
        except psycopg.Error as err:
            problem = str(err).splitlines()[0]
            raise CommandError(
                f"Roles can't be prepared: {problem}. Run this once with a DATABASE_URL whose user "
                "is a superuser."
            ) from err
        self._report(migrate_shared(), as_json=options["json"])
        failed = 0
        for migrated in migrate_tenants(again=options["again"]):
            self._report(migrated, as_json=options["json"])
            failed += bool(migrated.error)
        if failed:
            raise CommandError(f"{failed} tenants failed; run again to go on with them.")

    def _report(self, migrated: Migrated, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(
                json.dumps(
                    {
                        "schema": migrated.schema,
                        "seconds": round(migrated.seconds, 3),
                        "skipped": migrated.skipped,
                        "error": migrated.error,
                    }
                )
            )
        elif not migrated.skipped:
            what = migrated.error or f"up to date in {migrated.seconds:.2f} s"
            self.stdout.write(f"{migrated.schema}: {what}")
