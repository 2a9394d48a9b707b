"""A directory as an issuer of tokens: where its endpoints are, and by which keys it signs."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from clients.errors import Rejected
from clients.failures import member
from clients.http import Http, Policy
from clients.microsoft import aadsts
from clients.microsoft.signing_keys import SigningKeys

_POLICY = Policy(connect_s=3.0, read_s=5.0, deadline_s=8.0, attempts=2, max_bytes=1_048_576)


@dataclass(frozen=True, slots=True)
class Places:
    authorize: str
    token: str
    keys: str
    sign_out: str


class Issuer:
    """By its discovery document, which is read once. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        policy: Policy = _POLICY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = Http(self.url, name="Entra ID", policy=policy, read_error=aadsts.read_error)
        self._places: Places | None = None
        self._keys = SigningKeys(self._read_keys, clock)

    @property
    def places(self) -> Places:
        """Raises ApiError."""
        if self._places is None:
            self._places = self._read_places()
        return self._places

    def key(self, key_id: str) -> jwt.PyJWK | None:
        """None if the directory has no such key. Raises ApiError."""
        return self._keys.key(key_id)

    def _read_keys(self) -> object:
        return self._http.request("GET", self.places.keys).body

    def _read_places(self) -> Places:
        body = self._http.request("GET", "/.well-known/openid-configuration").body
        if member(body, "issuer") != self.url:
            text = "Entra ID: the issuer is another one. Check OIDC_DIRECTORY and OIDC_ISSUER."
            raise Rejected(text, code="issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint")
        return Places(*(self._http.same_host(str(member(body, name)), name) for name in names))
