import json
from datetime import UTC, datetime

import pytest
import responses

from clients.errors import Conflict, NotFound
from clients.microsoft import subscriptions
from clients.microsoft.graph import Graph
from tests.clients.microsoft.conftest import GRAPH

URL = f"{GRAPH}/v1.0/subscriptions"
UNTIL = datetime(2026, 12, 1, tzinfo=UTC)
NEW = subscriptions.NewSubscription(
    "/users", "updated", "https://in.example.com/n", "https://in.example.com/l", UNTIL, "s3cret"
)


def test_the_life_of_a_subscription(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.post(URL, json={"id": "s1"}, status=201)
    mock.get(URL, json={"value": [{"id": "s1"}]})
    mock.patch(f"{URL}/s1", json={"id": "s1"})
    mock.delete(f"{URL}/s1", status=204)
    assert subscriptions.create_subscription(graph, NEW) == {"id": "s1"}
    sent = json.loads(mock.calls[0].request.body)
    assert sent["expirationDateTime"] == "2026-12-01T00:00:00Z"
    assert sent["lifecycleNotificationUrl"] == "https://in.example.com/l"
    assert list(subscriptions.subscription_pages(graph)) == [[{"id": "s1"}]]
    assert subscriptions.renew_subscription(graph, "s1", UNTIL) == {"id": "s1"}
    subscriptions.delete_subscription(graph, "s1")
    assert "s3cret" not in repr(NEW)


def test_subscriptions_that_are_there_or_gone(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.post(URL, json={"error": {"code": "Conflict", "message": "Id s1 exists"}}, status=409)
    mock.patch(f"{URL}/s1", status=404)
    with pytest.raises(Conflict):
        subscriptions.create_subscription(graph, NEW)
    with pytest.raises(NotFound):
        subscriptions.renew_subscription(graph, "s1", UNTIL)
