import json

import pytest
import responses

from clients.errors import BadPayload
from clients.http import Http
from clients.microsoft.azure import Arm
from clients.microsoft.clouds import endpoints
from tests.clients.microsoft.conftest import CountedTokens
from tests.clients.test_http import Recorder
from tests.payloads import load

ARM = "https://arm.example.com:9443"
QUERY = f"{ARM}/providers/Microsoft.ResourceGraph/resources"


@pytest.fixture
def arm(tokens: CountedTokens) -> Arm:
    return Arm(Http(ARM, governor=Recorder(), key="d"), tokens)


def test_subscriptions_and_resources(
    arm: Arm, mock: responses.RequestsMock, tokens: CountedTokens
) -> None:
    url = f"{ARM}/subscriptions"
    mock.get(url, json={"value": [1], "nextLink": f"{url}?p=2"})
    mock.get(f"{url}?p=2", json={"value": [2]})
    assert list(arm.subscription_pages()) == [[1], [2]]
    assert tokens.scopes[0] == "https://management.azure.com/.default"
    with pytest.raises(BadPayload):
        arm.resource_pages("../../x")


def test_query_pages_and_quota(arm: Arm, mock: responses.RequestsMock) -> None:
    first = load("microsoft/resourcegraph-objectarray-constructed")
    spent = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:05"}
    mock.post(QUERY, json=first, headers=spent)
    mock.post(QUERY, json={"data": [], "resultTruncated": "false"})
    assert list(arm.query("Resources", ["s1"])) == [first["data"], []]
    second = json.loads(mock.calls[1].request.body)
    assert second["options"]["$skipToken"] == first["$skipToken"]
    assert second["subscriptions"] == ["s1"]
    assert arm.http.governor.pauses == [5]


def test_query_over_many_subscriptions(arm: Arm, mock: responses.RequestsMock) -> None:
    mock.post(QUERY, json={"data": []})
    list(arm.query("Resources", [str(n) for n in range(301)]))
    sizes = [len(json.loads(call.request.body)["subscriptions"]) for call in mock.calls]
    assert sizes == [300, 1]
    list(arm.query("Resources"))
    assert "subscriptions" not in json.loads(mock.calls[2].request.body)


def test_query_that_goes_in_a_circle(arm: Arm, mock: responses.RequestsMock) -> None:
    mock.post(QUERY, json={"data": [], "$skipToken": "same"})
    with pytest.raises(BadPayload, match="circle"):
        list(arm.query("Resources"))


@pytest.mark.parametrize(
    "body", [{"resultTruncated": "true"}, {"errors": [{"code": "X"}]}, {"error": {"code": "X"}}]
)
def test_an_answer_that_is_not_whole(
    arm: Arm, mock: responses.RequestsMock, body: dict[str, object]
) -> None:
    mock.post(QUERY, json={"data": [{"id": "a"}], **body})
    with pytest.raises(BadPayload):
        list(arm.query("Resources"))


def test_endpoints() -> None:
    found = endpoints("usgov", {"MICROSOFT_GRAPH_URL": "https://127.0.0.1:8443/v1.0/"})
    assert found.graph == "https://127.0.0.1:8443"
    assert found.graph_scope == "https://graph.microsoft.us/.default"
    assert found.login == "https://login.microsoftonline.us"
    assert endpoints("public", {"MICROSOFT_LOGIN_URL": ""}).login.endswith("microsoftonline.com")
    with pytest.raises(ValueError, match="AZURE_CLOUD"):
        endpoints("mars", {})
    with pytest.raises(ValueError, match="https"):
        endpoints("public", {"MICROSOFT_LOGIN_URL": "http://127.0.0.1"})
