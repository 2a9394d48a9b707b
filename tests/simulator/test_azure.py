"""Azure Resource Manager and Resource Graph."""

from typing import Any

import pytest

from simulator import Simulator
from tests.simulator.conftest import Caller

VERSION = {"api-version": "2022-12-01"}


@pytest.fixture(scope="module")
def azure(sim: Simulator) -> Caller:
    return Caller(sim, sim.tenants[0]["slug"], audience="https://management.azure.com")


def values(azure: Caller, path: str, **params: str) -> list[dict[str, Any]]:
    return list(azure.get(path, **VERSION, **params).json()["value"])


def test_subscriptions_and_resources(azure: Caller) -> None:
    first, second = values(azure, "/subscriptions")
    path = f"{first['id']}/resources"
    rows = values(azure, path, **{"$expand": "createdTime,provisioningState"})
    assert len(rows) == 14
    assert all("createdTime" in row and "changedTime" not in row for row in rows)
    assert any("tags" not in row for row in rows)
    by_tag = values(azure, path, **{"$filter": "tagName eq 'MONITORED' and tagValue eq 'true'"})
    assert by_tag
    assert not any("tags" in row for row in by_tag)
    assert values(azure, f"{second['id']}/resourcegroups")
    page = azure.get(path, **VERSION, **{"$top": "5"}).json()
    rest = azure.request("GET", page["nextLink"].removeprefix(azure.sim.url)).json()
    assert len(page["value"]) == len(rest["value"]) == 5


def test_errors(sim: Simulator, azure: Caller, empty: Caller) -> None:
    assert azure.get("/subscriptions").json()["error"]["code"] == "MissingApiVersionParameter"
    wrong = Caller(sim, azure.directory).get("/subscriptions", **VERSION)
    assert wrong.status_code == 401
    assert "WWW-Authenticate" in wrong.headers
    nowhere = azure.get("/subscriptions/aaaabbbb-0000-cccc-1111-dddd2222eeee/resources", **VERSION)
    assert nowhere.json()["error"]["code"] == "SubscriptionNotFound"
    sim.control.configure(azure.directory, azure_reader=False)
    try:
        assert values(azure, "/subscriptions") == []
    finally:
        sim.control.configure(azure.directory, azure_reader=True)


def ask(azure: Caller, query: str, **more: Any) -> dict[str, Any]:
    path = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
    found = azure.request("POST", path, json={"query": query, **more})
    return dict(found.json())


def test_resource_graph_finds_what_is_not_monitored(azure: Caller) -> None:
    query = (
        "Resources | where isnull(tags['monitored'])"
        " or tolower(tostring(tags['monitored'])) != 'true'"
        " | project id, name, type, location, resourceGroup, subscriptionId, tenantId, tags"
    )
    found = ask(azure, query)
    names = {row["name"] for row in found["data"]}
    assert {"kv-legacy", "vm-test-07", "SRV-SQL01"} <= names
    assert "web-prod-01" not in names
    assert found["totalRecords"] == found["count"]
    assert found["resultTruncated"] == "false"


def test_resource_graph_pages_and_refuses(azure: Caller) -> None:
    first = ask(azure, "Resources | project id, name", options={"$top": 10})
    token = {"$top": 10, "$skipToken": first["$skipToken"]}
    second = ask(azure, "Resources | project id, name", options=token)
    ids = [row["id"] for row in first["data"] + second["data"]]
    assert len(set(ids)) == first["totalRecords"] == 17
    without_id = ask(azure, "Resources | project name", options={"$top": 10})
    assert "$skipToken" not in without_id
    assert without_id["resultTruncated"] == "true"
    counted = ask(azure, "Resources | where type =~ 'Microsoft.KeyVault/vaults' | count")
    assert counted["data"] == [{"Count": 2}]
    assert ask(azure, "Resources | join kind=inner (x) on id")["error"]["code"] == "InvalidQuery"
    assert ask(azure, "resourcecontainers | summarize count() by type")["data"][0]["count_"] == 2
