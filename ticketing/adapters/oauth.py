"""OAuth 2.0 client credentials (RFC 6749, 4.4): a token for the client's secret, kept in memory."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from urllib.parse import quote

from clients.errors import ApiError, BadPayload, Unauthorized
from clients.failures import Failure, build_error, member, safe_code
from clients.http import Http

_EARLY_S = 60.0  # a token is renewed so long before it ends
_DEFAULT_LIFE_S = 300.0
_LONGEST_LIFE_S = 86_400.0
_MOST_KEPT = 1_000

_tokens: dict[bytes, tuple[str, float]] = {}
_lock = threading.Lock()


class ClientCredentials:
    """Gets a token from the token endpoint, on the server `http`, and keeps it until it ends.

    `in_body`: the client's id and secret go into the form instead of into HTTP Basic.
    """

    def __init__(
        self,
        http: Http,
        token_url: str,
        client_id: str,
        scope: str = "",
        *,
        in_body: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._client_id = client_id
        self._scope = scope
        self._in_body = in_body
        self._clock = clock
        self._key = b""
        self._was_cached = False

    def headers(self, secret: str) -> dict[str, str]:
        parts = (self._token_url, self._client_id, self._scope, secret)
        # A digest, so that no secret outlives its use here.
        self._key = hashlib.sha256("\0".join(parts).encode()).digest()
        with _lock:
            token, ends = _tokens.get(self._key, ("", 0.0))
        self._was_cached = bool(token) and ends > self._clock()
        if not self._was_cached:
            token = self._new_token(secret)
        return {"Authorization": f"Bearer {token}"}

    def forget(self) -> bool:
        with _lock:
            _tokens.pop(self._key, None)
        return self._was_cached

    def _new_token(self, secret: str) -> str:
        form = {"grant_type": "client_credentials"}
        headers = {}
        if self._scope:
            form["scope"] = self._scope
        if self._in_body:
            form |= {"client_id": self._client_id, "client_secret": secret}
        else:
            pair = f"{quote(self._client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = self._http.request("POST", self._token_url, form=form, headers=headers, retry=True)
        token = member(answer.body, "access_token")
        if not isinstance(token, str) or not token or not token.isascii():
            raise BadPayload(f"{self._http.name}: the field access_token is missing.")
        life = member(answer.body, "expires_in")
        try:
            seconds = min(float(str(life)), _LONGEST_LIFE_S)
        except ValueError:
            seconds = _DEFAULT_LIFE_S
        now = self._clock()
        with _lock:
            for key in [key for key, (_token, ends) in _tokens.items() if ends <= now]:
                del _tokens[key]
            if len(_tokens) < _MOST_KEPT:
                _tokens[self._key] = (token, now + max(0.0, seconds - _EARLY_S))
        return token


def read_error(failure: Failure) -> ApiError:
    """The error reader for token endpoints (RFC 6749, 5.2); a refused client is Unauthorized."""
    code = safe_code(member(failure.body, "error"))
    if failure.status in (400, 401) and code in ("invalid_client", "unauthorized_client"):
        advice = "Check the client's id, and the client's secret in the vault."
        return build_error(failure, code=code, advice=advice, kind=Unauthorized)
    advice = "Check the scope and the address of the token endpoint." if code else ""
    return build_error(failure, code=code, advice=advice)
