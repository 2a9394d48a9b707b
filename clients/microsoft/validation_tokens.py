"""Tokens by which Graph proves that a rich notification comes from it.

https://learn.microsoft.com/graph/change-notifications-with-resource-data#validating-the-authenticity-of-notifications
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable

import jwt

from clients.errors import BadPayload
from clients.http import Http, Policy

PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"
"""Microsoft Graph Change Tracking: the app that publishes notifications."""
_FRESH_S = 24 * 3600.0
_RETRY_S = 60.0
_V1_ISSUERS = ("https://sts.windows.net", "https://sts.chinacloudapi.cn")


class TokenChecker:
    """Checks tokens against the keys of one login endpoint. Safe to share between threads."""

    def __init__(self, login_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._login = login_url.rstrip("/")
        policy = Policy(connect_s=1.0, read_s=1.5, deadline_s=2.5, attempts=1)
        self._http = Http(self._login, name="The login endpoint", policy=policy)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = -_FRESH_S

    def genuine(self, tokens: Iterable[str]) -> set[tuple[uuid.UUID, uuid.UUID]]:
        """(client id, directory) of each token that is signed, in time and from the publisher.

        Raises an ApiError if the keys can't be read.
        """
        found = {self._check(token) for token in tokens}
        return {pair for pair in found if pair is not None}

    def _check(self, token: str) -> tuple[uuid.UUID, uuid.UUID] | None:
        try:
            key = self._key(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                # The audience is compared by the caller, who knows the app that it is for.
                options={"verify_aud": False, "require": ["exp", "iss", "aud"]},
                leeway=300,
            )
            directory = uuid.UUID(str(claims.get("tid")))
            client_id = uuid.UUID(str(claims["aud"]))
        except (jwt.PyJWTError, ValueError):
            return None
        publisher = claims.get("appid") if claims.get("ver") == "1.0" else claims.get("azp")
        if publisher != PUBLISHER or claims["iss"] not in self._issuers(directory):
            return None
        return client_id, directory

    def _issuers(self, directory: uuid.UUID) -> set[str]:
        return {
            f"{self._login}/{directory}/v2.0",
            *(f"{issuer}/{directory}/" for issuer in _V1_ISSUERS),
        }

    def _key(self, key_id: str) -> jwt.PyJWK | None:
        """An unknown id may be a new key: read again, but at most once a minute."""
        with self._lock:
            age_s = self._clock() - self._read_at
            if age_s >= _FRESH_S or (key_id not in self._keys and age_s >= _RETRY_S):
                self._keys = self._read_keys()
                self._read_at = self._clock()
        return self._keys.get(key_id)

    def _read_keys(self) -> dict[str, jwt.PyJWK]:
        body = self._http.request("GET", "/common/discovery/v2.0/keys").body
        try:
            found = jwt.PyJWKSet.from_dict(body if isinstance(body, dict) else {})
        except jwt.PyJWTError as err:
            raise BadPayload("The login endpoint: the field keys can't be read.") from err
        return {str(key.key_id): key for key in found.keys}
