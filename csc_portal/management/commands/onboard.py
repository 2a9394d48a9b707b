"""manage.py onboard: a customer, checked and made at once."""

from __future__ import annotations

import uuid
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from clients.errors import Rejected
from csc_portal.management.base import PortalCommand
from csc_portal.onboard import NewTicketing, onboard
from tenants.audit import SYSTEM
from tenants.onboarding import NewTenant
from ticketing.adapters.description import load_options


def guid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as err:
        raise ArgumentTypeError(
            f"'{text[:60]}' is no GUID such as 72f988bf-86f1-41af-91ab-2d7cd011db47"
        ) from err


def options_file(name: str) -> dict[str, object]:
    try:
        return load_options(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Rejected) as err:
        raise ArgumentTypeError(f"'{name[:200]}' can't be used: {err}") from err


class Command(PortalCommand):
    help = "Onboard a customer: checks the directory, the credential and the ticket system first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="short name, e.g. contoso-bank")
        parser.add_argument("--name", required=True)
        parser.add_argument("--directory", required=True, type=guid, help="Entra tenant id")
        parser.add_argument("--client-id", required=True, type=guid, help="application id")
        parser.add_argument(
            "--credential-secret", default="csc-app-credential", help="name in the vault"
        )
        parser.add_argument("--ticketing", help="ticket system, e.g. freshservice")
        parser.add_argument("--ticketing-url")
        parser.add_argument("--ticketing-secret", help="name in the vault")
        parser.add_argument("--ticketing-requester", default="", help="e-mail of the requester")
        parser.add_argument(
            "--ticketing-options",
            metavar="FILE.yaml",
            type=options_file,
            default={},
            help="options of the ticket system; docs/adding-a-ticket-system.md",
        )
        parser.add_argument("--enable", action="store_true", help="start reading at once")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        ticketing = None
        if options["ticketing"]:
            if not (options["ticketing_url"] and options["ticketing_secret"]):
                raise CommandError("--ticketing needs --ticketing-url and --ticketing-secret.")
            ticketing = NewTicketing(
                options["ticketing"],
                options["ticketing_url"],
                options["ticketing_secret"],
                options["ticketing_requester"],
                options["ticketing_options"],
            )
        new = NewTenant(
            options["slug"],
            options["name"],
            options["directory"],
            options["client_id"],
            options["credential_secret"],
        )
        tenant, warnings = onboard(new, ticketing, enable=options["enable"], actor=SYSTEM)
        return {
            "tenant": tenant.slug,
            "public_id": tenant.public_id,
            "schema": tenant.schema_name,
            "state": tenant.state,
            "warnings": warnings,
        }
