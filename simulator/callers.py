"""Which service a request is for, and on whose behalf: told before it is handled."""

import base64
import binascii
from dataclasses import dataclass

from starlette.types import Scope

from simulator import tokens

GRAPH_FAMILIES = (
    ("security/alerts", "alerts"),
    ("security/incidents", "incidents"),
    ("security/secureScore", "secureScore"),
    ("auditLogs", "auditLogs"),
    ("reports", "auditLogs"),
    ("identityProtection", "identityProtection"),
    ("subscriptions", "subscriptions"),
    ("$batch", "batch"),
    ("users", "users"),
)


@dataclass(frozen=True, slots=True)
class Caller:
    service: str  # entra msi vault graph arm defender freshservice feeds control other
    family: str  # part of a service with its own limit, such as "alerts"
    directory: str  # directory's GUID, help desk's key, or ""
    client_id: str


def header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def identify(scope: Scope) -> Caller:
    path: str = scope["path"]
    first, _, rest = path.lstrip("/").partition("/")
    if first in {"_control", "msi"}:
        return Caller("control" if first == "_control" else "msi", first, "", "")
    if first in {"secrets", "deletedsecrets"}:
        return Caller("vault", first, "", "")
    if first in {"v1.0", "beta"}:
        directory, client_id = _bearer(scope)
        family = next(
            (family for start, family in GRAPH_FAMILIES if rest.startswith(start)), "other"
        )
        return Caller("graph", family, directory, client_id)
    if first in {"subscriptions", "providers", "tenants"}:
        directory, client_id = _bearer(scope)
        return Caller(
            "arm", "resourceGraph" if first == "providers" else "read", directory, client_id
        )
    if first == "freshservice":
        return Caller("freshservice", "account", rest.partition("/")[0], "")
    if first == "feeds":
        return Caller("feeds", rest, "", "")
    if first == "api" and rest.startswith("vulnerabilities"):
        return Caller("defender", "vulnerabilities", *_bearer(scope))
    if first in {"api", "a"}:
        return Caller("freshservice", "account", _basic_user(scope), "")
    if path.endswith("/adminconsent"):
        return Caller("entra", "consent", first, "")
    if "oauth2" in path or "openid-configuration" in path or "discovery" in path:
        return Caller("entra", "token" if path.endswith("/token") else "metadata", first, "")
    return Caller("other", "", "", "")


def bearer_token(scope: Scope) -> str:
    kind, _, token = header(scope, b"authorization").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _bearer(scope: Scope) -> tuple[str, str]:
    token = bearer_token(scope)
    claims = tokens.unverified(token) if token else {}
    return str(claims.get("tid", "")), str(claims.get("appid", ""))


def _basic_user(scope: Scope) -> str:
    kind, _, blob = header(scope, b"authorization").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(blob).decode("utf-8", "replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
