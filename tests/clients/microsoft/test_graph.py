import json

import pytest
import responses

from clients.errors import BadPayload, Forbidden, NotFound, RateLimited, Unauthorized, Unavailable
from clients.microsoft.batch import BatchRequest
from clients.microsoft.graph import Graph
from clients.throttle import Governor
from tests.clients.conftest import FakeTime
from tests.clients.microsoft.conftest import GRAPH, CountedTokens
from tests.payloads import load

URL = f"{GRAPH}/v1.0/things"
BATCH = f"{GRAPH}/v1.0/$batch"


def test_headers_of_each_call(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.get(URL, json={"a": 1})
    assert graph.get("/things") == {"a": 1}
    sent = mock.calls[0].request.headers
    assert sent["Authorization"] == "Bearer token-1"
    assert sent["Prefer"] == "include-unknown-enum-members"
    assert sent["client-request-id"]


def test_pages_are_followed_to_the_end(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.get(URL, json={"value": [1, {"b": 2}, None], "@odata.nextLink": f"{URL}?$skiptoken=a%2Bb"})
    mock.get(f"{URL}?$skiptoken=a%2Bb", json={"value": [], "@odata.nextLink": f"{URL}?$skip=2"})
    mock.get(f"{URL}?$skip=2", json={"value": [3], "@odata.nextLink": None})
    assert list(graph.pages("/things")) == [[1, {"b": 2}, None], [], [3]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "value"),
        ({"value": None}, "value"),
        ({"value": {"a": 1}}, "value"),
        ([], "value"),
        ({"value": [], "@odata.nextLink": 5}, "nextLink"),
        ({"value": [], "@odata.nextLink": "https://evil.test/v1.0/things"}, "nextLink"),
        ({"value": [], "@odata.nextLink": GRAPH.replace("9443", "9444")}, "nextLink"),
        ({"value": [], "@odata.nextLink": f"{URL}?$skip=1"}, "circle"),
    ],
)
def test_pages_that_are_none_name_the_field(
    graph: Graph, mock: responses.RequestsMock, body: object, field: str
) -> None:
    mock.get(URL, json=body)
    with pytest.raises(BadPayload, match=field):
        list(graph.pages("/things"))


def test_a_list_without_end_is_given_up(graph: Graph, mock: responses.RequestsMock) -> None:
    for n in range(1, 9):
        mock.get(f"{URL}?p={n}", json={"value": [n], "@odata.nextLink": f"{URL}?p={n + 1}"})
    with pytest.raises(BadPayload, match="more than 5 pages"):
        list(graph.pages("/things?p=1", max_pages=5))


def test_a_token_that_ends_in_the_middle_is_replaced_once(
    graph: Graph, mock: responses.RequestsMock, tokens: CountedTokens
) -> None:
    mock.get(URL, json={"value": [1], "@odata.nextLink": f"{URL}?p=2"})
    mock.get(f"{URL}?p=2", status=401, json={"error": {"code": "InvalidAuthenticationToken"}})
    mock.get(f"{URL}?p=2", json={"value": [2]})
    assert list(graph.pages("/things")) == [[1], [2]]
    assert mock.calls[2].request.headers["Authorization"] == "Bearer token-2"
    mock.get(f"{GRAPH}/v1.0/no", status=401)
    with pytest.raises(Unauthorized):
        graph.get("/no")
    assert tokens.number == 3


def test_missing_permission(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.get(URL, json=load("microsoft/error-403-missing-permission-constructed"), status=403)
    with pytest.raises(Forbidden, match="consent again") as caught:
        graph.get("/things")
    assert "SecurityAlert" not in str(caught.value)
    assert caught.value.request_id == "94fb3b52-452a-4535-a601-69e0a90e3aa2"


def test_patch_is_repeated_and_post_is_not(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.patch(URL, status=502)
    mock.patch(URL, status=204)
    assert graph.patch("/things", {"a": 1}) == {}
    mock.post(URL, status=502)
    with pytest.raises(Unavailable):
        graph.post("/things", {"a": 1})


def ask(graph: Graph, count: int) -> dict[str, object]:
    return graph.batch([BatchRequest(f"id-{n}", f"/things/{n}") for n in range(count)])


def answer(statuses: dict[int, int], **headers: str) -> object:
    """A callback that answers a batch: 200 with the item's URL, or the status given by number."""

    def callback(request: object) -> tuple[int, dict[str, str], str]:
        items = []
        for item in json.loads(request.body)["requests"]:
            number = int(item["url"].rsplit("/", 1)[1])
            status = statuses.get(number, 200)
            body = {"n": number} if status == 200 else {"error": {"code": f"Code{status}"}}
            items.append({"id": item["id"], "status": status, "headers": headers, "body": body})
        return 200, {}, json.dumps({"responses": items[::-1]})

    return callback


def test_batch_takes_twenty_a_call_and_judges_each_item(
    graph: Graph, mock: responses.RequestsMock
) -> None:
    mock.add_callback("POST", BATCH, callback=answer({3: 404, 21: 403}))
    results = ask(graph, 45)
    sizes = [len(json.loads(call.request.body)["requests"]) for call in mock.calls]
    assert sizes == [20, 20, 5]
    assert results["id-44"] == {"n": 44}
    assert isinstance(results["id-3"], NotFound)
    assert isinstance(results["id-21"], Forbidden)
    assert len(results) == 45


def test_what_was_answered_before_a_call_failed_is_kept(
    graph: Graph, mock: responses.RequestsMock
) -> None:
    mock.add_callback("POST", BATCH, callback=answer({}))
    mock.post(BATCH, status=403)
    results = ask(graph, 41)
    assert results["id-19"] == {"n": 19}
    assert isinstance(results["id-20"], Forbidden)
    assert isinstance(results["id-40"], Forbidden)
    assert len(mock.calls) == 2, "the rest is not asked for"


def test_throttled_items_are_asked_alone(
    graph: Graph, mock: responses.RequestsMock, fake_time: FakeTime
) -> None:
    mock.add_callback("POST", BATCH, callback=answer({1: 429, 2: 503}, **{"retry-after": "10"}))
    mock.add_callback("POST", BATCH, callback=answer({}))
    assert ask(graph, 4)["id-1"] == {"n": 1}
    assert len(json.loads(mock.calls[1].request.body)["requests"]) == 2
    assert fake_time.sleeps == [10]


def test_items_that_stay_throttled_are_given_up(
    graph: Graph, mock: responses.RequestsMock, fake_time: FakeTime
) -> None:
    mock.add_callback("POST", BATCH, callback=answer({1: 429}))
    results = ask(graph, 2)
    assert isinstance(results["id-1"], RateLimited)
    assert results["id-0"] == {"n": 0}
    assert len(mock.calls) == 4


def test_a_long_wait_is_left_to_the_caller(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.add_callback("POST", BATCH, callback=answer({1: 429}, **{"Retry-After": "900"}))
    assert ask(graph, 2)["id-1"].retry_after_s == 900
    assert len(mock.calls) == 1


def test_all_stay_away_as_long_as_an_item_says(
    graph: Graph, mock: responses.RequestsMock, fake_time: FakeTime
) -> None:
    """Also when that is too long to be waited for here: the next items are not asked for."""
    mock.add_callback("POST", BATCH, callback=answer({1: 429}, **{"Retry-After": "900"}))
    governor = Governor(None, sleep=fake_time.sleep, clock=fake_time.clock)
    graph.http.governor = governor
    requests = [BatchRequest(f"id-{n}", f"/things/{n}") for n in range(45)]
    results = graph.batch(requests, family="alerts")
    assert results["id-0"] == {"n": 0}
    assert {results[name].code for name in ("id-20", "id-44")} == {"throttled_here"}
    assert len(mock.calls) == 1
    assert governor.state("")[0].paused_s == 900


def test_a_token_refused_by_items_is_replaced_once(
    graph: Graph, mock: responses.RequestsMock, tokens: CountedTokens, fake_time: FakeTime
) -> None:
    mock.add_callback("POST", BATCH, callback=answer({0: 401}))
    mock.add_callback("POST", BATCH, callback=answer({}))
    assert ask(graph, 2) == {"id-0": {"n": 0}, "id-1": {"n": 1}}
    assert tokens.number == 2
    assert fake_time.sleeps == [0]
    mock.reset()
    mock.add_callback("POST", BATCH, callback=answer({0: 401, 1: 429}, **{"Retry-After": "7"}))
    mock.add_callback("POST", BATCH, callback=answer({0: 401}))
    assert isinstance(ask(graph, 2)["id-0"], Unauthorized)
    assert fake_time.sleeps == [0, 7]


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_without_batch_items_are_asked_one_by_one(
    graph: Graph, mock: responses.RequestsMock, status: int
) -> None:
    mock.post(BATCH, status=status)
    mock.get(f"{URL}/0", json={"n": 0})
    mock.get(f"{URL}/1", status=404)
    results = ask(graph, 2)
    assert results["id-0"] == {"n": 0}
    assert isinstance(results["id-1"], NotFound)
    ask(graph, 2)
    batches = [call for call in mock.calls if call.request.url == BATCH]
    assert len(batches) == (2 if status == 400 else 1)


def test_odd_batch_answers(graph: Graph, mock: responses.RequestsMock) -> None:
    items = [
        {"id": "0", "status": "200", "body": {"n": 0}},
        {"id": "1", "status": 200, "body": None},
        {"id": "2", "body": {}},
        "nonsense instead of item 3",
        {"id": "4", "status": 302, "headers": None},
    ]
    mock.post(BATCH, json={"responses": items})
    mock.post(BATCH, json={"responses": []})
    results = ask(graph, 5)
    assert results["id-0"] == {"n": 0}
    kinds = [type(results[f"id-{n}"]).__name__ for n in range(1, 5)]
    assert kinds == ["BadPayload", "BadPayload", "Unavailable", "Rejected"]
    mock.reset()
    mock.post(BATCH, json={"value": []})
    with pytest.raises(BadPayload, match="responses"):
        ask(graph, 1)


def test_the_published_batch_answer(
    graph: Graph, mock: responses.RequestsMock, fake_time: FakeTime
) -> None:
    document = load("microsoft/batch-response-429-constructed")
    for item in document["responses"]:
        item["id"] = str(int(item["id"]) - 1)
    mock.post(BATCH, json=document)
    mock.post(BATCH, json={"responses": [{"id": "0", "status": 200, "body": {"value": [1]}}]})
    results = ask(graph, 2)
    assert results == {"id-0": {"value": []}, "id-1": {"value": [1]}}
    assert fake_time.sleeps == [10]
