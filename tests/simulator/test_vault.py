"""Key Vault as azure-keyvault-secrets with DefaultAzureCredential sees it."""

import base64

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from simulator import Simulator
from tests.simulator.test_entra import session


@pytest.fixture
def client(sim: Simulator, trusted: dict[str, str]) -> SecretClient:
    return SecretClient(sim.url, DefaultAzureCredential(), verify_challenge_resource=False)


def test_the_fixed_secrets_are_there(client: SecretClient) -> None:
    key = client.get_secret("csc-pseudonym-key")
    assert len(base64.b64decode(str(key.value))) == 32
    names = {row.name for row in client.list_properties_of_secrets()}
    wanted = {"csc-django-secret-key", "csc-app-credential", "freshservice-contoso-bank"}
    assert wanted <= names


def test_versions_disabled_and_deleted(sim: Simulator, client: SecretClient) -> None:
    first = client.set_secret("rotating", "one").properties.version
    client.set_secret("rotating", "two")
    assert client.get_secret("rotating").value == "two"
    assert client.get_secret("rotating", first).value == "one"
    for number in range(30):
        sim.control.set_secret("rotating", str(number))
    assert len(list(client.list_properties_of_secret_versions("rotating"))) == 32
    client.update_secret_properties("rotating", enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        client.get_secret("rotating")
    assert refused.value.status_code == 403
    client.begin_delete_secret("rotating").wait()
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("rotating")
    client.begin_recover_deleted_secret("rotating").wait()


def test_an_unknown_secret(client: SecretClient) -> None:
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_secret("nowhere")
    assert missing.value.error.code == "SecretNotFound"


def test_without_a_token_there_is_the_challenge(sim: Simulator) -> None:
    found = session(sim).get(f"{sim.url}/secrets/x?api-version=7.4", timeout=9)
    assert found.status_code == 401
    assert 'resource="https://vault.azure.net"' in found.headers["WWW-Authenticate"]


def test_the_apps_own_token_is_no_key(sim: Simulator) -> None:
    token = sim.control.token(sim.tenants[0]["slug"], "https://vault.azure.net")
    headers = {"Authorization": f"Bearer {token}"}
    found = session(sim).get(f"{sim.url}/secrets/x?api-version=7.4", headers=headers, timeout=9)
    assert found.status_code == 401
    assert "AKV10032" in found.text


def test_the_identity_endpoint_wants_its_header(
    sim: Simulator, trusted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{trusted['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource=https://vault.azure.net"
    assert requests.get(url, timeout=9, verify=str(sim.ca_file)).status_code == 401
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with pytest.raises(ClientAuthenticationError):
        ManagedIdentityCredential().get_token("https://vault.azure.net/.default")
