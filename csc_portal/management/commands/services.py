"""manage.py services: the embedded servers of the data folder."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from csc_portal import services


class Command(BaseCommand):
    help = "Start, stop or show the embedded PostgreSQL and Valkey of CSC_DATA_DIR."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_mutually_exclusive_group()
        verbs.add_argument("--start", action="store_true", help="start what does not run")
        verbs.add_argument("--stop", action="store_true", help="stop both; their data stays")
        verbs.add_argument("--status", action="store_true", help="only show (the default)")
        parser.add_argument(
            "--json", action="store_true", help="print JSON with the URLs, which hold passwords"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir = Path(settings.CSC_DATA_DIR)
        try:
            if options["start"]:
                services.ensure(data_dir)
                settings.BACKING.migrate_if_fresh()
            elif options["stop"]:
                services.stop(data_dir)
            state = services.status(data_dir)
        except services.ServicesError as err:
            raise CommandError(str(err)) from err
        if options["json"]:
            self.stdout.write(json.dumps(state))
            return
        for label, server in (("PostgreSQL", state["postgres"]), ("Valkey", state["redis"])):
            text = f"runs on port {server['port']}" if server["running"] else "does not run"
            self.stdout.write(f"{label} {text}")
