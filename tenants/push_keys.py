"""Proofs that a post to the ingress comes from whom we told the secret, without a stored secret.

All are HMACs with keys that HKDF-SHA256 derives from the master key (`csc-pseudonym-key`), each use
with an info string of its own. So the ingress needs neither a database nor a cache to check them.
See RFC 2104, RFC 5869.

`clientState` of a subscription, at most 128 characters, says whom it is for and proves it:

    <tenant>.<app>.<resource>.<mac>     tenant's public id and app's client id as 22 characters
                                        each, the resource's path, HMAC over all this and the
                                        directory, which the notification names itself
"""

import base64
import binascii
import hmac
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

_SALT = b"csc-portal push"
_LABEL = re.compile(r"[^a-z0-9_/-]")
_LABEL_LENGTH = 36
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Proven:
    """What a genuine `clientState` says. `label` is the subscribed path, lower case, shortened."""

    tenant: uuid.UUID
    client_id: uuid.UUID
    label: str


def label_of(resource: str) -> str:
    """The path of a subscribed resource: no version, no query, plain characters."""
    path = resource.partition("?")[0].strip("/").casefold()
    for version in ("v1.0/", "beta/"):
        path = path.removeprefix(version)
    return _LABEL.sub("-", path)[:_LABEL_LENGTH]


def client_state(
    master: bytes, tenant: uuid.UUID, directory: uuid.UUID, client_id: uuid.UUID, resource: str
) -> str:
    """The secret that Microsoft repeats in every notification of a subscription."""
    said = f"{_short(tenant)}.{_short(client_id)}.{label_of(resource)}"
    return f"{said}.{_text(_mac(master, b'client state', said.encode() + directory.bytes))}"


def prove_client_state(masters: Sequence[bytes], text: str, directory: uuid.UUID) -> Proven | None:
    """What `text` says if it was made with one of the keys for this directory, else None."""
    said, _, mac = text.rpartition(".")
    parts = said.split(".")
    if len(text) > _LONGEST or len(parts) != 3 or not text.isascii():
        return None
    message = said.encode() + directory.bytes
    if not _is_any(masters, b"client state", message, mac):
        return None
    tenant, client_id = _long(parts[0]), _long(parts[1])
    if tenant is None or client_id is None:
        return None
    return Proven(tenant, client_id, parts[2])


def hint_key(master: bytes, tenant: uuid.UUID) -> str:
    """The key with which a customer's script signs its hints: 43 characters, used as text."""
    return _text(_mac(master, b"hint key", tenant.bytes))


def sign_hint(key: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 in hex over the timestamp (Unix seconds), a dot and the body."""
    return hmac.digest(key.encode(), timestamp.encode() + b"." + body, "sha256").hex()


def is_hint_signed(
    masters: Sequence[bytes], tenant: uuid.UUID, timestamp: str, body: bytes, signature: str
) -> bool:
    """Whether the signature was made with the tenant's hint key of any version."""
    wanted = [sign_hint(hint_key(master, tenant), timestamp, body) for master in masters]
    given = signature.encode("utf-8", "replace")
    return sum(hmac.compare_digest(one.encode(), given) for one in wanted) > 0


def webhook_token(master: bytes, connection: uuid.UUID) -> str:
    """The token that a ticket system sends along, by the connection's public id."""
    return _text(_mac(master, b"ticket webhook", connection.bytes))


def is_webhook_token(masters: Sequence[bytes], connection: uuid.UUID, token: str) -> bool:
    """Whether the token was made for this connection with any version of the key."""
    return _is_any(masters, b"ticket webhook", connection.bytes, token)


def outgoing_key(master: bytes, webhook: uuid.UUID, number: int) -> bytes:
    """The 32 bytes with which calls of a webhook out are signed; a new number, a new key."""
    return _mac(master, b"webhook out", webhook.bytes + number.to_bytes(4, "big"))


def report_token(master: bytes, tenant: uuid.UUID, link: uuid.UUID) -> str:
    """Opens one report: `<tenant>.<link>.<mac>`, 89 characters for an address."""
    said = f"{_short(tenant)}.{_short(link)}"
    return f"{said}.{_text(_mac(master, b'report link', said.encode()))}"


def prove_report_token(masters: Sequence[bytes], token: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """(tenant, link) if it was made with any version of the key, else None."""
    said, _, mac = token.rpartition(".")
    parts = said.split(".")
    if len(token) > _LONGEST or len(parts) != 2 or not token.isascii():
        return None
    if not _is_any(masters, b"report link", said.encode(), mac):
        return None
    tenant, link = map(_long, parts)
    return (tenant, link) if tenant and link else None


def _is_any(masters: Sequence[bytes], use: bytes, message: bytes, given: str) -> bool:
    wanted = [_text(_mac(master, use, message)).encode() for master in masters]
    text = given.encode("utf-8", "replace")
    # No early end: how long it takes says nothing.
    return sum(hmac.compare_digest(one, text) for one in wanted) > 0


def _mac(master: bytes, use: bytes, message: bytes) -> bytes:
    extracted = hmac.digest(_SALT, master, "sha256")
    key = hmac.digest(extracted, use + b"\x01", "sha256")
    return hmac.digest(key, message, "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _short(value: uuid.UUID) -> str:
    return _text(value.bytes)


def _long(text: str) -> uuid.UUID | None:
    try:
        data = base64.urlsafe_b64decode(text + "==")
    except (binascii.Error, ValueError):
        return None
    return uuid.UUID(bytes=data) if len(data) == 16 else None
