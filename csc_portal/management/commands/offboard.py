"""manage.py offboard: stop reading a customer, and on demand forget everything."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from csc_portal.management.base import PortalCommand
from csc_portal.push import end_push
from tenants.audit import SYSTEM, record
from tenants.models import Tenant
from tenants.onboarding import erase_tenant


class Command(PortalCommand):
    help = "Stop reading a tenant. --erase also removes all that is stored of it, for good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--erase", action="store_true")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        Tenant.objects.filter(pk=tenant.pk).update(
            state=Tenant.State.OFFBOARDED, next_poll_at=None, next_delivery_at=None
        )
        # Whoever is not read any more should not be pushed either. What stays behind expires.
        problem = end_push(tenant)
        if options["erase"]:
            # The tenant's row goes, so the entry names no tenant: only that one was erased.
            erase_tenant(tenant)
            record(SYSTEM, "tenant_erased", subject=f"tenant {tenant.public_id}")
        else:
            record(SYSTEM, "tenant_offboarded", tenant)
        return {
            "tenant": options["slug"],
            "erased": options["erase"],
            "subscriptions": problem or "ended",
        }
