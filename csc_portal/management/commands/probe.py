"""manage.py probe: which permissions and licences a tenant's app really has."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from alerts.blind_spots import blind_spots, check_sources
from clients.errors import ApiError
from csc_portal.management.base import PortalCommand
from csc_portal.onboard import REQUIRED_SOURCE
from tenants.directories import graph_for
from ticketing.connections import connect


class Command(PortalCommand):
    help = "Read one item of each source and say what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        abilities = check_sources(tenant, graph_for(tenant), timezone.now())
        result: dict[str, Any] = {
            "tenant": tenant.slug,
            "sources": [
                {
                    "source": ability.source,
                    "permission": ability.permission,
                    "state": "there" if ability.is_there else type(ability.error).__name__.lower(),
                    "problem": str(ability.error) if ability.error else "",
                }
                for ability in abilities
            ],
        }
        result["blind_spots"] = blind_spots(tenant)
        connection = getattr(tenant, "ticketing", None)
        if connection is not None:
            result["ticketing"] = _check(connection)
        missing = [a for a in abilities if a.source == REQUIRED_SOURCE and not a.is_there]
        if missing:
            result["error"] = f"Alerts can't be read: {missing[0].error}"
        return result


def _check(connection: Any) -> dict[str, str]:
    try:
        connect(connection).check()
    except ApiError as err:
        return {"state": type(err).__name__.lower(), "problem": str(err)}
    return {"state": "there", "problem": ""}
