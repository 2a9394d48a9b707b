"""A customer's Azure whose names, ids and tags are canaries, read in every way there is."""

from __future__ import annotations

from dataclasses import dataclass

from django.test import Client
from django.utils import timezone

from csc_portal.inventory import run_inventory
from posture.models import AzureResource, WatchRule
from simulator import Simulator
from tenants.models import Grant, Tenant, User
from tenants.scope import scope
from tests.privacy.canaries import Marks

SUBSCRIPTION = "0c1ab52d-1111-4222-8333-944455556666"


@dataclass(frozen=True, slots=True)
class SeenAzure:
    """What the reading said of itself, and the page with names and the one without."""

    resources: int
    by_listing: int
    findings: int
    with_names: str
    without: str


def read_azure(simulator: Simulator, marks: Marks, tenant: Tenant) -> SeenAzure:
    """Plant, read by Resource Graph, by the listing and by changes; exempt; show names; export."""
    control, slug, like = simulator.control, tenant.slug, marks.like
    key, group = like(SUBSCRIPTION), like("x")
    tags = {like("x"): like("a@b"), "monitored": like("x")}
    place = f"/subscriptions/{key}/resourceGroups/{group}"
    control.add_rows(slug, "azure", {
        "id": f"/subscriptions/{key}", "subscriptionId": key, "displayName": like("x"),
        "state": like("x"), "tags": tags,
    })  # fmt: skip
    control.add_rows(slug, "resource_groups", {"id": place, "name": group, "location": "x",
                                               "tags": tags})  # fmt: skip
    for kind in ("Microsoft.Compute/virtualMachines", f"Microsoft.CustomProviders/a/{like('x')}"):
        name = like("x")
        control.add_rows(slug, "resources", {
            "id": f"{place}/providers/{kind}/{name}", "name": name, "type": kind,
            "location": like("a@b"), "tags": tags, "managedBy": like("x"),
        })  # fmt: skip
    with scope(tenant):
        WatchRule.objects.create(
            pk=1, tags=[["monitored", ["true"]]], from_group=True, changed_at=timezone.now()
        )
    error = {"error": {"code": like("x"), "message": like("a@b")}}
    order = {"service": "arm", "directory": slug, "path": "ResourceGraph", "body": error}
    control.fault("status", status=400, count=2, **order)
    listed = run_inventory(tenant, timezone.now(), is_full=True)
    again = run_inventory(Tenant.objects.get(pk=tenant.pk), timezone.now(), is_full=True)
    with scope(tenant):
        WatchRule.objects.update(from_group=False)
    run_inventory(Tenant.objects.get(pk=tenant.pk), timezone.now())
    pages = _look(tenant, f"{place}/providers/Microsoft.Compute/virtualMachines/x", place)
    return SeenAzure(
        again.reading.resources, listed.reading.by_listing, len(listed.settled.opened), *pages
    )


def _look(tenant: Tenant, *typed: str) -> tuple[str, str]:
    person = User.objects.create_user(f"azure-{tenant.slug}")
    Grant.objects.create(user=person, tenant=tenant, role="admin")
    client = Client()
    client.force_login(person)
    base = f"/coverage/{tenant.slug}/"
    until = f"{timezone.now().date()}"
    for covers in (*typed, "nonsense", f"{typed[0]}'"):
        given = {"covers": covers, "reason": "test", "until": until}
        client.post(f"{base}exempt/", given)
    with_names = client.post(f"{base}names/?state=any").content.decode()
    b"".join(client.get(f"{base}resources.csv?state=any").streaming_content)
    with scope(tenant):
        assert AzureResource.objects.filter(state="exempt").exists()
    person.delete()
    return with_names, client.get(base).content.decode()
