"""Subscriptions: handshake, refusals, delivery."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from simulator import Simulator
from simulator.control import wait_for
from tests.simulator.conftest import Caller, plain_alert


class Listener(ThreadingHTTPServer):
    """Keeps what arrives; answers the handshake unless `deaf`."""

    deaf = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.arrived: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Listener)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = parse_qs(urlsplit(self.path).query).get("validationToken", [""])[0]
        answer = token.encode() if token and not server.deaf else b""
        self.send_response(200 if token else 202)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        if not token:
            server.arrived.append((self.path, orjson.loads(body)))

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def order(
    listener: Listener, resource: str = "users", minutes: float = 60, **more: Any
) -> dict[str, Any]:
    end = datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "changeType": "updated",
        "notificationUrl": f"{listener.url}/n?a=b",
        "resource": resource,
        "expirationDateTime": f"{end:%Y-%m-%dT%H:%M:%S}Z",
        "clientState": "s3cret",
        **more,
    }


def create(caller: Caller, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    found = caller.request("POST", "/v1.0/subscriptions", json=body)
    return found.status_code, found.json()


def test_life_of_a_subscription(sim: Simulator, empty: Caller, listener: Listener) -> None:
    status, row = create(empty, order(listener))
    assert status == 201, row
    status, error = create(empty, order(listener))
    assert status == 409
    assert f"Subscription Id {row['id']} already exists" in error["error"]["message"]
    path = f"/v1.0/subscriptions/{row['id']}"
    assert [one["id"] for one in empty.get("/v1.0/subscriptions").json()["value"]] == [row["id"]]
    later = order(listener, minutes=600)["expirationDateTime"]
    renewed = empty.request("PATCH", path, json={"expirationDateTime": later}).json()
    assert renewed["expirationDateTime"] > row["expirationDateTime"]
    assert empty.request("POST", f"{path}/reauthorize").status_code == 204
    sim.control.lifecycle(empty.directory, row["id"], "reauthorizationRequired")
    wait_for(lambda: listener.arrived)
    event = listener.arrived[0][1]["value"][0]
    assert (event["lifecycleEvent"], event["clientState"]) == ("reauthorizationRequired", "s3cret")
    assert empty.request("DELETE", path).status_code == 204
    assert empty.get(path).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"resource": "security/alerts_v2"}, "ExtensionError"),
        ({"resource": "auditLogs/signIns"}, "ExtensionError"),
        ({"changeType": "changed"}, "InvalidRequest"),
        ({"notificationUrl": "http://portal.example/n"}, "InvalidRequest"),
        ({"clientState": "x" * 129}, "InvalidRequest"),
        ({"expirationDateTime": "2020-01-01T00:00:00Z"}, "InvalidRequest"),
        ({"expirationDateTime": "2099-01-01T00:00:00Z"}, "InvalidRequest"),
        ({"expirationDateTime": None}, "InvalidRequest"),
    ],
)
def test_refusals(empty: Caller, listener: Listener, change: dict[str, Any], code: str) -> None:
    status, body = create(empty, order(listener, **change))
    assert (status, body["error"]["code"]) == (400, code)


def test_a_failed_handshake_refuses(empty: Caller, listener: Listener) -> None:
    listener.deaf = True
    status, body = create(empty, order(listener))
    assert (status, body["error"]["code"]) == (400, "ValidationError")
    status, body = create(empty, order(listener, notificationUrl="https://127.0.0.1:1/n"))
    assert (status, body["error"]["code"]) == (400, "ValidationError")


def test_alerts_are_pushed_once_switched_on(
    sim: Simulator, empty: Caller, listener: Listener
) -> None:
    sim.control.settings(push_alerts=True)
    try:
        body = order(listener, "/security/alerts_v2?$filter=severity eq 'high'")
        status, row = create(empty, {**body, "changeType": "created,updated"})
        assert status == 201, row
        sim.control.add_alert(empty.directory, plain_alert("low"))
        sim.control.add_alert(empty.directory, plain_alert("high", severity="high"))
        sim.control.change_alert(empty.directory, "high", status="resolved")
        wait_for(lambda: len(listener.arrived) == 2)
    finally:
        sim.control.settings(push_alerts=False)
    items = [item for _, body in listener.arrived for item in body["value"]]
    assert {item["changeType"] for item in items} == {"created", "updated"}
    assert {item["resourceData"]["id"] for item in items} == {"high"}
    assert {item["subscriptionId"] for item in items} == {row["id"]}
    assert {item["clientState"] for item in items} == {"s3cret"}
    assert listener.arrived[0][0] == "/n?a=b"
