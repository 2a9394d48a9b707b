"""The ingress over real HTTP: what is believed, what strangers get, and what is left behind."""

from __future__ import annotations

import contextlib
import json
import socket
import time
import uuid

import pytest
import requests
from django.conf import settings

from csc_portal.hints import Hint, connect, hints
from tenants.directories import master_keys
from tenants.push_keys import hint_key, sign_hint, webhook_token
from tests.csc_portal.ingress_lab import Customer, Ingress, everything_in


@pytest.fixture(scope="module")
def ingress(simulator, tmp_path_factory):
    running = Ingress(tmp_path_factory.mktemp("ingress"), settings.BACKING.redis_url)
    yield running
    running.stop()


@pytest.fixture
def customer() -> Customer:
    return Customer()


@pytest.fixture
def other() -> Customer:
    return Customer()


def noted(customer: Customer) -> set[str]:
    found = hints().take(customer.tenant)
    hints().finish(customer.tenant)
    return {str(hint) for hint in found}


def test_a_notification_becomes_a_hint_and_nothing_else(ingress, customer):
    answer = ingress.notify(customer.tenant, customer.item("da1_-2"), customer.item("da1_-3"))
    assert (answer.status_code, answer.text) == (202, "")
    assert customer.tenant in hints().due()
    name = customer.subscription
    assert noted(customer) == {f"alert|{name}|da1_-2", f"alert|{name}|da1_-3"}
    assert customer.tenant not in hints().due()


def test_the_same_notification_many_times_is_one_hint(ingress, customer):
    for _ in range(50):
        assert ingress.notify(customer.tenant, customer.item("a")).status_code == 202
    assert noted(customer) == {f"alert|{customer.subscription}|a"}


@pytest.mark.parametrize(
    "changes",
    [
        {"clientState": None},
        {"clientState": "secretClientValue"},
        {"clientState": "a.b.c.d"},
        {"clientState": "ä" * 100},
        {"clientState": ["x"]},
        {"tenantId": str(uuid.uuid4())},
        {"tenantId": None},
        {"tenantId": "common"},
    ],
)
def test_a_forged_item_is_dropped_and_the_genuine_one_beside_it_taken(ingress, customer, changes):
    forged = customer.item("forged", **changes)
    assert ingress.notify(customer.tenant, forged, customer.item("real")).status_code == 202
    assert noted(customer) == {f"alert|{customer.subscription}|real"}
    assert ingress.notify(customer.tenant, forged).status_code in {202, 429}
    assert noted(customer) == set()


def test_each_item_of_a_mixed_post_counts_for_its_own_tenant(ingress, customer, other):
    stolen = other.item("x", clientState=customer.state)
    ingress.notify(customer.tenant, customer.item("mine"), other.item("theirs"), stolen, 7, "x")
    assert noted(customer) == {f"alert|{customer.subscription}|mine"}
    assert noted(other) == {f"alert|{other.subscription}|theirs"}


def test_known_and_unknown_tenants_look_alike_to_strangers(ingress, customer):
    ingress.notify(customer.tenant, customer.item("a"))
    noted(customer)
    answers = []
    for tenant in (customer.tenant, uuid.uuid4()):
        forged = customer.item("a", clientState="x" * 90)
        answer = ingress.notify(tenant, forged)
        answer.headers.pop("Date")
        answers.append((answer.status_code, answer.text, dict(answer.headers)))
    assert answers[0] == answers[1]


def test_what_is_no_alert_is_a_look(ingress, customer):
    odd = [
        customer.item("x", resource="users/7", resourceData={"id": "7"}),
        customer.item("no such id <>"),
        customer.item("x", resourceData="text", resource=None),
    ]
    ingress.notify(customer.tenant, *odd)
    assert noted(customer) == {f"look|{customer.subscription}|"}


def test_encrypted_content_is_left_alone(ingress, customer):
    rich = customer.item("a", encryptedContent={"data": "CANARY", "dataKey": "CANARY"})
    assert ingress.notify(customer.tenant, rich, validationTokens=None).status_code == 202
    assert noted(customer) == {f"alert|{customer.subscription}|a"}


def test_lifecycle_events_are_noted(ingress, customer):
    path = f"/notifications/lifecycle/{customer.tenant}/"
    events = ["reauthorizationRequired", "subscriptionRemoved", "missed", "somethingNew"]
    body = {"value": [customer.lifecycle(event) for event in events]}
    assert ingress.post(path, body).status_code == 202
    name = customer.subscription
    assert noted(customer) == {f"lifecycle|{name}|{event}" for event in [*events[:3], "unknown"]}


def test_too_many_ids_become_one_look(ingress, customer):
    items = [customer.item(f"a{number}") for number in range(250)]
    assert ingress.notify(customer.tenant, *items).status_code == 202
    found = noted(customer)
    assert "look||" in found
    assert len(found) <= 61


# --- hostile posts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"value": 1}', "application/json", 400),
        (b'{"value": [1, "x"]}', "application/json", 400),
        (b'{"value": []}', "application/json", 202),
        (b'{"value": [' + b"{}," * 1000 + b"{}]}", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"value": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "application/json", 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", 400),
        (b'{"value": [{"clientState": "\xff\xfe"}]}', "application/json", 400),
        ('{"value": []}'.encode("utf-16"), "application/json", 400),
        (b'{"value": []}', "application/json; charset=utf-16", 415),
        (b'{"value": []}', "text/plain", 415),
        (b'{"value": []}', "multipart/form-data; boundary=x", 415),
        (b'{"value": []}', "", 415),
        (b'{"value": "' + b"x" * 1_100_000 + b'"}', "application/json", 413),
    ],
)
def test_what_can_not_be_read_is_refused_clearly(simulator, tmp_path, ingress, body, kind, status):
    answer = ingress.post(
        f"/notifications/graph/{uuid.uuid4()}/", data=body, headers={"Content-Type": kind}
    )
    assert answer.status_code in {status, 429}
    assert answer.status_code < 500


def test_bodies_in_chunks_are_read_up_to_the_same_size(ingress, customer):
    path = f"/notifications/graph/{customer.tenant}/"
    body = json.dumps({"value": [customer.item("a")]}).encode()
    kind = {"Content-Type": "application/json"}
    assert ingress.post(path, data=iter([body[:9], body[9:]]), headers=kind).status_code == 202
    assert noted(customer) == {f"alert|{customer.subscription}|a"}
    too_long = (b"x" * 65536 for _ in range(40))
    # The answer may be lost: the server hangs up while the client still sends.
    with contextlib.suppress(requests.ConnectionError):
        assert ingress.post(path, data=too_long, headers=kind).status_code in {413, 429}
    zipped = {**kind, "Content-Encoding": "gzip"}
    assert ingress.post(path, data=body, headers=zipped).status_code in {415, 429}


def test_only_posts_to_known_paths(ingress):
    for path in ("notifications/graph", "notifications/lifecycle", "webhooks/tickets"):
        url = f"{ingress.url}/{path}/{uuid.uuid4()}/"
        for verb in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            answer = requests.request(verb, url, timeout=20)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    for path in (
        "/",
        "/login",
        "/admin/",
        "/api/v1/",
        "/notifications/graph/7/",
        "/%00",
        "/static/x",
    ):
        assert requests.get(ingress.url + path, timeout=20).status_code == 404
        assert ingress.post(path).status_code == 404


def test_raw_nonsense_is_no_fault(ingress):
    for text in (
        b"POST /notifications/graph/ HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
    ):
        with socket.create_connection(("127.0.0.1", ingress.port), 20) as line:
            line.sendall(text)
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(200)
        assert not answer.startswith(b"HTTP/1.1 5")


# --- handshake ------------------------------------------------------------------------------------


def test_the_handshake_gives_the_token_back_as_plain_text(ingress):
    token = "Validation: Testing client application reachability & <ab12> ä+%20"
    answer = ingress.post(
        f"/notifications/graph/{uuid.uuid4()}/",
        params={"validationToken": token},
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )
    assert (answer.status_code, answer.text) == (200, token)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("token", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_markup_in_the_handshake_is_escaped(ingress, token):
    url = f"/notifications/lifecycle/{uuid.uuid4()}/"
    answer = ingress.post(url, params={"validationToken": token})
    assert "<" not in answer.text
    assert answer.text.startswith("&lt;")


@pytest.mark.parametrize("token", ["", "x" * 3000])
def test_odd_handshakes_are_refused(ingress, token):
    url = f"/notifications/graph/{uuid.uuid4()}/?validationToken={token}"
    assert ingress.post(url).status_code == 400


# --- signed hints and ticket webhooks -------------------------------------------------------------


def signed(customer: Customer, body: bytes = b"", at: float | None = None, key: str = ""):
    timestamp = str(int(time.time() if at is None else at))
    key = key or hint_key(master_keys()[0][1], customer.tenant)
    signature = sign_hint(key, timestamp, body)
    return {"X-CSC-Timestamp": timestamp, "X-CSC-Signature": f"v1={signature}"}


def test_a_signed_hint_is_taken_once(ingress, customer):
    path = f"/notifications/hint/{customer.tenant}/"
    body = b'{"ids": ["da1_2", "da1_3"]}'
    headers = signed(customer, body)
    assert ingress.post(path, data=body, headers=headers).status_code == 202
    assert noted(customer) == {"alert||da1_2", "alert||da1_3"}
    assert ingress.post(path, data=body, headers=headers).status_code == 409
    assert noted(customer) == set()
    assert ingress.post(path, headers=signed(customer)).status_code == 202
    assert noted(customer) == {"look||"}


def test_a_hint_that_is_not_signed_rightly_is_refused(ingress, customer, other):
    path = f"/notifications/hint/{customer.tenant}/"
    for headers in (
        {},
        signed(other),
        signed(customer, b"another body"),
        signed(customer, at=time.time() - 400),
        signed(customer, at=time.time() + 400),
        signed(customer, key=webhook_token(master_keys()[0][1], customer.tenant)),
        {**signed(customer), "X-CSC-Timestamp": "soon"},
        {**signed(customer), "X-CSC-Signature": "ä"},
    ):
        headers = {name: value.encode() for name, value in headers.items()}
        assert ingress.post(path, headers=headers).status_code in {401, 429}
    assert noted(customer) == set()


@pytest.mark.parametrize(
    "body", [b"[]", b'{"ids": 7}', b'{"ids": [{}]}', b'{"ids": ["a@b"]}', b"x"]
)
def test_a_signed_hint_of_another_shape_is_refused(ingress, customer, body):
    path = f"/notifications/hint/{customer.tenant}/"
    assert ingress.post(path, data=body, headers=signed(customer, body)).status_code == 400
    assert noted(customer) == set()


def test_a_ticket_webhook_needs_its_token(ingress):
    connection = uuid.uuid4()
    path = f"/webhooks/tickets/{connection}/"
    token = webhook_token(master_keys()[0][1], connection)
    wrong = webhook_token(master_keys()[0][1], uuid.uuid4())
    body = b'{"requester": "CANARY@example.com"}'
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert ingress.post(path, data=body, headers={"X-CSC-Token": wrong}).status_code in {401, 429}
    assert ingress.post(path, data=body).status_code in {401, 429}
    assert connection not in hints("tickets").due()
    assert ingress.post(path, data=body, headers=bearer).status_code == 202
    assert ingress.post(path, data=body, headers={"X-CSC-Token": token}).status_code == 202
    assert hints("tickets").take(connection) == {Hint("tickets")}
    hints("tickets").finish(connection)


# --- what is left behind --------------------------------------------------------------------------


def test_nothing_personal_stays_in_redis_or_the_log(ingress, customer):
    canary = "anna.canary@contoso.example"
    ingress.notify(
        customer.tenant,
        customer.item("a", resourceData={"id": canary, "displayName": canary}, note=canary),
        customer.item("b", resource=f"users/{canary}", changeType=canary),
        customer.lifecycle(canary),
        customer.item("c", subscriptionId=canary),
    )
    ingress.post(f"/notifications/graph/{customer.tenant}/", data=canary.encode())
    ingress.post(f"/{canary}/", headers={"User-Agent": canary})
    assert canary.split(".")[0] not in everything_in(connect())
    assert "canary" not in ingress.log()
    assert noted(customer) == {
        f"look|{customer.subscription}|",
        f"lifecycle|{customer.subscription}|unknown",
        "alert||c",
    }


def test_readiness_says_whether_it_can_work(ingress):
    assert requests.get(f"{ingress.url}/readyz", timeout=20).text == "ok"
