"""A browser's way to Microsoft and back, for tests: the simulator's page is really filled."""

from __future__ import annotations

import datetime
import html
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from simulator import Simulator
from tenants.models import EntraMapping, Tenant

START = "/account/microsoft/"
DONE = "/account/microsoft/done/"
PASSWORD = "correct horse battery"


def configure(settings: Any, simulator: Simulator) -> None:
    for name in ("OIDC_DIRECTORY", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET_NAME"):
        setattr(settings, name, simulator.environment[name])


def window() -> Client:
    """A browser at an address that the app is registered for, in a network of its own."""
    return Client(SERVER_NAME="localhost", REMOTE_ADDR=somewhere())


def somewhere() -> str:
    return f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::1"


def person(simulator: Simulator, **changes: Any) -> dict[str, Any]:
    """Somebody new in the provider's directory."""
    name = f"p{uuid.uuid4().hex[:8]}@provider.example"
    return simulator.control.set_person(changes.pop("username", name), **changes)


def role_mapping(value: str, role: str, tenant: Tenant | None = None) -> EntraMapping:
    return EntraMapping.objects.create(kind="app_role", value=value, role=role, tenant=tenant)


def group_mapping(value: str, role: str, tenant: Tenant | None = None) -> EntraMapping:
    return EntraMapping.objects.create(kind="group", value=value, role=role, tenant=tenant)


def at_microsoft(simulator: Simulator, address: str, who: dict[str, Any], **form: str) -> str:
    """Fill Microsoft's page; where it sends the browser (path and query)."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(simulator.ca_file)
    shown = session.get(address, timeout=9)
    found = re.search('action="([^"]+)"', shown.text)
    assert found, shown.text
    answer = session.post(
        f"{simulator.url}{html.unescape(found.group(1))}",
        {"loginfmt": who["username"], "passwd": who["password"], **form},
        timeout=9,
        allow_redirects=False,
    )
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def begin(client: Client, **query: str) -> str:
    """Where the portal sends the browser."""
    answer = client.get(START, query)
    assert answer.status_code == 302, answer.content
    return str(answer.headers["Location"])


def sign_in(client: Client, simulator: Simulator, who: dict[str, Any], **query: str) -> Any:
    """All the way; the portal's answer at the end."""
    return client.get(at_microsoft(simulator, begin(client, **query), who))


def asked(address: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}


def told(answer: Any) -> str:
    """What the page says in its alert."""
    text = answer.content.decode().partition('role="alert">')[2].partition("</div>")[0]
    return html.unescape(text).strip()


def is_in(client: Client) -> bool:
    return bool(client.get("/account/security/").status_code == 200)


def certificate_pems() -> tuple[str, str]:
    """A private key and its certificate, good for a day."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sign-in")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
