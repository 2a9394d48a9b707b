"""The ingress when something is away, when strangers flood it, and when tokens come along."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import jwt
import pytest
import redis
import requests
from django.conf import settings as portal

from clients.errors import Unavailable
from clients.microsoft.validation_tokens import PUBLISHER, TokenChecker
from csc_portal import services
from csc_portal.embedded import postgres, valkey
from csc_portal.hints import Hints, connect, hints
from csc_portal.ingress.keys import FRESH_S, RETRY_S, Keys, KeysAway
from csc_portal.ingress.strangers import ALLOWED
from tests.csc_portal.ingress_lab import Customer, Ingress, free_port
from tests.environment import SIMULATOR
from tests.lab import wait_for


@pytest.fixture
def start(simulator, tmp_path) -> Iterator:
    """Start an ingress of one's own; it is stopped after the test."""
    running: list[Ingress] = []

    def run(redis_url: str = "", **environment: str) -> Ingress:
        found = Ingress(tmp_path, redis_url or portal.BACKING.redis_url, **environment)
        running.append(found)
        return found

    yield run
    for one in running:
        one.stop()


@pytest.fixture
def customer() -> Iterator[Customer]:
    yield (found := Customer())
    hints().forget(found.tenant)


def test_it_works_without_postgres_and_comes_back_with_redis(start, customer, tmp_path):
    home = tmp_path / "data"
    found = services.ensure(home)
    servers = home.joinpath("servers").resolve()
    redis_url = urlsplit(found.redis_url)
    ingress = start(found.redis_url, DATABASE_URL=found.database_url)
    try:
        postgres.stop(servers)
        assert ingress.notify(customer.tenant, customer.item("a1")).status_code == 202
        assert requests.get(f"{ingress.url}/readyz", timeout=20).status_code == 200
        valkey.stop(servers, redis_url.port, redis_url.password)
        answer = ingress.notify(customer.tenant, customer.item("a2"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        forged = customer.item("a2", clientState="forged")
        assert ingress.notify(customer.tenant, forged).status_code == 202
        assert requests.get(f"{ingress.url}/readyz", timeout=20).status_code == 503
        assert requests.get(f"{ingress.url}/healthz", timeout=20).status_code == 200
        again = services.ensure(home)
        assert again.redis_url == found.redis_url
        assert ingress.notify(customer.tenant, customer.item("a2")).status_code == 202
        client = redis.Redis.from_url(again.redis_url, decode_responses=True)
        assert "a2" in {hint.value for hint in Hints(client).take(customer.tenant)}
    finally:
        services.erase(home)


def test_without_the_vault_microsoft_is_asked_to_try_again(start, customer):
    ingress = start(AZURE_KEY_VAULT_URL=f"https://127.0.0.1:{free_port()}")
    path = f"/notifications/graph/{customer.tenant}/"
    answers = [ingress.notify(customer.tenant, item) for item in (customer.item("a"), {"x": 1})]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert ingress.post(path, params={"validationToken": "a b"}).text == "a b"
    assert requests.get(f"{ingress.url}/readyz", timeout=30).status_code == 503
    assert requests.get(f"{ingress.url}/healthz", timeout=20).status_code == 200


def test_keys_are_kept_while_the_vault_is_away():
    now, answers = [0.0], [(("v1", b"1"),)]

    def read() -> tuple[tuple[str, bytes], ...]:
        if not answers:
            raise Unavailable("away")
        return answers[-1]

    keys = Keys(read, lambda: now[0])
    assert keys.get() == (b"1",)
    answers.clear()
    now[0] += FRESH_S
    assert keys.get() == (b"1",)
    wait_for(lambda: keys._next_read == now[0] + RETRY_S)
    answers.append((("v2", b"2"), ("v1", b"1")))
    now[0] += RETRY_S
    wait_for(lambda: keys.get() == (b"2", b"1"))


def test_keys_that_were_never_read_are_asked_for_now_and_then():
    now, reads = [0.0], []

    def read() -> tuple[tuple[str, bytes], ...]:
        reads.append(1)
        raise Unavailable("away")

    keys = Keys(read, lambda: now[0])
    for _ in range(5):
        with pytest.raises(KeysAway):
            keys.get()
    assert len(reads) == 1
    now[0] += RETRY_S
    with pytest.raises(KeysAway):
        keys.get()
    assert len(reads) == 2


# --- floods ---------------------------------------------------------------------------------------


def flood(ingress: Ingress, customer: Customer, **headers: str) -> list[int]:
    forged = {"value": [customer.item("a", clientState="forged")]}
    path = f"{ingress.url}/notifications/graph/{customer.tenant}/"
    with requests.Session() as session:
        return [
            session.post(path, json=forged, headers=headers, timeout=20).status_code
            for _ in range(ALLOWED + 20)
        ]


def test_a_flood_is_limited_and_the_genuine_still_heard(start, customer):
    ingress, began = start(), time.monotonic()
    statuses = flood(ingress, customer)
    assert (set(statuses), statuses[-1]) == ({202, 429}, 429)
    # A header that no proxy of ours has written changes nothing.
    assert flood(ingress, customer, **{"X-Forwarded-For": "192.0.2.7"})[0] == 429
    genuine = ingress.notify(customer.tenant, customer.item("real"))
    assert genuine.status_code == 202
    assert {hint.value for hint in hints().take(customer.tenant)} == {"real"}
    large = ingress.post(
        f"/notifications/graph/{customer.tenant}/", {"value": [{"x": "y" * 100_000}]}
    )
    assert (large.status_code, int(large.headers["Retry-After"]) > 0) == (429, True)
    lines = ingress.log().count("posts without proof")
    assert lines <= 2 + (time.monotonic() - began) // 10


def test_behind_a_proxy_each_address_has_its_own_limit(start, customer):
    ingress = start(INGRESS_PROXIES="1")
    forwarded = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    assert flood(ingress, customer, **forwarded)[-1] == 429
    for hops, status in (("192.0.2.8", 202), ("192.0.2.8, 192.0.2.7", 429), ("nonsense", 202)):
        answer = ingress.post(
            f"/notifications/graph/{customer.tenant}/", {"value": []},
            headers={"X-Forwarded-For": hops},
        )  # fmt: skip
        assert answer.status_code == status


# --- validation tokens of rich notifications ------------------------------------------------------


def token(customer: Customer, url: str, key: str | None = None, **changes: object) -> str:
    """As Microsoft would sign it, with the stand-in's key."""
    keys = requests.get(f"{url}/common/discovery/v2.0/keys", timeout=20).json()["keys"]
    claims = {
        "aud": str(customer.client_id),
        "iss": f"{url}/{customer.directory}/v2.0",
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
        "azp": PUBLISHER,
        "tid": str(customer.directory),
        "ver": "2.0",
        **changes,
    }
    secret = key or (SIMULATOR / "token-key.pem").read_text()
    algorithm = "HS256" if key else "RS256"
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": keys[0]["kid"]})


def test_genuine_tokens_vouch_for_their_app_and_directory(start, simulator, customer):
    ingress = start()
    other = Customer()
    rich = customer.item("a", encryptedContent={"data": "x"})
    tokens = [token(customer, simulator.url), "nonsense", 7]
    answer = ingress.notify(customer.tenant, rich, other.item("b"), validationTokens=tokens)
    assert answer.status_code == 202
    assert {hint.value for hint in hints().take(customer.tenant)} == {"a"}
    assert hints().take(other.tenant) == frozenset()


def test_a_v1_token_vouches_too(simulator, customer):
    old = {
        "iss": f"https://sts.windows.net/{customer.directory}/", "ver": "1.0", "azp": None,
        "appid": PUBLISHER,
    }  # fmt: skip
    found = TokenChecker(simulator.url).genuine([token(customer, simulator.url, **old)])
    assert found == {(customer.client_id, customer.directory)}


@pytest.mark.parametrize(
    "changes",
    [
        {"azp": str(uuid.uuid4())},
        {"azp": None, "appid": PUBLISHER},
        {"exp": int(time.time()) - 7200},
        {"iss": "https://evil.example/common/v2.0"},
        {"tid": "common"},
        {"aud": "api://other"},
        {"key": "a shared secret, which no public key may be taken for"},
    ],
)
def test_other_tokens_vouch_for_nobody(simulator, customer, changes):
    checker = TokenChecker(simulator.url)
    assert checker.genuine([token(customer, simulator.url, **changes)]) == set()


def test_keys_that_can_not_be_read_mean_later(start, customer, simulator):
    ingress = start(MICROSOFT_LOGIN_URL=f"https://127.0.0.1:{free_port()}")
    some = token(customer, simulator.url)
    answer = ingress.notify(customer.tenant, customer.item("a"), validationTokens=[some])
    assert answer.status_code == 503
    assert connect().exists(f"csc:hints:graph:{customer.tenant.hex}:new") == 0
