"""What the portal's commands have in common: JSON, exit codes, one clear line for every error."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from clients.errors import ApiError
from csc_portal.services import ServicesError
from tenants.directories import BadSecret
from tenants.models import Tenant
from tenants.onboarding import OnboardingError


class OneLineParser(CommandParser):
    def error(self, message: str) -> NoReturn:
        """Wrong words: one line and exit code 1, like every other error."""
        if not self.called_from_command_line:
            raise CommandError(message)
        sys.stderr.write(f"CommandError: {message}\n")
        raise SystemExit(1)


class PortalCommand(BaseCommand):
    """Subclasses write `run(options) -> dict`; it is printed as JSON or as lines.

    A result may hold `error`: it is printed last, and the exit code is 1.
    """

    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = OneLineParser
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
        return parser

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self.run(options)
        except (ApiError, BadSecret, OnboardingError, ImproperlyConfigured, ServicesError) as err:
            raise CommandError(str(err)) from err
        except OperationalError as err:
            raise CommandError(f"The database can't be used: {str(err).splitlines()[0]}") from err
        error = result.get("error")
        if options["json"]:
            self.stdout.write(json.dumps(result, default=str))
        else:
            for name, value in result.items():
                if name != "error":
                    self.stdout.write(f"{name.replace('_', ' ')}: {value}")
        if error:
            raise CommandError(error)

    def tenant(self, slug: str) -> Tenant:
        """The tenant of a slug. Raises CommandError."""
        tenant = Tenant.objects.select_related("ticketing").filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"There is no tenant '{slug}'.")
        return tenant
