"""Azure coverage on screen: counts, lists, names on demand, exemptions, files."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from posture.models import AzureResource, Exemption, WatchRule
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.posture.conftest import azure, contoso, customer
from tests.posture.lab import NET, SUBSCRIPTION, VAULT, Azure, read, set_rule

__all__ = ["azure", "contoso", "customer"]
YES = {"monitored": "true"}
TODAY = timezone.now().date()


@pytest.fixture
def filled(azure: Azure, customer: Tenant) -> Azure:
    azure.subscription()
    azure.resource("vm-anna-miller", YES)
    azure.resource("kv-secret-name", {"monitored": "=cmd()"}, VAULT, "rg-people")
    azure.resource("net-1", None, NET)
    set_rule(customer)
    read(customer)
    return azure


def texts(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def row_of(customer: Tenant, kind: str) -> AzureResource:
    with scope(customer):
        return AzureResource.objects.get(type=kind)


def test_the_pages_show_pseudonyms(sign_in, filled: Azure, customer: Tenant) -> None:
    viewer = sign_in("viewer", customer)
    listed = texts(viewer.get("/coverage/"))
    assert "33 %" in listed
    assert "1 Azure resource is not watched: microsoft.keyvault" in listed
    page = texts(viewer.get("/coverage/qa/"))
    assert "Watched is what carries monitored=true" in page
    assert "microsoft.keyvault/vaults" in page
    assert "It carries another value than the tag monitored=true." in page
    for secret in ("vm-anna-miller", "kv-secret-name", "rg-people", "cmd()", SUBSCRIPTION):
        assert secret not in listed + page
    assert "/coverage/qa/names/" not in viewer.get("/coverage/qa/").content.decode()
    assert "Exempt it" not in page


def test_filters(sign_in, filled: Azure, customer: Tenant) -> None:
    viewer = sign_in("viewer", customer)

    def count(query: str) -> int:
        return viewer.get(f"/coverage/qa/?{query}").content.decode().count('class="cover-mark')

    place = row_of(customer, "microsoft.network/virtualnetworks").subscription
    assert (count(""), count("state=any"), count("state=watched"), count("state=x")) == (2, 3, 1, 2)
    assert count("state=any&type=microsoft.keyvault/vaults") == 1
    assert count("type=nothing/here") == 0
    assert count(f"subscription={place}") == 2
    assert count("subscription=00000000-0000-4000-8000-000000000000") == 0
    assert count("state=any&new=1") == 0  # the first read is no news
    assert count("state=any&subscription=nonsense&after=nonsense") == 3


def test_new_since_yesterday(sign_in, filled: Azure, customer: Tenant) -> None:
    filled.resource("vm-new", None)
    read(customer)
    page = sign_in("viewer", customer).get("/coverage/qa/?state=any&new=1").content.decode()
    assert page.count('class="cover-mark') == 1
    assert Tenant.objects.get(pk=customer.pk).coverage["new_unwatched"] == 1


def test_names_are_read_live_and_recorded(sign_in, filled: Azure, customer: Tenant) -> None:
    analyst = sign_in("analyst", customer)
    answer = analyst.post("/coverage/qa/names/?state=any")
    assert answer.headers["Cache-Control"] == "no-store"
    shown = texts(answer)
    assert "vm-anna-miller" in shown
    assert "kv-secret-name" in shown
    assert "Contoso 1" in shown
    entry = audited().get(tenant=customer, action="names_shown")
    assert entry.facts == {"names": 4}
    assert "vm-anna-miller" not in texts(analyst.get("/coverage/qa/?state=any"))
    assert sign_in("viewer", customer).post("/coverage/qa/names/").status_code == 404


def test_names_without_azure(sign_in, filled: Azure, customer: Tenant) -> None:
    filled.control.fault("status", status=403, service="arm", count=-1)
    answer = sign_in("analyst", customer).post("/coverage/qa/names/")
    assert answer.status_code == 200
    assert "403" in texts(answer)


class TestExemptions:
    def make(self, client, covers: object, **more: str):
        until = f"{TODAY + timedelta(days=9)}"
        given = {"covers": str(covers), "reason": "test", "until": until, **more}
        return client.post("/coverage/qa/exempt/", given)

    def test_a_row(self, sign_in, filled: Azure, customer: Tenant) -> None:
        lead = sign_in("lead", customer)
        row = row_of(customer, "microsoft.keyvault/vaults")
        assert (
            str(row.pseudonym) in lead.get(f"/coverage/qa/?exempt={row.pseudonym}").content.decode()
        )
        assert self.make(lead, row.pseudonym).status_code == 302
        assert row_of(customer, row.type).state == "exempt"
        assert Tenant.objects.get(pk=customer.pk).next_inventory_at is None
        assert read(customer).tally.states["exempt"] == 1
        with scope(customer):
            made = Exemption.objects.get()
        facts = audited().get(tenant=customer, action="exemption_made").facts
        assert facts == {
            "kind": "resource", "reason": "test", "until": f"{TODAY + timedelta(days=9)}"
        }  # fmt: skip
        lead.post("/coverage/qa/exempt/", {"do": "end", "exemption": str(made.public_id)})
        assert row_of(customer, row.type).state == "unwatched"

    def test_a_group_by_its_id(self, sign_in, filled: Azure, customer: Tenant) -> None:
        lead = sign_in("lead", customer)
        typed = f"/subscriptions/{SUBSCRIPTION}1/resourceGroups/RG-People"
        assert self.make(lead, typed).status_code == 302
        assert row_of(customer, "microsoft.keyvault/vaults").state == "exempt"
        assert row_of(customer, "microsoft.network/virtualnetworks").state == "unwatched"
        with scope(customer):
            assert Exemption.objects.get().covers_kind == "group"
        assert "RG-People" not in lead.get("/coverage/qa/").content.decode()

    def test_what_another_covers_stays_exempt(
        self, sign_in, filled: Azure, customer: Tenant
    ) -> None:
        lead = sign_in("lead", customer)
        row = row_of(customer, "microsoft.keyvault/vaults")
        self.make(lead, row.pseudonym)
        self.make(lead, f"/subscriptions/{SUBSCRIPTION}1")
        with scope(customer):
            of_all = Exemption.objects.get(covers_kind="subscription")
        lead.post("/coverage/qa/exempt/", {"do": "end", "exemption": str(of_all.public_id)})
        assert row_of(customer, row.type).state == "exempt"
        assert row_of(customer, "microsoft.network/virtualnetworks").state == "unwatched"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("covers", "rg-people"),
            ("covers", "/subscriptions/x"),
            ("covers", ""),
            ("covers", "00000000-0000-4000-8000-000000000000"),
            ("until", "2020-01-01"),
            ("until", "2099-01-01"),
            ("until", "soon"),
            ("reason", "because Anna said so"),
        ],
    )
    def test_what_is_refused(self, sign_in, customer: Tenant, field: str, value: str) -> None:
        lead = sign_in("lead", customer)
        covers = value if field == "covers" else f"/subscriptions/{SUBSCRIPTION}1"
        more = {} if field == "covers" else {field: value}
        assert self.make(lead, covers, **more).status_code == 422
        with scope(customer):
            assert not Exemption.objects.exists()

    def test_who_may(self, sign_in, customer: Tenant) -> None:
        for role in ("viewer", "analyst", "customer_admin"):
            assert self.make(sign_in(role, customer), "x").status_code == 404
        lead = sign_in("lead", customer)
        gone = {"do": "end", "exemption": "00000000-0000-4000-8000-000000000000"}
        assert lead.post("/coverage/qa/exempt/", gone).status_code == 404


class TestRule:
    def save(self, client, **fields: str):
        return client.post("/tenants/qa/setup/coverage/", fields)

    def test_it_is_kept_and_read_again(self, sign_in, customer: Tenant) -> None:
        lead = sign_in("lead", customer)
        Tenant.objects.filter(pk=customer.pk).update(next_inventory_at=timezone.now())
        self.save(lead, tags="monitored = true, Yes\nsoc", from_group="on",
                  ignored_types="Microsoft.Insights/*")  # fmt: skip
        with scope(customer):
            row = WatchRule.objects.get()
        assert row.tags == [["monitored", ["true", "Yes"]], ["soc", []]]
        assert row.ignored_types == ["microsoft.insights/*"]
        assert Tenant.objects.get(pk=customer.pk).next_inventory_at is None
        page = lead.get("/tenants/qa/setup/coverage/").content.decode()
        assert "monitored = true, Yes" in page
        entry = audited().get(tenant=customer, action="watch_rule_changed")
        assert entry.facts == {"fields": ["from_group", "ignored_types", "tags"]}

    @pytest.mark.parametrize(
        "fields",
        [
            {"tags": "a/b = x"},
            {"tags": "hidden-title = x"},
            {"tags": "= x"},
            {"tags": "a = x\nA = y"},
            {"tags": "\n".join(f"t{number}" for number in range(11))},
            {"tags": "a", "ignored_types": "not a type"},
        ],
    )
    def test_what_is_refused(self, sign_in, customer: Tenant, fields: dict[str, str]) -> None:
        assert self.save(sign_in("lead", customer), **fields).status_code == 422
        with scope(customer):
            assert not WatchRule.objects.exists()


class TestFiles:
    def test_resources(self, sign_in, filled: Azure, customer: Tenant) -> None:
        answer = sign_in("viewer", customer).get("/coverage/qa/resources.csv?state=any")
        text = b"".join(answer.streaming_content).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        assert {row["state"] for row in rows} == {"watched", "unwatched"}
        assert len(rows) == 3
        assert "anna" not in text

    def test_no_formulas(self, sign_in, filled: Azure, customer: Tenant) -> None:
        set_rule(customer, tags=[["@SUM(1)", []]])
        Tenant.objects.filter(pk=customer.pk).update(coverage={"watched": "=1+1"})
        client = sign_in("viewer", customer)
        text = b"".join(client.get("/coverage/export.csv").streaming_content).decode()
        assert "'=1+1" in text


def test_many_resources_make_no_more_queries(sign_in, azure: Azure, customer: Tenant) -> None:
    viewer = sign_in("viewer", customer)

    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert viewer.get(path).status_code == 200
        return len(found)

    set_rule(customer)
    paths = ("/coverage/", "/coverage/qa/?state=any")
    for path in paths:
        queries(path)
    before = [queries(path) for path in paths]
    azure.control.fill_azure(azure.directory, 300, subscriptions=7)
    read(customer)
    assert [queries(path) for path in paths] == before
    page = viewer.get("/coverage/qa/?state=any").content.decode()
    (after,) = re.findall(r"after=([0-9a-f-]{36})", page)
    assert (
        viewer.get(f"/coverage/qa/?state=any&after={after}").content.decode().count("cover-mark")
        == 50
    )
