import json
import logging
import os
import re
import time

import pytest
import requests
import responses
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from clients.errors import (
    ApiError,
    BadPayload,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from clients.microsoft.vault import Secret, Vault
from tests.clients.conftest import FakeTime, WireServer, reply
from tests.payloads import load

URL = "https://vault.example.com:8443"
CHALLENGE = (
    'Bearer authorization="https://login.example.com/aaaabbbb-0000-cccc-1111-dddd2222eeee", '
    'resource="https://vault.azure.net"'
)


class StaticCredential:
    """The managed identity of a test."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.scopes += scopes
        return AccessToken("identity-token", int(time.time()) + 3600)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK's own back-off cannot be told another clock.
    monkeypatch.setattr("azure.core.pipeline.transport.HttpTransport.sleep", lambda *_: None)


@pytest.fixture
def credential() -> StaticCredential:
    return StaticCredential()


@pytest.fixture
def vault(fake_time: FakeTime, credential: StaticCredential) -> Vault:
    return Vault(URL, credential=credential, clock=fake_time.clock)


class KeyVault:
    """A vault at the wire: versions by name, oldest first; asks for a token as Azure does."""

    def __init__(self, mock: responses.RequestsMock, **secrets: list[str]) -> None:
        self.secrets = {name.replace("_", "-"): values for name, values in secrets.items()}
        self.calls: list[str] = []
        mock.add_callback("GET", re.compile(URL), callback=self.answer)

    def answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if request.headers.get("Authorization") != "Bearer identity-token":
            return 401, {"WWW-Authenticate": CHALLENGE}, ""
        path = request.url.partition("?")[0].removeprefix(f"{URL}/secrets/")
        self.calls.append(path)
        name, _, version = path.partition("/")
        values = self.secrets.get(name)
        if values is None:
            body = load("microsoft/keyvault-error-secretnotfound-constructed")
            return 404, {}, json.dumps(body)
        if version == "versions":
            rows = [self.bundle(name, n) for n in range(len(values))]
            for row in rows:
                row.pop("value")
            return 200, {}, json.dumps({"value": rows[::-1]})
        number = int(version or len(values) - 1)
        return 200, {}, json.dumps(self.bundle(name, number))

    def bundle(self, name: str, number: int) -> dict[str, object]:
        value = self.secrets[name][number]
        attributes = {"enabled": value != "off", "created": 1_700_000_000, "updated": 1}
        return {
            "id": f"{URL}/secrets/{name}/{number}",
            "value": value,
            "attributes": attributes,
        }


@pytest.fixture
def mock() -> responses.RequestsMock:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def test_the_managed_identity_over_tls(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{wire.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "identity-header")
    token = {"access_token": "t1", "expires_on": "4102444800", "token_type": "Bearer"}
    bundle = {"id": f"{wire.url}/secrets/app-key/v1", "value": "one", "attributes": {}}
    wire.replies = [
        reply(401, b"", WWW_Authenticate=CHALLENGE),
        reply(200, json.dumps(token).encode(), Content_Type="application/json"),
        reply(200, json.dumps(bundle).encode(), Content_Type="application/json"),
    ]
    assert Vault(wire.url).get("app-key") == Secret("one", "v1")
    assert "resource=https://vault.azure.net" in wire.paths[1]
    assert wire.headers[1]["X-IDENTITY-HEADER"] == "identity-header"
    assert wire.headers[2]["Authorization"] == "Bearer t1"


def test_get_is_kept_for_its_time(
    mock: responses.RequestsMock, vault: Vault, fake_time: FakeTime, credential: StaticCredential
) -> None:
    remote = KeyVault(mock, app_key=["one"])
    assert vault.get("app-key") == Secret("one", "0")
    remote.secrets["app-key"].append("two")
    assert vault.get("app-key").value == "one"
    fake_time.now += 301
    assert vault.get("app-key") == Secret("two", "1")
    assert credential.scopes[0] == "https://vault.azure.net/.default"


def test_forget_reads_again(mock: responses.RequestsMock, vault: Vault) -> None:
    remote = KeyVault(mock, app_key=["one"])
    vault.get("app-key")
    vault.versions("app-key")
    remote.secrets["app-key"].append("two")
    vault.forget("app-key")
    assert vault.get("app-key").value == "two"
    assert [s.value for s in vault.versions("app-key")] == ["one", "two"]


def test_versions_are_oldest_first_and_enabled(mock: responses.RequestsMock, vault: Vault) -> None:
    remote = KeyVault(mock, key=["a", "off", "b"])
    expected = [Secret("a", "0"), Secret("b", "2")]
    assert vault.versions("key") == expected
    vault.versions("key").clear()
    assert vault.versions("key") == expected
    assert remote.calls.count("key/versions") == 1


def test_a_missing_secret_is_named(mock: responses.RequestsMock, vault: Vault) -> None:
    KeyVault(mock)
    with pytest.raises(NotFound, match="no secret named app-key"):
        vault.get("app-key")
    with pytest.raises(NotFound, match="app-key"):
        vault.versions("app-key")


@pytest.mark.parametrize(
    ("status", "payload", "kind", "words"),
    [
        (403, "forbidden", Forbidden, "Secrets User"),
        (429, "throttled", RateLimited, "too many"),
        (500, None, Unavailable, "500"),
        (400, None, Rejected, "400"),
        (200, None, BadPayload, "value"),
    ],
)
def test_faults(
    mock: responses.RequestsMock,
    vault: Vault,
    status: int,
    payload: str | None,
    kind: type[ApiError],
    words: str,
) -> None:
    body = load(f"microsoft/keyvault-error-{payload}-constructed") if payload else {}
    mock.get(f"{URL}/secrets/x/", status=status, json=body)
    with pytest.raises(kind, match=words) as caught:
        vault.get("x")
    assert "Caller" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_answer_that_is_no_json(mock: responses.RequestsMock, vault: Vault) -> None:
    mock.get(f"{URL}/secrets/x/", body="<html>", content_type="application/json")
    with pytest.raises(BadPayload, match="cannot be read"):
        vault.get("x")


def test_a_vault_that_is_away(mock: responses.RequestsMock, vault: Vault) -> None:
    mock.get(f"{URL}/secrets/x/", body=requests.ConnectionError("https://vault.example.com"))
    with pytest.raises(Unavailable) as caught:
        vault.get("x")
    assert "vault.example.com" not in str(caught.value)


def test_a_machine_without_identity(mock: responses.RequestsMock) -> None:
    class NoIdentity:
        def get_token(self, *_: str, **__: object) -> AccessToken:
            raise ClientAuthenticationError("no identity")

    mock.get(f"{URL}/secrets/x/", status=401, headers={"WWW-Authenticate": CHALLENGE})
    with pytest.raises(Unauthorized, match="managed identity"):
        Vault(URL, credential=NoIdentity()).get("x")


def test_azures_own_vaults_verify_the_challenge(
    mock: responses.RequestsMock, credential: StaticCredential
) -> None:
    url = "https://acme.vault.azure.net/secrets/x/"
    wrong = CHALLENGE.replace("vault.azure.net", "vault.evil.test")
    mock.get(url, status=401, headers={"WWW-Authenticate": wrong})
    with pytest.raises(Rejected, match="AZURE_KEY_VAULT_URL"):
        Vault("https://acme.vault.azure.net", credential=credential).get("x")
    assert credential.scopes == []


def test_values_are_never_shown(
    mock: responses.RequestsMock, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    KeyVault(mock, app_key=["very-secret"])
    with caplog.at_level(logging.DEBUG):
        secret = vault.get("app-key")
    assert "very-secret" not in repr(secret) + str(secret) + repr(vault) + caplog.text


def test_a_child_process_makes_its_own_client(mock: responses.RequestsMock, vault: Vault) -> None:
    KeyVault(mock, app_key=["one"])
    vault.get("app-key")
    vault._lock.acquire()  # as if another thread held it in the moment of the fork
    vault._pid = os.getpid() - 1
    vault.forget("app-key")
    assert vault.get("app-key").value == "one"
    assert vault._pid == os.getpid()
