"""App-only tokens of a customer's directory, by client credentials.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msal
import orjson
from msal.authority import WELL_KNOWN_AUTHORITY_HOSTS

from clients.errors import BadPayload, Rejected, Unauthorized
from clients.failures import member
from clients.http import Http, Policy
from clients.microsoft import aadsts
from clients.microsoft.credentials import parse_credential
from clients.microsoft.discovery import can_name_directory

_RENEW_BEFORE_S = 300
_POLICY = Policy(connect_s=5.0, read_s=15.0, deadline_s=60.0, max_bytes=1_048_576)

TokenKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class TokenCache:
    """Tokens of one process, by (login URL, directory, client id, scope); thread- and fork-safe."""

    def __init__(self) -> None:
        self._tokens: dict[TokenKey, _Token] = {}
        self._locks: dict[TokenKey, threading.Lock] = {}
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew_locks)

    def get(self, key: TokenKey, now: float) -> str | None:
        """The token, unless it ends within five minutes."""
        token = self._tokens.get(key)
        return token.value if token is not None and now < token.renew_at else None

    def put(self, key: TokenKey, value: str, renew_at: float) -> None:
        """Keep a token until `renew_at`."""
        self._tokens[key] = _Token(value, renew_at)

    def drop(self, key: TokenKey, value: str | None = None) -> None:
        """Forget a token; with `value` only if it still is that one, not its successor."""
        token = self._tokens.get(key)
        if token is not None and value in (None, token.value):
            self._tokens.pop(key, None)

    def lock(self, key: TokenKey) -> threading.Lock:
        """One lock a key, so that many threads fetch one token once."""
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _renew_locks(self) -> None:
        self._lock = threading.Lock()
        self._locks = {}


_shared_cache = TokenCache()


class DirectoryTokens:
    """Tokens for one app in one directory.

    `credential` gives the secret or PEM text, `forget_credential` makes it read the vault again:
    both are used once more when Entra ID says that the credential is wrong or expired.
    """

    def __init__(
        self,
        login_url: str,
        directory: str,
        client_id: str,
        credential: Callable[[], str],
        forget_credential: Callable[[], None],
        *,
        cache: TokenCache | None = None,
        policy: Policy = _POLICY,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = Http(
            login_url, name="Entra ID", policy=policy, read_error=aadsts.read_error, sleep=sleep
        )
        self._directory = directory.strip().lower()
        self._client_id = client_id.strip()
        self._credential = credential
        self._forget_credential = forget_credential
        self._cache = cache or _shared_cache
        self._clock = clock

    def token(self, scope: str) -> str:
        """A token for a scope such as https://graph.microsoft.com/.default.

        A token says nothing about permissions: a missing consent to one shows as Forbidden later.
        Raises Unauthorized or Rejected with a code such as "AADSTS700016", Unavailable,
        RateLimited, BadPayload.
        """
        key = self._key(scope)
        if cached := self._cache.get(key, self._clock()):
            return cached
        with self._cache.lock(key):
            if cached := self._cache.get(key, self._clock()):
                return cached
            try:
                return self._fetch(key, scope)
            except Unauthorized as err:
                if err.code not in aadsts.STALE_CREDENTIAL:
                    raise
            self._forget_credential()
            return self._fetch(key, scope)

    def forget(self, scope: str, token: str | None = None) -> None:
        """Fetch anew next time, because the API refused the token; a newer one is kept."""
        self._cache.drop(self._key(scope), token)

    def _key(self, scope: str) -> TokenKey:
        return (self._http.base_url, self._directory, self._client_id, scope)

    def _fetch(self, key: TokenKey, scope: str) -> str:
        if not can_name_directory(self._directory):
            advice = aadsts.MEANINGS["900023"].advice
            raise Rejected(advice, code="AADSTS900023")
        credential = parse_credential(self._credential())
        host = (urlsplit(self._http.base_url).hostname or "").lower()
        try:
            # One app a token: MSAL would keep an error for a minute, past a renewed credential.
            app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=credential.for_msal,
                authority=f"{self._http.base_url}/{self._directory}",
                instance_discovery=host in WELL_KNOWN_AUTHORITY_HOSTS,
                http_client=_Transport(self._http, host),
                azure_region=False,
            )
            result = app.acquire_token_for_client([scope])
        except ValueError:
            # What is left for MSAL to complain about: a login URL without https.
            raise Rejected("The login URL is not usable: check MICROSOFT_LOGIN_URL.") from None
        value, lifetime = result["access_token"], result["expires_in"]
        self._cache.put(key, value, self._clock() + max(0, lifetime - _RENEW_BEFORE_S))
        return str(value)


@dataclass(frozen=True, slots=True)
class _Response:
    """The part of a response that MSAL reads."""

    status_code: int
    text: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict)

    def raise_for_status(self) -> None:
        """Never needed: the transport raises ApiError for anything but a success."""


class _Transport:
    """MSAL's HTTP client, by ours: time-outs, retries, and errors that say what to do.

    Answers are cut down to the fields that MSAL needs, because it logs what it cannot read.
    """

    def __init__(self, http: Http, login_host: str) -> None:
        self._http = http
        self._login_host = login_host

    def get(self, url: str, params: Mapping[str, str] | None = None, **_: Any) -> _Response:
        """The directory's OpenID configuration. A directory that does not exist fails here."""
        body = self._http.request("GET", url, params=params).body
        endpoint = member(body, "token_endpoint")
        if not isinstance(endpoint, str) or not self._may_get_secrets(endpoint):
            raise BadPayload("Entra ID: the field token_endpoint is missing or leads elsewhere.")
        return _response(
            {
                "issuer": str(member(body, "issuer") or ""),
                "authorization_endpoint": str(member(body, "authorization_endpoint") or endpoint),
                "token_endpoint": endpoint,
            }
        )

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _Response:
        """The token call; it may be repeated, as it changes nothing."""
        form = {name: _text(value) for name, value in (data or {}).items()}
        http = self._http if self._http.owns(url) else Http(url, name="Entra ID", policy=_POLICY)
        body = http.request(
            "POST",
            url,
            params=params,
            form=form,
            headers=headers,
            retry=True,
            read_error=aadsts.read_error,
        ).body
        token, lifetime = member(body, "access_token"), member(body, "expires_in")
        if not isinstance(token, str) or not token:
            raise BadPayload("Entra ID: the field access_token is missing.")
        if isinstance(lifetime, str) and lifetime.isdigit():
            lifetime = int(lifetime)
        if not isinstance(lifetime, int | float) or isinstance(lifetime, bool):
            raise BadPayload("Entra ID: the field expires_in is missing or no number.")
        return _response(
            {"token_type": "Bearer", "access_token": token, "expires_in": int(lifetime)}
        )

    def close(self) -> None:
        """Nothing to close: connections belong to the process."""

    def _may_get_secrets(self, endpoint: str) -> bool:
        # A cloud's login host may name another of its own hosts; nobody else gets our secret.
        parts = urlsplit(endpoint)
        known = {self._login_host, parts.hostname} <= WELL_KNOWN_AUTHORITY_HOSTS
        return self._http.owns(endpoint) or (parts.scheme == "https" and known)


def _response(body: dict[str, object]) -> _Response:
    return _Response(200, orjson.dumps(body).decode())


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
