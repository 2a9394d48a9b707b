from collections.abc import Iterator

import pytest
import responses

from clients.http import Http
from clients.microsoft.graph import Graph
from tests.clients.conftest import FakeTime

GRAPH = "https://graph.example.com:9443"


class CountedTokens:
    """Tokens token-1, token-2 ...: a new one each time the last is forgotten."""

    def __init__(self) -> None:
        self.number = 1
        self.scopes: list[str] = []

    def token(self, scope: str) -> str:
        self.scopes.append(scope)
        return f"token-{self.number}"

    def forget(self, scope: str, token: str | None = None) -> None:
        if token in (None, f"token-{self.number}"):
            self.number += 1


@pytest.fixture
def tokens() -> CountedTokens:
    return CountedTokens()


@pytest.fixture
def graph(fake_time: FakeTime, tokens: CountedTokens) -> Graph:
    http = Http(GRAPH, name="Microsoft Graph", sleep=fake_time.sleep, clock=fake_time.clock)
    return Graph(http, tokens)


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
