"""Analytics as pages: added up over the tenants that one may see, and led to the queue."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from csc_portal.figure_charts import WIDTH, bars, columns, shares
from tenants.models import CaseFigure, Tenant
from tenants.scope import scope
from tests.csc_portal.web.conftest import SECRET, World

TABS = ("detections", "times", "analysts", "sources", "entities")


def put(
    tenant: Tenant, topic: str, key: str, more: str = "", days: int = 30, **counts: int
) -> None:
    with scope(tenant):
        CaseFigure.objects.create(
            tenant_id=tenant.pk, topic=topic, days=days, key=key, more=more, **counts
        )


@pytest.fixture
def counted(world: World) -> World:
    """Figures of all three tenants; those of `third` have a title that nobody else may read."""
    for place, tenant in enumerate(world.tenants.values(), start=1):
        title = SECRET if tenant.slug == "third" else "Suspicious sign-in"
        judged = {"cases": 20 * place, "false_positive": 9 * place, "expected": place}
        put(tenant, "detection", title, "azureAdIdentityProtection", **judged)
        put(tenant, "detection", "Rare", "microsoftSentinel", cases=4, false_positive=4)
        put(tenant, "source", "azureAdIdentityProtection", **judged)
        put(tenant, "severity", "4", cases=10, triaged=4, triage_s=4 * 600, resolved=2,
            resolve_s=2 * 7200)  # fmt: skip
        put(tenant, "triage", "5", cases=4)
        put(tenant, "resolve", "13", cases=2)
        put(tenant, "day", timezone.now().date().isoformat(), cases=20 * place)
        put(tenant, "entity", str(world.entities[tenant.slug]), "user", cases=3)
    return world


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return unescape(answer.content.decode())


def cells(page: str, name: str) -> list[str]:
    """The words of the table's row with that name."""
    rows = re.findall(r"<tr>.*?</tr>", page, re.S)
    row = next(row for row in rows if name in row)
    found = [re.sub(r"<[^>]+>", " ", cell) for cell in re.findall(r"<td.*?</td>", row, re.S)]
    return [" ".join(cell.split()) for cell in found]


def test_figures_are_added_over_the_granted_tenants_alone(sign_in, counted: World) -> None:
    client = sign_in("analyst", counted.tenants["qa"], counted.tenants["qatest"])
    page = text(client, "/analytics/")
    assert cells(page, "Suspicious sign-in")[1:] == [
        "2", "60", "30", "27", "3", "0", "90 %", "74 to 97 %"
    ]  # fmt: skip
    assert "mostly false positives" in page
    for tab in TABS:
        for more in ("", "?tenant=third", "?by=tenant", "?days=7"):
            found = text(client, f"/analytics/{tab}/{more}")
            assert SECRET not in found
            assert "THIRD" not in found
            assert str(counted.entities["third"]) not in found


def test_each_tenant_by_itself(sign_in, counted: World) -> None:
    client = sign_in("analyst", counted.tenants["qa"], counted.tenants["qatest"])
    page = text(client, "/analytics/?by=tenant")
    rows = re.findall(r"Suspicious sign-in</a>.*?</tr>", page, re.S)
    assert [name for row in rows for name in ("QATEST", "QA") if f">{name}<" in row] == [
        "QATEST", "QA"  # more verdicts, surer
    ]  # fmt: skip
    one = text(client, "/analytics/?tenant=qa&by=tenant")
    assert cells(one, "Suspicious sign-in")[1:4] == ["1", "20", "10"]


def test_too_few_verdicts_say_nothing(sign_in, counted: World) -> None:
    assert "Rare" not in text(sign_in("analyst", counted.tenants["qa"]), "/analytics/")
    assert "Rare" in text(sign_in("admin"), "/analytics/")  # twelve of three tenants


def test_a_row_leads_to_its_cases(sign_in, counted: World) -> None:
    client = sign_in("analyst", counted.tenants["qa"], counted.tenants["qatest"])
    page = text(client, "/analytics/?tenant=qa")
    link = re.search(r'class="strong-link" href="(/\?[^"]+)"', page)
    assert link is not None
    queue = text(client, link[1])
    assert queue.count("data-row=") == queue.count("Suspicious sign-in</") or "3 cases" in queue
    for wanted in ("q=Suspicious+sign-in", "tenant=qa", "status=any", "severity=any",
                   "source=azureAdIdentityProtection"):  # fmt: skip
        assert wanted in link[1]
    assert f"{link[1]}&verdict=falsePositive" in page
    entities = text(client, "/analytics/entities/")
    assert f"entity={counted.entities['qa']}" in entities


def test_times_have_their_formulas(sign_in, counted: World) -> None:
    page = text(sign_in("analyst", counted.tenants["qa"]), "/analytics/times/")
    tiles = re.findall(r'tile-number">([^<]+)<', page)
    assert tiles == ["10 min", "8 min", "2.0 h", "2.5 h"]
    assert "÷ number of cases triaged" in page
    assert cells(page, ">High<")[1:7] == ["10", "0", "4", "10 min", "2", "2.0 h"]


def test_load_is_for_colleagues_only(sign_in, counted: World) -> None:
    worker = sign_in("analyst", counted.tenants["qa"], name="worker-ada")
    put(counted.tenants["qa"], "analyst", str(worker.person.pk), cases=7, open=2, resolved=5)
    put(counted.tenants["qa"], "analyst", "999999", cases=1)
    page = text(worker, "/analytics/analysts/")
    assert "worker-ada" in page
    assert "somebody who has gone" in page
    assert "assignee=me" in page
    ciso = sign_in("customer_ciso", counted.tenants["qa"])
    assert ciso.get("/analytics/analysts/").status_code == 404
    for tab in TABS:
        if tab != "analysts":
            found = text(ciso, f"/analytics/{tab}/")
            assert "worker-ada" not in found
            assert "Analysts" not in found


def test_how_far_the_lake_reaches_is_said(sign_in, counted: World) -> None:
    client = sign_in("analyst", counted.tenants["qa"], counted.tenants["qatest"])
    old = timezone.now() - timedelta(hours=5)
    Tenant.objects.filter(slug="qa").update(lake_until=old)
    page = text(client, "/analytics/")
    assert f"up to {old:%Y-%m-%d %H:%M}" in page
    assert "The lake of 1 tenant is behind" in page
    Tenant.objects.filter(slug="qa").update(lake_until=None)
    assert "Of 1 tenant nothing is in the lake yet" in text(client, "/analytics/")
    assert "The lake is empty" in text(client, "/analytics/?tenant=qa")
    assert "no tenant in scope" in text(client, "/analytics/?tenant=third")


@pytest.mark.parametrize("more", ["?days=x", "?days=365", "?by=x", "?tenant=third&days=7"])
def test_nonsense_shows_the_default(sign_in, counted: World, more: str) -> None:
    text(sign_in("analyst", counted.tenants["qa"]), f"/analytics/{more}")


def test_there_is_no_other_tab(sign_in, counted: World) -> None:
    assert sign_in("admin").get("/analytics/everything/").status_code == 404


def test_pictures_stay_within_their_frame() -> None:
    long = "A very long name of a detection that nobody could ever read in one line"
    drawn = bars([(long, 7, "7"), ("b", 0, "0")])
    assert drawn.rows[0].label.endswith("…")
    assert drawn.rows[0].full == long
    assert all(bar.width > 0 and bar.end < WIDTH for bar in drawn.rows)
    spread = shares([("a", 0.5, (0.0, 1.0), "1 of 2")])
    assert spread.rows[0].x < spread.rows[0].dot < spread.rows[0].end < WIDTH
    made = columns([(str(place), str(place), place) for place in range(90)])
    assert made.columns[-1].x + made.columns[-1].width <= WIDTH
    assert sum(bool(one.mark) for one in made.columns) <= 8
    assert columns([]).total == columns([("a", "a", 0)]).most == 0
