"""manage.py rebuild_queue: the shared queue made anew from the schemas, or compared with them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from csc_portal.management.base import PortalCommand
from csc_portal.rebuild import compare, rebuild
from tenants.models import Tenant


class Command(PortalCommand):
    help = "Rebuild the shared queue from the tenants' schemas and verify it; --verify: only that."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--verify", action="store_true", help="change nothing, only compare")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenants = list(Tenant.objects.all())
        if not options["verify"]:
            for tenant in tenants:
                rebuild(tenant)
        differences = [found for found in map(compare, tenants) if found]
        result: dict[str, Any] = {
            "tenants": len(tenants),
            "rebuilt": not options["verify"],
            "differences": [asdict(found) for found in differences],
        }
        if differences:
            slugs = ", ".join(found.tenant for found in differences[:5])
            result["error"] = f"The queue differs from the schemas of {slugs}. Rebuild it."
        return result
