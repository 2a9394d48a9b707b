"""manage.py offboard: stop reading a customer, and on demand forget everything."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from csc_portal.management.base import PortalCommand
from csc_portal.offboard import erase, off_board
from tenants.audit import SYSTEM


class Command(PortalCommand):
    help = "Stop reading a tenant. --erase also removes all that is stored of it, for good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--erase", action="store_true")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        problem = off_board(tenant, SYSTEM)
        if options["erase"]:
            erase(tenant, SYSTEM)
        return {
            "tenant": options["slug"],
            "erased": options["erase"],
            "subscriptions": problem or "ended",
        }
