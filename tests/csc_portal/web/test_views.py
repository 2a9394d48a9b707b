"""Saved views, chosen columns, the scope by groups, the menu's choices."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from alerts import triage
from alerts.models import Case
from csc_portal.columns import COLUMNS, FIRST, chosen
from csc_portal.views import MOST_OWN, MOST_SHOWN
from tenants.models import Grant, QueueEntry, SavedView, Tenant, TenantGroup, User
from tenants.scope import scope
from tests.csc_portal.web.conftest import World


def keep(client, name: str = "Mine", query: str = "severity=high", **fields: object):
    return client.post("/queue/views/", {"name": name, "query": query, **fields})


def headings(client, address: str = "/") -> list[str]:
    table = client.get(address).content.decode().partition('id="queue-table"')[2]
    table = table.partition("</thead>")[0]
    return re.findall(r'<th class="col-(\w+)"', table)[1:]


def preferences(client) -> dict[str, object]:
    return User.objects.get(pk=client.person.pk).preferences


class TestViews:
    def test_a_view_keeps_filter_and_order_but_no_tenants(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        answer = keep(client, query="tenant=qa&severity=high&sort=due&since=2026-11-20T08:00:00Z")
        view = SavedView.objects.get()
        assert view.query == "severity=high&sort=due"
        assert f"view={view.public_id}" in answer.headers["Location"]
        shown = client.get(answer.headers["Location"]).content.decode()
        assert re.search(r'class="view-tab is-on"[^>]*>\s*Mine', shown)

    def test_the_queue_opens_with_the_default(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        keep(client, is_default="yes")
        key = str(SavedView.objects.get().public_id)
        assert client.get("/").headers["Location"] == f"/?severity=high&view={key}"
        assert client.get("/?tenant=qa").headers["Location"].endswith("&tenant=qa")
        assert client.get("/?view=any").status_code == 200
        assert client.get("/?severity=low").status_code == 200
        client.post(f"/queue/views/{key}/forget/")
        assert client.get("/").status_code == 200

    def test_a_shared_view_is_for_the_provider_alone(self, sign_in, world: World) -> None:
        lead = sign_in("lead")
        keep(lead, "Of the night shift", is_shared="yes")
        shown = [
            "Of the night shift" in client.get("/").content.decode()
            for client in (
                lead,
                sign_in("analyst", world.tenants["qa"]),
                sign_in("customer_ciso", world.tenants["qa"]),
                sign_in("customer_admin", world.tenants["qa"]),
            )
        ]
        assert shown == [True, True, False, False]

    def test_those_of_colleagues_crowd_none_of_ones_own_out(self, sign_in, world: World) -> None:
        lead, other = sign_in("lead").person, sign_in("admin")
        SavedView.objects.bulk_create(
            SavedView(owner=lead, name=f"Shift {number}", query="", is_shared=True)
            for number in range(MOST_SHOWN)
        )
        keep(other, "Of my own")
        shown = [other.get("/?view=any").content.decode() for _ in range(2)]
        assert "Of my own" in shown[1], "without the message that it is kept"

    def test_only_leads_share(self, sign_in, world: World) -> None:
        analyst = sign_in("analyst", world.tenants["qa"])
        keep(analyst, is_shared="yes")
        assert not SavedView.objects.exists()
        assert "is_shared" not in analyst.get("/").content.decode()

    def test_nobody_changes_a_view_of_another(self, sign_in, world: World) -> None:
        lead, other = sign_in("lead"), sign_in("admin")
        keep(lead, is_shared="yes")
        view = SavedView.objects.get()
        keep(other, "Taken", view=str(view.public_id))
        assert other.post(f"/queue/views/{view.public_id}/forget/").status_code == 404
        assert SavedView.objects.get().name == "Mine"

    @pytest.mark.parametrize("name", ["", " ", "x" * 41])
    def test_a_view_needs_a_name(self, name: str, sign_in, world: World) -> None:
        keep(sign_in("admin"), name)
        assert not SavedView.objects.exists()

    def test_names_and_numbers_are_bounded(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        for number in range(MOST_OWN + 3):
            keep(client, f"View {number}")
        keep(client, "view 1")
        assert SavedView.objects.count() == MOST_OWN

    def test_a_hostile_name_stays_text(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        keep(client, "<script>alert(1)</script>")
        assert "<script>alert" not in client.get("/").content.decode()

    def test_tabs_and_filters_get_their_counts(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        keep(client, query="severity=high")
        key = SavedView.objects.get().public_id
        text = client.get("/queue/tallies/").content.decode()
        assert re.search(rf'id="tab-{key}"[^>]*>3<', text)
        assert re.search(r'id="count-assignee-none"[^>]*>9<', text)
        assert re.search(r'id="count-vip-yes"[^>]*>0<', text)
        assert re.search(r'id="count-source-microsoftdefenderxdr"[^>]*>9<', text)

    def test_colleagues_with_cases_are_named_but_not_to_customers(
        self, sign_in, world: World
    ) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        lead = sign_in("lead", tenant, name="anna.lead").person
        with scope(tenant):
            version = Case.objects.get(pk=case.pk).version
            triage.assign(tenant.pk, {case.pk: version}, actor_id=lead.pk, assignee_id=lead.pk)
        client = sign_in("analyst", tenant)
        text = client.get("/queue/tallies/").content.decode()
        assert re.search(rf'href="[^"]*assignee={lead.pk}"', text)
        assert re.search('<span class="facet-label"[^>]*>anna.lead</span>', text)
        page = client.get(f"/?assignee={lead.pk}").content.decode()
        assert page.count('<tr id="case-') == 1
        assert "is no assignee" in client.get("/?assignee=0").content.decode()
        customer = sign_in("customer_ciso", tenant)
        assert f"assignee={lead.pk}" not in customer.get("/queue/tallies/").content.decode()


class TestColumns:
    def test_columns_are_kept_in_order(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        assert headings(client) == list(FIRST)
        wanted = ["age", "title", "sla", "source", "verdict", "assignee"]
        client.post("/queue/columns/", {"column": wanted})
        assert headings(client) == wanted
        row = client.get("/").content.decode().partition('<tr id="case-')[2].partition("</tr>")[0]
        assert re.findall(r'<td class="col-(\w+)"', row)[1:] == wanted
        client.post("/queue/columns/", {"reset": "yes"})
        assert headings(client) == list(FIRST)

    def test_a_view_may_have_its_own(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        client.post("/queue/columns/", {"column": ["title", "age"]})
        keep(client, columns="yes")
        key = SavedView.objects.get().public_id
        client.post("/queue/columns/", {"column": ["title", "sla"], "query": ""})
        assert headings(client, f"/?severity=high&view={key}") == ["title", "age"]
        assert headings(client) == ["title", "sla"]
        client.post("/queue/columns/", {"column": ["title"], "query": f"view={key}"})
        assert headings(client, f"/?view={key}") == ["title"]
        assert headings(client) == ["title", "sla"]

    def test_who_may_share_no_more_changes_no_shared_view(self, sign_in, world: World) -> None:
        client = sign_in("lead")
        keep(client, is_shared="yes", columns="yes")
        Grant.objects.filter(user=client.person).update(role="analyst")
        fields = {"column": ["title"], "query": f"view={SavedView.objects.get().public_id}"}
        text = client.post("/queue/columns/", fields, follow=True).content.decode()
        assert "Your role may not share views." in text
        assert SavedView.objects.get().columns != ["title"]

    def test_live_rows_have_the_columns_of_the_page(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        text = client.get("/queue/changes/?seen=1:1:&columns=title+age").content.decode()
        row = text.partition('<tr id="case-')[2].partition("</tr>")[0]
        assert re.findall(r'<td class="col-(\w+)"', row) == ["check", "title", "age"]

    def test_unknown_ones_are_left_out(self) -> None:
        assert chosen([]) == chosen(["nonsense", 7]) == FIRST
        assert chosen(["age", "age", "severity"]) == ("title", "age", "severity")
        assert set(chosen(COLUMNS)) == set(COLUMNS)


class TestScope:
    @pytest.fixture
    def group(self, world: World) -> TenantGroup:
        group = TenantGroup.objects.create(slug="north", name="North")
        group.tenants.set([world.tenants["qa"], world.tenants["third"]])
        return group

    def test_a_group_narrows_every_page(self, sign_in, world: World, group) -> None:
        client = sign_in("admin", world.tenants["qa"], world.tenants["qatest"])
        client.post("/scope/", {"group_slug": "north", "next": "/?severity=any"})
        assert preferences(client)["groups"] == ["north"]
        for address in ("/", "/chain/", "/tenants/", "/health/", "/?group=north"):
            text = client.get(address).content.decode()
            assert "North" in text, address
            assert "QATEST" not in text.partition("<main")[2], address
            assert "THIRD" not in text, address
        everything = client.get("/?tenant=all").content.decode().partition("<main")[2]
        assert "QATEST" in everything

    def test_the_scope_is_in_the_address_and_survives(self, sign_in, world: World, group) -> None:
        client = sign_in("admin")
        answer = client.post("/scope/", {"slug": "qatest", "group_slug": "north", "next": "/"})
        assert answer.headers["Location"] == "/?tenant=qatest&group=north"
        assert 'href="/chain/?tenant=qatest&amp;group=north"' in client.get("/").content.decode()

    def test_a_group_of_others_does_not_exist(self, sign_in, world: World, group) -> None:
        client = sign_in("analyst", world.tenants["qatest"])
        text = client.get("/?group=north").content.decode()
        assert "You have no tenant" in text
        assert 'class="case-row' not in text
        assert "North" not in client.get("/scope/options/").content.decode()

    def test_a_customer_sees_no_groups(self, sign_in, world: World, group) -> None:
        client = sign_in("customer_ciso", world.tenants["qa"])
        assert "North" not in client.get("/scope/options/").content.decode()


class TestMenu:
    def test_a_page_is_found_by_its_name(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        for text, place in (("vulnerabilit", "/vulnerabilities/"), ("secure s", "/secure-score/")):
            found = client.post("/search/", {"text": text}, headers={"HX-Request": "true"})
            assert f'href="{place}"' in found.content.decode()

    def test_times_are_those_of_the_zone(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        client.post("/account/preference/", {"time_zone": "Asia/Tokyo"})
        client.post("/account/preference/", {"time_zone": "Nowhere/Land"})
        assert preferences(client)["time_zone"] == "Asia/Tokyo"
        assert "JST" in client.get("/").content.decode()
        assert 'value="Europe/Berlin"' in client.get("/account/zones/").content.decode()

    def test_an_hour_is_named_by_the_zone_and_a_day_of_utc_by_utc(
        self, sign_in, world: World
    ) -> None:
        now = timezone.now()
        with scope(world.tenants["qa"]):
            QueueEntry.objects.update(last_activity_at=now)
        client = sign_in("admin")
        client.post("/account/preference/", {"time_zone": "America/Sao_Paulo"})
        hours = client.get("/queue/hours/").content.decode()
        assert " -03:" in hours
        assert "UTC" not in hours
        days = client.get("/chain/trend/").content.decode()
        yesterday, before = now - timedelta(days=1), now - timedelta(days=7)
        assert f"{yesterday:%a} {yesterday.day} {yesterday:%b} UTC" in days
        assert f"{before:%a} {before.day} {before:%b} UTC" not in days

    def test_a_choice_leads_back_to_a_page_that_can_be_opened(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        asked = client.get("/entities/?pillar=device").content.decode()
        assert 'name="next" value="/entities/?pillar=device" data-address' in asked
        for page, back in (
            ("http://testserver/entities/?pillar=device", "/entities/?pillar=device"),
            ("https://evil.example/x", ""), ("http://[", ""), ("", ""),
        ):  # fmt: skip
            found = client.post("/search/", {"text": "x1"}, headers={"Referer": page})
            text = found.content.decode()
            assert f'name="next" value="{back}"' in text, page
            assert "data-address" not in text

    def test_the_tour_comes_once(self, sign_in, world: World) -> None:
        client = sign_in("admin")
        assert "data-tour" in client.get("/").content.decode()
        client.post("/account/preference/", {"tour": "done"})
        assert "data-tour" not in client.get("/").content.decode()
        client.post("/account/preference/", {"tour": "again"})
        assert "data-tour" in client.get("/").content.decode()


def test_a_first_admin_is_shown_the_way(sign_in, qa: Tenant, simulator) -> None:
    Tenant.objects.all().delete()
    assert "Onboard the first tenant" in sign_in("admin").get("/").content.decode()


def test_a_broken_feed_is_said(sign_in, qa: Tenant, simulator) -> None:
    Tenant.objects.filter(pk=qa.pk).update(state="active", failures=3)
    assert "read at the moment" in sign_in("admin", qa).get("/").content.decode()


def test_a_view_id_is_a_uuid_or_ignored(sign_in, world: World) -> None:
    client = sign_in("admin")
    for key in ("x", "1", str(uuid.uuid4()), "any"):
        assert client.get(f"/?view={key}").status_code == 200
