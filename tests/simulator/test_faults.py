"""Faults happen to the requests they were ordered for, and only to them."""

import time

import pytest
import requests

from simulator import Simulator
from simulator.control import ControlError
from tests.simulator.conftest import Caller, plain_alert
from tests.simulator.test_freshservice import TICKET, Desk

ALERTS = "/v1.0/security/alerts_v2"


def test_status_with_and_without_retry_after(sim: Simulator, graph: Caller) -> None:
    sim.control.fault(
        "status", service="graph", status=429, retry_after=7, count=1, path="alerts_v2"
    )
    sim.control.fault("status", service="graph", status=503, count=2)
    first = graph.get(ALERTS)
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert first.json()["error"]["code"] == "TooManyRequests"
    second = graph.get(ALERTS)
    assert (second.status_code, "Retry-After" in second.headers) == (503, False)
    assert [graph.get(ALERTS).status_code for _ in range(2)] == [503, 200]


def test_scope_by_directory_path_and_method(sim: Simulator, graph: Caller) -> None:
    other = Caller(sim, sim.tenants[1]["slug"])
    fault = sim.control.fault(
        "status", directory=graph.directory, path=r"alerts_v2\?.*skip", method="GET", count=-1
    )
    assert graph.get(ALERTS).status_code == 200
    assert graph.get(ALERTS, **{"$skip": "1"}).status_code == 503
    assert other.get(ALERTS, **{"$skip": "1"}).status_code == 200
    assert sim.control.faults()[0]["hits"] == 1
    sim.control.clear_faults(fault)
    assert graph.get(ALERTS, **{"$skip": "1"}).status_code == 200


def test_skip_lets_the_first_through(sim: Simulator, graph: Caller) -> None:
    sim.control.fault("status", service="graph", skip=2, count=1, status=500)
    assert [graph.get(ALERTS).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_dropped_truncated_and_late(sim: Simulator, graph: Caller) -> None:
    sim.control.fault("drop", service="graph")
    with pytest.raises(requests.ConnectionError):
        graph.get(ALERTS)
    sim.control.fault("truncate", service="graph")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        graph.get(ALERTS)
    sim.control.fault("timeout", service="graph", seconds=5)
    with pytest.raises(requests.Timeout):
        graph.session.get(sim.url + ALERTS, timeout=2)
    sim.control.fault("delay", service="graph", seconds=0.4)
    started = time.perf_counter()
    assert graph.get(ALERTS).status_code == 200
    assert time.perf_counter() - started > 0.4
    assert graph.get(ALERTS).status_code == 200


def test_pages_with_odd_documents(sim: Simulator, graph: Caller) -> None:
    sim.control.fault("duplicate", service="graph", path="alerts_v2")
    ids = [row["id"] for row in graph.get(ALERTS, **{"$top": "5"}).json()["value"]]
    assert len(ids) == 10
    assert len(set(ids)) == 5
    sim.control.fault("malformed", service="graph", path="alerts_v2")
    rows = graph.get(ALERTS).json()["value"]
    assert "id" not in rows[0]
    assert rows[6] is None
    assert rows[1]["id"]
    sim.control.fault("empty_page", service="graph", path="alerts_v2")
    page = graph.get(ALERTS, **{"$top": "5"}).json()
    assert page["value"] == []
    assert page["@odata.nextLink"]
    sim.control.fault("garbage", service="graph", path="alerts_v2")
    assert graph.get(ALERTS).text.startswith("<!doctype html>")


def test_stale_documents(sim: Simulator, empty: Caller) -> None:
    sim.control.add_alert(empty.directory, plain_alert("da1", tenantId=guid(sim, empty)))
    sim.control.change_alert(empty.directory, "da1", severity="high")
    sim.control.fault("stale", service="graph", path="alerts_v2")
    assert empty.get(ALERTS).json()["value"][0]["severity"] == "low"
    assert empty.get(ALERTS).json()["value"][0]["severity"] == "high"


def guid(sim: Simulator, caller: Caller) -> str:
    return str(sim.control.state_of(caller.directory)["guid"])


def test_a_ticket_whose_answer_is_lost_exists(sim: Simulator) -> None:
    sim.control.add_directory("lost-answer", populate=False)
    desk = Desk(sim, "lost-answer")
    sim.control.fault("drop", service="freshservice", directory="lost-answer", when="after")
    with pytest.raises(requests.ConnectionError):
        desk.request("POST", "tickets", json=TICKET)
    assert len(sim.control.tickets("lost-answer")) == 1
    kept = sim.control.requests(service="freshservice", directory="lost-answer")[-1]
    assert (kept["status"], kept["fault"]) == (0, "drop")
    assert kept["headers"]["authorization"] == "***"
    assert "CSC-1" in kept["body"]


def test_faults_of_entra_and_vault_have_their_shape(sim: Simulator) -> None:
    sim.control.fault("status", service="entra", status=503)
    session = requests.Session()
    session.trust_env = False
    session.verify = str(sim.ca_file)
    body = session.post(f"{sim.url}/x/oauth2/v2.0/token", timeout=9).json()
    assert body["error_codes"] == [90033]
    sim.control.fault("status", service="vault", status=429)
    found = session.get(f"{sim.url}/secrets/x", timeout=9)
    assert found.json()["error"]["code"] == "Throttled"


def test_wrong_orders_are_refused(sim: Simulator) -> None:
    for order in (
        {"kind": "explode"},
        {"kind": "drop", "colour": "red"},
        {"kind": "drop", "path": "("},
    ):
        with pytest.raises(ControlError):
            sim.control.call("POST", "faults", order)
    with pytest.raises(ControlError):
        sim.control.settings(nonsense=1)
    with pytest.raises(ControlError):
        sim.control.alerts("nowhere")
