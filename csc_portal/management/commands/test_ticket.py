"""manage.py test_ticket: a marked test ticket in a tenant's ticket system."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM, record
from ticketing.connections import connect
from ticketing.trial import send_test_ticket


class Command(PortalCommand):
    help = "Open a test ticket with a note, find it again, and say where it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        connection = getattr(tenant, "ticketing", None)
        if connection is None:
            raise CommandError(f"The tenant '{tenant.slug}' has no ticket system.")
        trial = send_test_ticket(connect(connection), timezone.now())
        record(SYSTEM, "test_ticket", tenant, facts={"ticket": trial.ticket.id})
        return {
            "tenant": tenant.slug,
            "system": connection.system,
            "reference": trial.reference,
            "ticket": trial.ticket.id,
            "url": trial.ticket.url,
            "state": trial.ticket.status,
            "seen": list(trial.steps),
            "limits": list(trial.limits),
            "error": trial.problem and f"The ticket was opened, but: {trial.problem}",
        }
