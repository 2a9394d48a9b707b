"""Access tokens: real JWTs (RS256), with the key set that verifies them."""

import base64
import hashlib
import os
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

GRAPH = "https://graph.microsoft.com"
ARM = "https://management.azure.com"
VAULT = "https://vault.azure.net"
DEFENDER = "https://api.securitycenter.microsoft.com"
AUDIENCES = {
    GRAPH: GRAPH,
    "00000003-0000-0000-c000-000000000000": GRAPH,
    "https://graph.microsoft.us": GRAPH,
    "https://dod-graph.microsoft.us": GRAPH,
    ARM: ARM,
    "https://management.core.windows.net": ARM,
    "https://management.usgovcloudapi.net": ARM,
    VAULT: VAULT,
    "https://vault.usgovcloudapi.net": VAULT,
    DEFENDER: DEFENDER,
    "https://api.security.microsoft.com": DEFENDER,
}


class Signer:
    """Issues and checks tokens with one RSA key kept in the state directory."""

    def __init__(self, state: Path) -> None:
        path = state / "token-key.pem"
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key")
        self._key = loaded
        self._public = self._key.public_key()
        numbers = self._public.public_numbers()
        self._n = _b64(numbers.n.to_bytes(256, "big"))
        self._e = _b64(numbers.e.to_bytes(3, "big"))
        self._kid = _b64(hashlib.sha1(self._n.encode(), usedforsecurity=False).digest())

    def key_set(self, issuer: str) -> dict[str, Any]:
        key = {
            "kty": "RSA", "use": "sig", "kid": self._kid, "x5t": self._kid,
            "n": self._n, "e": self._e, "alg": "RS256", "issuer": issuer,
        }  # fmt: skip
        return {"keys": [key]}

    def issue(
        self, audience: str, directory: str, client_id: str, lifetime_s: int, **more: Any
    ) -> str:
        """A v1 access token as Graph, ARM and Key Vault get them."""
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{directory}/",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_s,
            "appid": client_id,
            "appidacr": "1",
            "idp": f"https://sts.windows.net/{directory}/",
            "idtyp": "app",
            "oid": str(uuid.uuid5(uuid.NAMESPACE_OID, directory + client_id)),
            "sub": str(uuid.uuid5(uuid.NAMESPACE_OID, directory + client_id)),
            "tid": directory,
            "uti": _b64(os.urandom(12)),
            "ver": "1.0",
            **more,
        }
        return self.sign(claims)

    def issue_own(
        self, issuer: str, audience: str, directory: str, client_id: str, lifetime_s: int,
        *, by_certificate: bool, **more: Any,
    ) -> str:  # fmt: skip
        """A v2 access token to an API of the directory's own, for a program."""
        now = int(time.time())
        principal = str(uuid.uuid5(uuid.NAMESPACE_OID, directory + client_id))
        claims = {
            "aud": audience, "iss": issuer, "iat": now, "nbf": now, "exp": now + lifetime_s,
            "azp": client_id, "azpacr": "2" if by_certificate else "1",
            "oid": principal, "sub": principal, "tid": directory,
            "uti": _b64(os.urandom(12)), "ver": "2.0", **more,
        }  # fmt: skip
        return self.sign(claims)

    def sign(self, claims: dict[str, Any]) -> str:
        headers = {"kid": self._kid, "x5t": self._kid, "typ": "JWT"}
        return jwt.encode(claims, self._key, "RS256", headers)

    @staticmethod
    def unsigned(claims: dict[str, Any]) -> str:
        """What a forger makes: a token of the algorithm "none"."""
        return jwt.encode(claims, None, "none", {"typ": "JWT"})

    def check(self, token: str) -> dict[str, Any]:
        """The claims; raises jwt.InvalidTokenError (expired, bad signature, no JWT)."""
        return jwt.decode(
            token, self._public, ["RS256"], options={"verify_aud": False, "require": ["exp", "tid"]}
        )


def unverified(token: str) -> dict[str, Any]:
    """The claims without any check, {} for what is no token: only to sort requests."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return claims


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
