"""security/alerts_v2: list, options, paging, header, writes, errors."""

import time
from typing import Any

import pytest

from simulator import Simulator
from tests.simulator.conftest import Caller, plain_alert

ALERTS = "/v1.0/security/alerts_v2"


def test_pages_give_each_alert_once_newest_first(graph: Caller) -> None:
    rows = graph.values(ALERTS, **{"$top": "7"})
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)) == len(graph.sim.control.alerts(graph.directory))
    dates = [row["createdDateTime"] for row in rows]
    assert dates == sorted(dates, reverse=True)
    assert all(row["tenantId"] == row["alertWebUrl"].partition("tid=")[2] for row in rows)


def test_paging_survives_arrivals_and_updates(sim: Simulator, empty: Caller) -> None:
    rows = [
        plain_alert(f"da{n}", createdDateTime=f"2026-11-20T08:{n:02d}:00.0000000Z")
        for n in range(9)
    ]
    sim.control.add_alerts(empty.directory, rows)
    first = empty.get(ALERTS, **{"$top": "4"}).json()
    sim.control.add_alert(
        empty.directory, plain_alert("dax", createdDateTime="2026-11-21T08:00:00Z")
    )
    sim.control.change_alert(empty.directory, "da8", title="changed")
    rest = empty.request("GET", first["@odata.nextLink"].removeprefix(sim.url)).json()
    assert [row["id"] for row in first["value"]] == ["da8", "da7", "da6", "da5"]
    assert [row["id"] for row in rest["value"]] == ["da4", "da3", "da2", "da1"]


def test_filter_by_date_of_change_finds_what_changed(sim: Simulator, empty: Caller) -> None:
    sim.control.add_alerts(empty.directory, [plain_alert("old"), plain_alert("changed")])
    changed = sim.control.change_alert(empty.directory, "changed", severity="high")
    since = {"$filter": f"lastUpdateDateTime ge {changed['lastUpdateDateTime']}"}
    assert [row["id"] for row in empty.values(ALERTS, **since)] == ["changed"]
    counted = empty.get(ALERTS, **{"$count": "true", "$top": "1"}).json()
    assert counted["@odata.count"] == 2


@pytest.mark.parametrize(
    "params",
    [
        {"$orderby": "createdDateTime"},
        {"$select": "id"},
        {"$search": "x"},
        {"$top": "-1"},
        {"$top": "many"},
        {"$filter": "title eq 'x'"},
        {"$filter": "severity eq high"},
        {"$skiptoken": "nonsense"},
    ],
)
def test_refused_options(graph: Caller, params: dict[str, str]) -> None:
    found = graph.get(ALERTS, **params)
    error = found.json()["error"]
    assert (found.status_code, error["code"]) == (400, "BadRequest")
    assert error["innerError"]["request-id"]


def test_newer_enum_members_need_the_header(graph: Caller) -> None:
    query = {"$filter": "serviceSource eq 'microsoftSentinel'", "$top": "1"}
    assert graph.get(ALERTS, **query).json()["value"][0]["serviceSource"] == "microsoftSentinel"
    bare = graph.request("GET", ALERTS, params=query).json()["value"][0]
    assert bare["serviceSource"] == "unknownFutureValue"
    assert bare["detectionSource"] == "unknownFutureValue"


def test_update_is_validated_and_moves_the_date(sim: Simulator, empty: Caller) -> None:
    sim.control.add_alert(empty.directory, plain_alert("da1"))
    path = f"{ALERTS}/da1"
    body = {
        "status": "resolved",
        "classification": "falsePositive",
        "determination": "notMalicious",
    }
    found = empty.request("PATCH", path, json={**body, "customDetails": {"case": "C-1"}}).json()
    assert found["status"] == "resolved"
    assert found["lastUpdateDateTime"] > "2026-11-20T08:00:01.1234567Z"
    assert found["resolvedDateTime"]
    assert found["title"]
    for wrong in (
        {"status": "closed"},
        {"severity": "high"},
        {"determination": "compromisedUser"},
        {"customDetails": {"n": 1}},
        {},
        [],
    ):
        assert empty.request("PATCH", path, json=wrong).status_code == 400
    assert empty.request("PATCH", f"{ALERTS}/none", json=body).status_code == 404


def test_comments_answer_with_all_comments(sim: Simulator, empty: Caller) -> None:
    sim.control.add_alert(empty.directory, plain_alert("da1"))
    body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": "Ticket 7"}
    empty.request("POST", f"{ALERTS}/da1/comments", json=body)
    found = empty.request("POST", f"{ALERTS}/da1/comments", json=body).json()
    assert [row["comment"] for row in found["value"]] == ["Ticket 7", "Ticket 7"]
    assert found["value"][0]["createdByDisplayName"] == "API-App:CSC Portal"


def test_tokens_and_roles_are_checked(sim: Simulator, graph: Caller) -> None:
    slug = graph.directory

    def status(**token: Any) -> tuple[int, str]:
        found = Caller(sim, slug, **token).get(ALERTS)
        return found.status_code, found.json()["error"]["code"]

    assert status(lifetime_s=-10) == (401, "InvalidAuthenticationToken")
    assert status(audience="https://management.azure.com") == (401, "InvalidAuthenticationToken")
    assert status(roles=["AuditLog.Read.All"]) == (403, "Forbidden")
    reader = Caller(sim, slug, roles=["SecurityAlert.Read.All"])
    assert reader.get(ALERTS, **{"$top": "1"}).status_code == 200
    some = graph.get(ALERTS, **{"$top": "1"}).json()["value"][0]["id"]
    refused = reader.request("PATCH", f"{ALERTS}/{some}", json={"status": "new"})
    assert "API required roles: SecurityAlert.ReadWrite.All" in refused.text


def test_directories_do_not_share_data(sim: Simulator, graph: Caller) -> None:
    other = Caller(sim, sim.tenants[1]["slug"])
    mine = {row["id"] for row in graph.values(ALERTS)}
    assert not mine & {row["id"] for row in other.values(ALERTS)}


def test_ten_thousand_alerts_come_in_quick_pages(sim: Simulator, empty: Caller) -> None:
    sim.control.add_rows(empty.directory, "users", [])
    sim.control.fill(empty.directory, 10_000)
    query = {"$filter": "lastUpdateDateTime ge 2020-01-01T00:00:00Z", "$top": "100"}
    link, took, ids = empty.get(ALERTS, **query).json()["@odata.nextLink"], [], set()
    for _ in range(20):
        started = time.perf_counter()
        page = empty.request("GET", link.removeprefix(sim.url))
        took.append(time.perf_counter() - started)
        ids |= {row["id"] for row in page.json()["value"]}
        link = page.json()["@odata.nextLink"]
    assert len(ids) == 2000
    assert min(took) < 0.05  # of a busy machine, too, one is not held up
