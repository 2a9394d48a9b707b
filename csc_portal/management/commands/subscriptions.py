"""manage.py subscriptions: what Microsoft pushes for a tenant, and what is polled instead."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from alerts.models import Subscription
from alerts.subscriptions import Check, end_subscriptions, wanted_resources
from csc_portal.management.base import PortalCommand
from csc_portal.push import compare
from tenants.audit import SYSTEM, record
from tenants.directories import graph_for, master_keys
from tenants.models import Tenant
from tenants.push_keys import hint_key, webhook_token
from tenants.scope import scope

_RESOURCE = re.compile(r"/[A-Za-z][A-Za-z0-9_/$?=&'. ()-]{1,150}")


def resource_list(text: str) -> list[str] | None:
    """'default', 'none', or resources such as /security/alerts_v2, separated by commas."""
    if text == "default":
        return None
    found = [] if text == "none" else [part.strip() for part in text.split(",")]
    for resource in found:
        if not _RESOURCE.fullmatch(resource):
            raise ArgumentTypeError(f"'{resource[:40]}' is no resource such as /security/alerts_v2")
    return found


class Command(PortalCommand):
    help = "Compare a tenant's subscriptions with Microsoft's, put them right and show them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--renew", action="store_true", help="renew all now, and try again what is polled"
        )
        what.add_argument(
            "--delete", action="store_true", help="delete all at Microsoft, until --renew"
        )
        what.add_argument(
            "--keys", action="store_true", help="show the secrets for hints and ticket webhooks"
        )
        parser.add_argument(
            "--resources", type=resource_list, default=False,
            help="what to subscribe to from now on: 'default', 'none', or a list with commas",
        )  # fmt: skip

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        if options["keys"]:
            return _keys(tenant)
        if options["resources"] is not False:
            tenant.push_resources = options["resources"]
            tenant.save(update_fields=["push_resources"])
        if options["delete"]:
            check = end_subscriptions(tenant, graph_for(tenant), timezone.now())
        else:
            check = compare(tenant, renew=options["renew"])
        return _report(tenant, check)


def _report(tenant: Tenant, check: Check) -> dict[str, Any]:
    tenant.refresh_from_db()
    with scope(tenant):
        rows = list(Subscription.objects.all())
    return {
        "tenant": tenant.slug,
        "wanted": list(wanted_resources(tenant)),
        "push_healthy_at": tenant.push_healthy_at,
        "done": [{"act": str(act), "resource": resource} for act, resource in check.done],
        "subscriptions": [
            {
                "resource": row.resource,
                "state": row.state,
                "id": row.subscription_id,
                "expires_at": row.expires_at,
                "reason": row.reason,
                "retry_at": row.retry_at,
            }
            for row in rows
        ],
    }


def _keys(tenant: Tenant) -> dict[str, Any]:
    """Secrets for the customer's own systems. They are derived, not stored; showing is recorded."""
    record(SYSTEM, "push_keys_shown", tenant)
    base = settings.PUBLIC_INGRESS_URL.rstrip("/")
    master = master_keys()[0][1]
    shown = {
        "tenant": tenant.slug,
        "hint_url": f"{base}/notifications/hint/{tenant.public_id}/",
        "hint_key": hint_key(master, tenant.public_id),
    }
    connection = getattr(tenant, "ticketing", None)
    if connection is not None:
        shown["webhook_url"] = f"{base}/webhooks/tickets/{connection.public_id}/"
        shown["webhook_token"] = webhook_token(master, connection.public_id)
    return shown
