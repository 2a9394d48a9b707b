"""Tokens as msal gets them, and Entra's errors."""

import datetime
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import Simulator
from tests.simulator.conftest import Caller, client_id

GRAPH = "https://graph.microsoft.com/.default"


def session(sim: Simulator) -> requests.Session:
    found = requests.Session()
    found.trust_env = False
    found.verify = str(sim.ca_file)
    return found


def msal_token(sim: Simulator, credential: Any, directory: str = "") -> dict[str, Any]:
    app = msal.ConfidentialClientApplication(
        client_id(sim),
        authority=f"{sim.url}/{directory or sim.tenants[0]['directory']}",
        client_credential=credential,
        instance_discovery=False,
        http_client=session(sim),
    )
    return dict(app.acquire_token_for_client([GRAPH]))


def test_msal_gets_a_token_by_secret_that_the_key_set_verifies(sim: Simulator) -> None:
    directory = sim.tenants[0]["directory"]
    token = msal_token(sim, sim.control.secret("csc-app-credential"))["access_token"]
    keys = session(sim).get(f"{sim.url}/{directory}/discovery/v2.0/keys", timeout=9).json()["keys"]
    key = jwt.PyJWK(keys[0]).key
    claims = jwt.decode(token, key, ["RS256"], audience="https://graph.microsoft.com")
    assert claims["tid"] == directory
    assert "SecurityAlert.Read.All" in claims["roles"]
    assert claims["iss"] == f"https://sts.windows.net/{directory}/"


def test_msal_gets_a_token_by_certificate(sim: Simulator) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "csc")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303
    credential = {"private_key": private, "thumbprint": thumbprint, "public_certificate": pem}
    assert msal_token(sim, credential)["error_codes"] == [700027]
    sim.control.application(certificates=[pem])
    assert "access_token" in msal_token(sim, credential)
    sim.control.application(certificates=[])


def test_rotation_gives_the_real_errors(sim: Simulator) -> None:
    old = sim.control.secret("csc-app-credential")
    sim.control.rotate_app_secret(expire_old=True)
    refused = msal_token(sim, old)
    assert refused["error"] == "invalid_client"
    assert refused["error_codes"] == [7000222]
    sim.control.rotate_app_secret()
    assert msal_token(sim, old)["error_codes"] == [7000215]
    newest = sim.control.secret("csc-app-credential")
    sim.control.rotate_app_secret(keep_old=True)
    assert "access_token" in msal_token(sim, newest)


def post(sim: Simulator, tenant: str, **form: str) -> tuple[int, dict[str, Any]]:
    found = session(sim).post(f"{sim.url}/{tenant}/oauth2/v2.0/token", data=form, timeout=9)
    return found.status_code, found.json()


@pytest.mark.parametrize(
    ("tenant", "form", "status", "code"),
    [
        ("", {"grant_type": ""}, 400, 900144),
        ("", {"grant_type": "password"}, 400, 70003),
        ("", {"scope": "https://graph.microsoft.com/User.Read"}, 400, 70011),
        ("", {"scope": "https://unknown.example/.default"}, 400, 500011),
        ("", {"client_secret": ""}, 401, 7000218),
        ("", {"client_secret": "wrong"}, 401, 7000215),
        ("", {"client_id": "00001111-aaaa-2222-bbbb-3333cccc4444"}, 400, 700016),
        ("aaaabbbb-0000-cccc-1111-dddd2222eeee", {}, 400, 90002),
        ("not_a_tenant", {}, 400, 900023),
        ("common", {}, 400, 50059),
    ],
)
def test_errors(sim: Simulator, tenant: str, form: dict[str, str], status: int, code: int) -> None:
    sent = {
        "grant_type": "client_credentials",
        "client_id": client_id(sim),
        "client_secret": sim.control.secret("csc-app-credential"),
        "scope": GRAPH,
        **form,
    }
    sent = {key: value for key, value in sent.items() if value}
    found, body = post(sim, tenant or sim.tenants[0]["directory"], **sent)
    assert (found, body["error_codes"]) == (status, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert body["trace_id"]


def test_consent_taken_back_and_policy_refusals(sim: Simulator, empty: Caller) -> None:
    secret = sim.control.secret("csc-app-credential")
    guid = sim.control.state_of(empty.directory)["guid"]
    sim.control.configure(empty.directory, roles=[])
    token = msal_token(sim, secret, guid)["access_token"]
    assert "roles" not in jwt.decode(token, options={"verify_signature": False})
    sim.control.configure(empty.directory, entra_error={"error": "access_denied", "code": 53003})
    assert msal_token(sim, secret, guid)["error_codes"] == [53003]
    sim.control.configure(empty.directory, entra_error=None, roles=None)
    assert msal_token(sim, secret, guid)["error_codes"] == [700016]


def test_secrets_of_a_token_request_are_not_kept(sim: Simulator) -> None:
    secret = sim.control.secret("csc-app-credential")
    msal_token(sim, secret)
    kept = sim.control.requests(service="entra", path="/token")[-1]
    assert secret not in str(kept)
    assert "client_secret=***" in kept["body"]
