"""A customer whose Azure the simulator holds, and short ways to change and read it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from csc_portal.feeds import fetch, known_feeds
from csc_portal.inventory import InventoryRun, run_inventory
from csc_portal.weaknesses import run_weaknesses
from posture.models import AzureResource, WatchRule
from simulator import Simulator
from tenants.models import PublicFeed, Tenant
from tenants.scope import scope

SUBSCRIPTION = "5f1c0a11-0000-4000-8000-00000000000"
VM = "Microsoft.Compute/virtualMachines"
VAULT = "Microsoft.KeyVault/vaults"
NET = "Microsoft.Network/virtualNetworks"


class Azure:
    """The Azure of one directory of the simulator, for tests."""

    def __init__(self, simulator: Simulator, directory: str) -> None:
        self.control = simulator.control
        self.directory = directory

    def clear(self) -> None:
        for table in ("resources", "resource_groups", "azure", "azure_settings", "azure_changes"):
            self.control.delete_rows(self.directory, table)
        self.control.configure(self.directory, azure_reader=True)

    def subscription(self, number: int = 1, tags: object = None, **more: Any) -> str:
        key = f"{SUBSCRIPTION}{number}"
        row = {
            "id": f"/subscriptions/{key}", "subscriptionId": key, "tenantId": self.directory,
            "displayName": f"Contoso {number}", "state": "Enabled", "tags": tags, **more,
        }  # fmt: skip
        self.control.add_rows(self.directory, "azure", row)
        return key

    def resource(
        self, name: str, tags: object = None, kind: str = VM, group: str = "rg", number: int = 1,
        **more: Any,
    ) -> str:  # fmt: skip
        key = (
            f"/subscriptions/{SUBSCRIPTION}{number}/resourceGroups/{group}/providers/{kind}/{name}"
        )
        row = {"id": key, "name": name, "type": kind, "location": "westeurope", **more}
        if tags is not None:
            row["tags"] = tags
        self.control.add_rows(self.directory, "resources", row)
        return key

    def group(self, name: str, tags: object, number: int = 1) -> None:
        key = f"/subscriptions/{SUBSCRIPTION}{number}/resourceGroups/{name}"
        row = {"id": key, "name": name, "location": "westeurope", "tags": tags}
        self.control.add_rows(self.directory, "resource_groups", row)

    def drop(self, resource: str) -> None:
        self.control.delete_rows(self.directory, "resources", resource)

    def count(self, **filters: Any) -> int:
        return self.control.count(service="arm", directory=self.directory, **filters)


def set_rule(tenant: Tenant, **changes: Any) -> None:
    values = {"tags": [["monitored", ["true"]]], "changed_at": timezone.now(), **changes}
    with scope(tenant):
        WatchRule.objects.update_or_create(pk=1, defaults=values)


def read(tenant: Tenant, *, is_full: bool = True) -> InventoryRun:
    return run_inventory(Tenant.objects.get(pk=tenant.pk), timezone.now(), is_full=is_full)


def read_threats(tenant: Tenant, url: str) -> None:
    """The public lists and news of the simulator, then the tenant's weaknesses."""
    news, _ = PublicFeed.objects.get_or_create(
        kind=PublicFeed.Kind.NEWS, url=f"{url}/feeds/news.xml", defaults={"name": "Patch news"}
    )
    for feed in {*known_feeds(), news}:
        fetch(feed, timezone.now())
    run_weaknesses(Tenant.objects.get(pk=tenant.pk), timezone.now())


def states(tenant: Tenant) -> dict[str, tuple[str, str]]:
    """Last part of the type -> (state, why), for tests with one resource a type."""
    with scope(tenant):
        rows = AzureResource.objects.values_list("type", "state", "why")
        return {kind.rpartition("/")[2]: (state, why) for kind, state, why in rows}
