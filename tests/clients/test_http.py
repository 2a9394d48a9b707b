import gzip
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest
import requests
import responses

from clients.errors import (
    ApiError,
    BadPayload,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from clients.failures import parse_retry_after
from clients.http import Http, Policy
from clients.throttle import Priority, at_priority
from simulator.control import wait_for
from tests.clients.conftest import FakeTime, WireServer, reply

URL = "https://api.example.com"


def make(fake_time: FakeTime, **kwargs: object) -> Http:
    return Http(URL, sleep=fake_time.sleep, clock=fake_time.clock, **kwargs)


@responses.activate
def test_json_of_a_success(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/things", json={"a": 1}, content_type="text/html")
    assert make(fake_time).request("GET", "/things").body == {"a": 1}


@responses.activate
def test_query_is_encoded_as_servers_expect(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/things", json={})
    make(fake_time).request("GET", "things", params={"$filter": "a ge 2026-01-01T00:00:00Z"})
    assert responses.calls[0].request.url == f"{URL}/things?$filter=a%20ge%202026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, Rejected),
        (400, Rejected),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Rejected),
        (501, Unavailable),
    ],
)
@responses.activate
def test_errors_tell_no_vendor_text(fake_time: FakeTime, status: int, kind: type[ApiError]) -> None:
    body = {"error": {"code": "SomeCode", "message": "user eve@example.com is bad"}}
    responses.get(f"{URL}/x", json=body, status=status, headers={"Location": "https://evil.test/"})
    with pytest.raises(kind) as caught:
        make(fake_time).request("GET", "/x", params={"q": "eve"})
    assert caught.value.status == status
    assert caught.value.code == "SomeCode"
    assert "eve" not in str(caught.value)
    assert len(responses.calls) == 1


@responses.activate
def test_a_code_that_is_a_text_is_not_kept(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", json={"error": {"code": "eve@example.com was here"}}, status=400)
    with pytest.raises(Rejected) as caught:
        make(fake_time).request("GET", "/x")
    assert caught.value.code == ""


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@responses.activate
def test_passing_faults_are_tried_again_with_backoff(fake_time: FakeTime, status: int) -> None:
    responses.get(f"{URL}/x", status=status)
    responses.get(f"{URL}/x", body=requests.ConnectionError("gone"))
    responses.get(f"{URL}/x", json={"ok": True})
    assert make(fake_time).request("GET", "/x").body == {"ok": True}
    assert 0.5 <= fake_time.sleeps[0] <= 1.5
    assert 1.0 <= fake_time.sleeps[1] <= 3.0


@responses.activate
def test_a_post_is_not_repeated(fake_time: FakeTime) -> None:
    responses.post(f"{URL}/x", status=503)
    with pytest.raises(Unavailable):
        make(fake_time).request("POST", "/x", json={})
    assert len(responses.calls) == 1


@responses.activate
def test_attempts_are_bounded(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", status=500)
    with pytest.raises(Unavailable):
        make(fake_time).request("GET", "/x")
    assert len(responses.calls) == 4


@responses.activate
def test_retry_after_is_obeyed_up_to_the_cap(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", status=429, headers={"Retry-After": "20"})
    responses.get(f"{URL}/x", status=429, headers={"Retry-After": "600"})
    with pytest.raises(RateLimited) as caught:
        make(fake_time).request("GET", "/x", deadline_s=3_600)
    assert caught.value.retry_after_s == 600
    assert len(fake_time.sleeps) == 1
    assert 20 <= fake_time.sleeps[0] < 21


@responses.activate
def test_no_wait_goes_past_the_deadline(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", status=429, headers={"Retry-After": "20"})
    with pytest.raises(RateLimited):
        make(fake_time).request("GET", "/x", deadline_s=30)
    assert sum(fake_time.sleeps) < 30


def test_retry_after_forms() -> None:
    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert parse_retry_after(later, now) == 90
    assert parse_retry_after("7", now) == 7
    assert parse_retry_after(format_datetime(now - timedelta(days=1)), now) == 0
    assert parse_retry_after("99999999", now) == 86_400
    nowhere = "Mon, 02 Nov 2026 00:00:00 +" + 20 * "9"
    for nonsense in (None, "", "soon", "-5", "Wed, 99 Foo 2026", nowhere):
        assert parse_retry_after(nonsense, now) is None


@responses.activate
def test_broken_json_is_tried_again_then_bad_payload(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", body='{"value": [1, 2')
    with pytest.raises(BadPayload, match="not JSON"):
        make(fake_time).request("GET", "/x")
    assert len(responses.calls) == 4


@responses.activate
def test_links_to_other_hosts_are_refused(fake_time: FakeTime) -> None:
    http = make(fake_time)
    for link in (
        "https://evil.test/x",
        "http://api.example.com/x",
        "https://api.example.com:444/x",
        "https://api.example.com@evil.test/x",
        "https://a:b@api.example.com/x",
        "//evil.test/x",
        "https://[",
    ):
        with pytest.raises(BadPayload):
            http.request("GET", http.same_host(link))
    assert http.same_host("https://API.example.com:443/x?$skip=1#f") == (
        "https://API.example.com:443/x?$skip=1"
    )


class Recorder:
    """A governor that writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.pauses: list[float] = []
        self.released: list[str] = []

    def acquire(self, key: str, family: str, *, wait_s: float, cost: int = 1) -> str:
        self.asked.append((key, family, cost))
        return f"slot-{len(self.asked)}"

    def release(self, key: str, family: str, slot: str) -> None:
        self.released.append(slot)

    def pause(self, key: str, family: str, seconds: float) -> None:
        self.pauses.append(seconds)

    def back_off(self, key: str, family: str, seconds: float) -> float:
        self.pauses.append(7 * seconds)
        return 7 * seconds


@responses.activate
def test_governor_is_asked_before_each_attempt_and_told_to_pause(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", status=429, headers={"Retry-After": "3"})
    responses.get(f"{URL}/x", json={})
    governor = Recorder()
    make(fake_time, governor=governor, key="k").request("GET", "/x", family="alerts", cost=2)
    assert governor.asked == [("k", "alerts", 2)] * 2
    assert governor.pauses == [3]
    assert governor.released == ["slot-1", "slot-2"]


@responses.activate
def test_without_retry_after_the_governor_says_how_long(fake_time: FakeTime) -> None:
    responses.get(f"{URL}/x", status=429)
    responses.get(f"{URL}/x", json={})
    governor = Recorder()
    make(fake_time, governor=governor, key="k").request("GET", "/x", family="alerts")
    assert fake_time.sleeps == governor.pauses
    assert 3.5 <= fake_time.sleeps[0] <= 10.5


def test_connections_are_kept(wire: WireServer) -> None:
    wire.replies = [reply(body=b'{"a": 1}'), reply(400, b'{"code": "no"}'), reply(body=b"{}")]
    http = Http(wire.url)
    http.request("GET", "/a")
    with pytest.raises(Rejected):
        http.request("GET", "/b")
    http.request("GET", "/c")
    assert len(wire.peers) == 1


def test_gzip_is_read_and_bombs_are_not(wire: WireServer) -> None:
    bomb = gzip.compress(b'{"a": "' + b"x" * 5_000_000 + b'"}')
    wire.replies = [
        reply(body=gzip.compress(b'{"a": 1}'), Content_Encoding="gzip"),
        reply(body=bomb, Content_Encoding="gzip"),
    ]
    http = Http(wire.url, policy=Policy(max_bytes=1_000_000))
    assert http.request("GET", "/a").body == {"a": 1}
    with pytest.raises(BadPayload, match="larger"):
        http.request("GET", "/b")


def test_declared_size_over_the_cap_is_not_read(wire: WireServer) -> None:
    wire.replies = [reply(body=b"1" * 2_000)]
    with pytest.raises(BadPayload, match="larger"):
        Http(wire.url, policy=Policy(max_bytes=1_000)).request("GET", "/")


def test_a_declared_size_that_is_no_number_is_as_if_there_was_none(wire: WireServer) -> None:
    def odd(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n[1]")

    wire.replies = [odd]
    assert Http(wire.url).request("GET", "/").body == [1]


def _cut_short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"value"')
    handler.close_connection = True


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while True:  # until the client is gone
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def test_cut_and_slow_answers(wire: WireServer, fake_time: FakeTime) -> None:
    wire.replies = [_cut_short, reply(body=b'{"ok": 1}')]
    assert Http(wire.url, sleep=fake_time.sleep).request("GET", "/").body == {"ok": 1}
    wire.replies = [_drip]
    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        Http(wire.url, policy=Policy(attempts=1)).request("GET", "/", deadline_s=0.3)
    assert time.monotonic() - began < 20  # all of it would take 50 seconds


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n\r\n"])
@pytest.mark.timeout(60)
def test_a_strangers_head_or_chunk_without_end(wire: WireServer, head: bytes) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + head)
        while True:  # until the client is gone
            handler.wfile.write(b"0")
            time.sleep(0.02)

    wire.replies = [endless]
    http = Http(wire.url, policy=Policy(attempts=1), private_networks_allowed=("127.0.0.0/8",))
    with pytest.raises(Unavailable, match="in time"):
        http.request("POST", "/", deadline_s=0.3)


def test_in_the_background_a_silent_server_is_asked_once(
    wire: WireServer, fake_time: FakeTime
) -> None:
    def silent(handler: BaseHTTPRequestHandler) -> None:
        gone.wait(60)

    gone = threading.Event()
    http = Http(wire.url, sleep=fake_time.sleep, policy=Policy(read_s=0.1, attempts=3))
    wire.replies = [silent]
    for priority, asked in ((Priority.POLL, 1), (Priority.PERSON, 3)):
        wire.paths.clear()
        with at_priority(priority), pytest.raises(Unavailable, match="in time"):
            http.request("GET", "/")
        wait_for(lambda asked=asked: len(wire.paths) >= asked)
        assert len(wire.paths) == asked
    gone.set()


def test_cookies_and_netrc_are_ignored(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:
        file.write("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", netrc)
    wire.replies = [reply(Set_Cookie="a=b"), reply()]
    http = Http(wire.url)
    http.request("GET", "/a")
    http.request("GET", "/b", headers={"Authorization": "Bearer t"})
    assert "Cookie" not in wire.headers[1]
    assert "Authorization" not in wire.headers[0]
    assert wire.headers[1]["Authorization"] == "Bearer t"


def test_an_untrusted_certificate_is_not_retried(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(Rejected, match="not trusted"):
        Http(wire.url).request("GET", "/")


def test_nobody_there_is_unavailable(fake_time: FakeTime) -> None:
    http = Http("https://127.0.0.1:9", sleep=fake_time.sleep, policy=Policy(attempts=2))
    with pytest.raises(Unavailable) as caught:
        http.request("GET", "/x?secret=1")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@responses.activate
def test_half_a_surrogate_pair_does_not_cost_the_answer() -> None:
    responses.get("https://odd.test/x", body=rb'{"value": ["\ud800", "fine"]}')
    assert Http("https://odd.test").request("GET", "/x").body == {"value": ["\ud800", "fine"]}
