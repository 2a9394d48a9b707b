"""All of a case in one answer, the search for alerts, and how open cases are made up."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.models import Decision
from tenants.scope import scope
from tests.csc_portal.web.conftest import World, fill
from ticketing.models import Ticket


def test_a_file_holds_what_the_page_shows(key_of, world: World) -> None:
    caller = key_of()
    case = world.cases["qa"]
    started = caller.post(f"cases/{case.public_id}/actions", {"do": "start"})
    assert started.status_code == 200
    with scope(world.tenants["qa"]):
        Ticket.objects.create(case=case, system="freshservice", external_id="7", covers_growth=1)
        Decision.objects.create(
            case=case, outcome="raised", basis="doubt", priority=1, reasons=[["late", "Too late."]]
        )
    with CaptureQueriesContext(connection) as captured:
        file = caller.get(f"cases/{case.public_id}/file").json()
    assert file["case"]["id"] == str(case.public_id)
    assert [link["pillar"] for link in file["chain"]] == ["identity", "device", "infrastructure"]
    [person] = file["chain"][0]["entities"]
    assert (person["kind"], person["alert_count"], person["is_tie"]) == ("user", 1, True)
    [alert] = file["alerts"]
    assert person["id"] in [one["id"] for one in alert["entities"]]
    assert {step["kind"] for step in file["timeline"]} >= {"alert", "opened", "started"}
    mine = next(step for step in file["timeline"] if step["kind"] == "started")
    assert (mine["stream"], mine["by"]["id"]) == ("people", caller.key.owner_id)
    reported = next(step for step in file["timeline"] if step["kind"] == "alert")
    assert reported["source_ref"] == alert["source_ref"]
    assert file["ticket"]["external_id"] == "7"
    assert file["decisions"][0]["reasons"] == [{"code": "late", "detail": "Too late."}]
    assert {file["ticket"]["case"], file["decisions"][0]["case"]} == {str(case.public_id)}
    assert len(captured) == 19


def test_alerts_are_walked_page_by_page(key_of, world: World) -> None:
    caller = key_of(tenants=[world.tenants["qa"]])
    fill(world.tenants["qa"], 9)
    found, cursor = [], ""
    while True:
        page = caller.get(f"alerts/search?limit=4{cursor}").json()
        found += page["items"]
        if not page["next"]:
            break
        cursor = f"&cursor={page['next']}"
    assert len({alert["source_ref"] for alert in found}) == len(found) == 9
    high = caller.get("alerts/search?severity=high").json()["items"]
    assert {alert["severity"] for alert in high} == {"high"}
    assert 0 < len(high) < 9
    assert caller.get("alerts/search?source=nobody").json()["items"] == []
    for wrong in ("severity=red", "cursor=x", "since=then", "entity=x"):
        assert caller.get(f"alerts/search?{wrong}").status_code == 400, wrong


def test_facets_add_up(key_of, world: World) -> None:
    caller = key_of()
    facets = caller.get("cases/facets?tenant=qa").json()
    assert facets["open"] == sum(facets["severity"].values()) == 3
    assert facets["vip"] == {"no": 3}
    assert facets["pillar"]["identity"] == 3
    assert facets["is_exact"] is True
