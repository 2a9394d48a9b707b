"""Azure is read whole, in parts, and by changes; what is said of each resource follows the rule."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alerts.prepare import prepare_page
from csc_portal.inventory import is_full_due, run_inventory
from posture.inventory import NO_SUBSCRIPTION, read_changes
from posture.models import (
    AzureResource,
    AzureSubscription,
    Exemption,
    Finding,
    InventoryRead,
)
from tenants.directories import arm_for, pseudonymiser_for
from tenants.models import FindingEntry, Tenant
from tenants.scope import granted, scope
from tenants.secrets import vault
from tests.csc_portal.web.documents import alert
from tests.posture.lab import NET, SUBSCRIPTION, VAULT, VM, Azure, read, set_rule, states

YES = {"monitored": "true"}


def stored(tenant: Tenant) -> int:
    with scope(tenant):
        return AzureResource.objects.count()


def exempt(tenant: Tenant, arm_id: str, until, kind: str = "resource") -> None:
    key = pseudonymiser_for(tenant).pseudonym("cloud_resource", f"arm:{arm_id}")
    with scope(tenant):
        Exemption.objects.create(
            covers=key, covers_kind=kind, reason="test", until=until, made_at=timezone.now()
        )


def test_a_full_read(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    azure.resource("vm-Anna", YES)
    azure.resource("kv", {"Monitored": "FALSE"}, VAULT)
    azure.resource("net", None, NET)
    set_rule(customer, ignored_types=["microsoft.network/*"])
    run = read(customer)
    assert (run.error, run.reading.resources, run.reading.is_complete) == ("", 3, True)
    assert states(customer) == {
        "virtualmachines": ("watched", "tag"),
        "vaults": ("unwatched", "other_value"),
        "virtualnetworks": ("ignored", "type"),
    }
    again = Tenant.objects.get(pk=customer.pk)
    assert (again.coverage["watched"], again.coverage["unwatched"]) == (1, 1)
    assert again.next_inventory_at > timezone.now()
    with scope(customer):
        row = AzureSubscription.objects.get()
        assert row.plans["VirtualMachines"] is True
        assert row.plans["KeyVaults"] is False
        assert row.log_settings == 1


def test_the_second_read_changes_nothing(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    azure.resource("vm")
    set_rule(customer)
    read(customer)
    with scope(customer):
        before = AzureResource.objects.values("pseudonym", "first_seen_at", "changed_at").get()
        finding = Finding.objects.values("public_id", "changed_at").get()
    run = read(customer)
    with scope(customer):
        assert AzureResource.objects.values(*before).get() == before
        assert Finding.objects.values(*finding).get() == finding
    assert run.settled.opened == run.settled.changed == run.settled.closed == ()


def test_a_resource_is_the_entity_of_alerts(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    key = azure.resource("SRV-01", group="RG-Prod")
    evidence = {
        "@odata.type": "#microsoft.graph.security.azureResourceEvidence",
        "resourceId": key.upper(),
    }
    read(customer)
    page = prepare_page([alert("a-1", evidence)], pseudonymiser_for(customer))
    (entity,) = page.alerts[0].entities
    with scope(customer):
        assert AzureResource.objects.get().pseudonym in entity.identities


def test_pages(azure: Azure, customer: Tenant) -> None:
    azure.control.fill_azure(azure.directory, 2_300, subscriptions=3)
    set_rule(customer)
    run = read(customer)
    assert run.reading.resources == stored(customer) == 2_300
    assert azure.count(family="resourceGraph") == 3
    assert sum(run.tally.states.values()) == 2_300


def test_inheritance(azure: Azure, customer: Tenant) -> None:
    azure.subscription(tags={"MONITORED": "true"})
    azure.group("rg-a", YES)
    azure.resource("one", None, VM, "RG-A")
    azure.resource("two", {"env": "x"}, VAULT, "rg-b")
    azure.resource("three", {"monitored": "no"}, NET, "rg-a")
    set_rule(customer, from_group=True)
    read(customer)
    assert states(customer) == {
        "virtualmachines": ("watched", "group_tag"),
        "vaults": ("unwatched", "missing"),
        "virtualnetworks": ("unwatched", "other_value"),
    }
    set_rule(customer, from_group=True, from_subscription=True)
    read(customer)
    assert states(customer)["vaults"] == ("watched", "subscription_tag")


def test_without_a_rule_nobody_is_blamed(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    azure.resource("vm")
    run = read(customer)
    assert states(customer) == {"virtualmachines": ("unknown", "no_rule")}
    assert run.settled.opened == ()


def test_what_has_gone_is_forgotten_and_moves_are_new(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    old = azure.resource("vm", group="rg-a")
    exempt(customer, old, timezone.now() + timedelta(days=1))
    set_rule(customer)
    read(customer)
    assert states(customer) == {"virtualmachines": ("exempt", "exempt")}
    azure.drop(old)
    azure.resource("vm", group="rg-b")
    read(customer)
    assert stored(customer) == 1
    assert states(customer) == {"virtualmachines": ("unwatched", "no_tags")}


def test_an_exemption_of_a_group_ends(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    azure.resource("vm", group="RG-Test")
    ends = timezone.now() + timedelta(minutes=30)
    group = f"/subscriptions/{SUBSCRIPTION}1/resourceGroups/rg-test"
    exempt(customer, group, ends, "group")
    set_rule(customer)
    read(customer)
    assert states(customer) == {"virtualmachines": ("exempt", "exempt")}
    # The next read is due when it ends, and is a full one.
    row = Tenant.objects.get(pk=customer.pk)
    assert row.next_inventory_at == ends
    assert is_full_due(row, ends)
    assert not is_full_due(row, ends - timedelta(seconds=1))
    run_inventory(row, ends)
    assert states(customer) == {"virtualmachines": ("unwatched", "expired")}


class TestFindings:
    def test_one_a_kind_that_closes_by_itself(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        first = azure.resource("vm-1")
        azure.resource("vm-2")
        azure.resource("kv", None, VAULT)
        set_rule(customer)
        run = read(customer)
        assert len(run.settled.opened) == 2
        with scope(customer):
            found = Finding.objects.get(key="microsoft.compute")
            assert found.facts["count"] == 2
            assert found.summary == "2 Azure resources are not watched: microsoft.compute"
        with granted([customer.pk]):
            assert FindingEntry.objects.filter(closed_at=None).count() == 2
        azure.resource("vm-1", YES)
        assert len(read(customer).settled.changed) == 1
        azure.drop(f"{first[:-1]}2")
        azure.resource("kv", YES, VAULT)
        assert len(read(customer).settled.closed) == 2
        with scope(customer):
            assert not Finding.objects.filter(closed_at=None).exists()

    def test_half_a_read_opens_and_closes_nothing(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        azure.resource("vm")
        set_rule(customer)
        read(customer)
        azure.clear()
        run = read(customer)
        assert run.error == NO_SUBSCRIPTION
        assert run.settled.closed == ()
        assert stored(customer) == 1


class TestFaults:
    def test_no_role(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        azure.control.configure(azure.directory, azure_reader=False)
        run = read(customer)
        assert run.error == NO_SUBSCRIPTION
        assert Tenant.objects.get(pk=customer.pk).coverage["problem"] == NO_SUBSCRIPTION

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 403},
            {"kind": "status", "status": 400},
            {"kind": "status", "status": 200, "body": {"data": [], "resultTruncated": "true"}},
            {
                "kind": "status",
                "status": 200,
                "body": {"data": [{"id": 5}, 7, None], "error": {"code": "X"}},
            },
            {"kind": "status", "status": 200, "body": {"value": []}},
        ],
    )
    def test_the_listing_stands_in(self, azure: Azure, customer: Tenant, fault) -> None:
        azure.subscription(1)
        azure.subscription(2)
        azure.resource("vm", YES)
        azure.resource("kv", None, VAULT, number=2)
        azure.group("rg", {"monitored": "true"}, 2)
        set_rule(customer, from_group=True)
        azure.control.fault(**fault, service="arm", path="ResourceGraph", count=-1)
        run = read(customer)
        assert (run.error, run.reading.by_listing) == ("", 2)
        assert states(customer) == {
            "virtualmachines": ("watched", "tag"), "vaults": ("watched", "group_tag")
        }  # fmt: skip

    def test_one_subscription_that_can_not_be_read(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription(1)
        azure.subscription(2)
        azure.resource("vm", YES)
        kept = azure.resource("kv", YES, VAULT, number=2)
        set_rule(customer)
        read(customer)
        azure.drop(kept)
        azure.control.fault("status", status=403, service="arm", path="ResourceGraph", count=-1)
        azure.control.fault("status", status=403, service="arm", path="2/resources", count=-1)
        run = read(customer)
        assert "403" in run.error
        assert not run.reading.is_complete
        assert stored(customer) == 2  # nobody knows, so nothing is forgotten
        with scope(customer):
            assert AzureSubscription.objects.exclude(problem="").count() == 1

    def test_settings_that_can_not_be_read(self, azure: Azure, customer: Tenant) -> None:
        key = azure.subscription()
        azure.control.add_rows(
            azure.directory, "azure_settings",
            {"subscriptionId": key, "denied": ["pricings", "diagnosticSettings"]},
        )  # fmt: skip
        assert read(customer).error == ""
        with scope(customer):
            row = AzureSubscription.objects.get()
            assert (row.plans, row.log_settings) == (None, None)

    def test_an_outage_leaves_what_is_known(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        azure.resource("vm")
        set_rule(customer)
        read(customer)
        azure.control.fault("garbage", service="arm", count=-1)
        run = read(customer)
        assert run.error
        assert stored(customer) == 1
        with scope(customer):
            assert InventoryRead.objects.first().problem

    def test_killed_between_pages(self, azure: Azure, customer: Tenant) -> None:
        """A read that never ended leaves nothing that the next one has to mend."""
        azure.control.fill_azure(azure.directory, 1_500, subscriptions=1)
        set_rule(customer)
        azure.control.fault("status", status=500, service="arm", path="ResourceGraph", skip=1,
                            count=-1)  # fmt: skip
        assert read(customer).error
        assert 0 < stored(customer) < 1_500
        azure.control.clear_faults()
        assert read(customer).error == ""
        assert stored(customer) == 1_500


class TestChanges:
    def test_what_changed_is_looked_at_alone(self, azure: Azure, customer: Tenant) -> None:
        azure.control.fill_azure(azure.directory, 1_200, subscriptions=1)
        azure.subscription()
        gone = azure.resource("gone")
        azure.resource("vm", None, VAULT)
        set_rule(customer)
        read(customer)
        azure.control.forget_requests()
        azure.drop(gone)
        azure.resource("vm", YES, VAULT)
        azure.resource("new", YES, NET)
        run = read(customer, is_full=False)
        assert (run.reading.is_full, run.reading.is_complete) == (False, True)
        assert azure.count(family="resourceGraph") == 2
        assert stored(customer) == 1_202
        key = pseudonymiser_for(customer).pseudonym("cloud_resource", f"arm:{gone}")
        with scope(customer):
            assert not AzureResource.objects.filter(pseudonym=key).exists()

    def test_tags_from_above_need_a_full_read(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        set_rule(customer, from_group=True)
        read(customer)
        now = timezone.now()
        assert read_changes(customer, arm_for(customer), pseudonymiser_for(customer), now) is None
        assert read(customer, is_full=False).reading.is_full

    def test_without_the_table_it_is_read_whole(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        set_rule(customer)
        read(customer)
        azure.control.fault("status", status=400, service="arm", path="ResourceGraph")
        assert read(customer, is_full=False).reading.is_full

    def test_hostile_ids_stay_texts(self, azure: Azure, customer: Tenant) -> None:
        azure.subscription()
        azure.resource("it's \\ ' or '1'=='1", YES)
        azure.resource("other", None, VAULT)
        set_rule(customer)
        read(customer)
        assert read(customer, is_full=False).error == ""
        assert stored(customer) == 2


def test_a_rotated_key_renames_rows(simulator, azure: Azure, customer: Tenant) -> None:
    import base64

    azure.subscription()
    azure.resource("vm")
    set_rule(customer)
    read(customer)
    with scope(customer):
        before = AzureResource.objects.get()
    kept = simulator.control.secret_versions("csc-pseudonym-key")
    simulator.control.set_secret(
        "csc-pseudonym-key", base64.b64encode(uuid.uuid4().bytes * 2).decode()
    )
    try:
        vault().forget("csc-pseudonym-key")
        read(customer)
        with scope(customer):
            after = AzureResource.objects.get()
        assert after.pseudonym != before.pseudonym
        assert after.first_seen_at == before.first_seen_at
    finally:
        simulator.control.set_secret("csc-pseudonym-key", kept[-1]["value"])
        vault().forget("csc-pseudonym-key")


def test_another_tenant_sees_nothing(azure: Azure, customer: Tenant, qatest: Tenant) -> None:
    azure.subscription()
    azure.resource("vm")
    set_rule(customer)
    read(customer)
    with scope(qatest):
        assert not AzureResource.objects.exists()
        with connection.cursor() as cursor, pytest.raises(Exception, match="permission denied"):
            cursor.execute(f"SELECT 1 FROM {customer.schema_name}.posture_azureresource")
