"""One simulator for these tests, and a small caller of its services."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Simulator


class Caller:
    """Calls one directory's Graph and Azure; `roles` None means all that are consented."""

    def __init__(self, sim: Simulator, directory: str, **token: Any) -> None:
        self.sim = sim
        self.directory = directory
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(sim.ca_file)
        token.setdefault("roles", sim.control.state_of(directory)["consents"][client_id(sim)])
        self.session.headers["Authorization"] = "Bearer " + sim.control.token(directory, **token)

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.sim.url + path, timeout=20, **more)

    def get(self, path: str, **params: Any) -> requests.Response:
        headers = {"Prefer": "include-unknown-enum-members"}
        return self.request("GET", path, params=params, headers=headers)

    def values(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All rows of a list, following the next links."""
        rows, found = [], self.get(path, **params)
        while True:
            assert found.status_code == 200, found.text
            body = found.json()
            rows += body["value"]
            if "@odata.nextLink" not in body:
                return rows
            link = body["@odata.nextLink"]
            found = self.session.get(
                link, timeout=20, headers={"Prefer": "include-unknown-enum-members"}
            )


def client_id(sim: Simulator) -> str:
    return str(sim.tenants[0]["client_id"])


@pytest.fixture(scope="session")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("simulator"), directories=2, seed=7) as running:
        yield running


@pytest.fixture(autouse=True)
def _tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "sim" in request.fixturenames:
        request.getfixturevalue("sim").control.clear_faults()


@pytest.fixture(scope="session")
def graph(sim: Simulator) -> Caller:
    """The first directory, with its stories."""
    return Caller(sim, sim.tenants[0]["slug"])


@pytest.fixture
def empty(sim: Simulator, request: pytest.FixtureRequest) -> Caller:
    """A new directory without any data."""
    slug = f"d{abs(hash(request.node.nodeid)) % 10**10}"
    sim.control.add_directory(slug, populate=False)
    return Caller(sim, slug)


@pytest.fixture
def trusted(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that a program under test would get."""
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, value)
    return sim.environment


@pytest.fixture
def alert() -> dict[str, Any]:
    return plain_alert("da0001_1")


def plain_alert(alert_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.security.alert",
        "id": alert_id,
        "tenantId": "",
        "incidentId": "7",
        "title": "Suspicious execution of hidden file",
        "severity": "low",
        "status": "new",
        "classification": None,
        "determination": None,
        "serviceSource": "microsoftDefenderForEndpoint",
        "detectionSource": "antivirus",
        "assignedTo": None,
        "createdDateTime": "2026-11-20T08:00:00.1234567Z",
        "lastUpdateDateTime": "2026-11-20T08:00:01.1234567Z",
        "comments": [],
        "evidence": [],
        **changes,
    }


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"
