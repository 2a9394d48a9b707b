"""Tokens by which Graph proves that a rich notification comes from it.

https://learn.microsoft.com/graph/change-notifications-with-resource-data#validating-the-authenticity-of-notifications
"""

import time
import uuid
from collections.abc import Callable, Iterable

import jwt

from clients.http import Http, Policy
from clients.microsoft.signing_keys import SigningKeys, v1_issuers

PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"
"""Microsoft Graph Change Tracking: the app that publishes notifications."""


class TokenChecker:
    """Checks tokens against the keys of one login endpoint. Safe to share between threads."""

    def __init__(self, login_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._login = login_url.rstrip("/")
        policy = Policy(connect_s=1.0, read_s=1.5, deadline_s=2.5, attempts=1)
        self._http = Http(self._login, name="The login endpoint", policy=policy)
        self._keys = SigningKeys(self._read_keys, clock)

    def genuine(self, tokens: Iterable[str]) -> set[tuple[uuid.UUID, uuid.UUID]]:
        """(client id, directory) of each token that is signed, in time and from the publisher.

        Raises an ApiError if the keys can't be read.
        """
        found = {self._check(token) for token in tokens}
        return {pair for pair in found if pair is not None}

    def _check(self, token: str) -> tuple[uuid.UUID, uuid.UUID] | None:
        try:
            key = self._keys.key(str(jwt.get_unverified_header(token).get("kid")))
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
            *v1_issuers(directory),
        }

    def _read_keys(self) -> object:
        return self._http.request("GET", "/common/discovery/v2.0/keys").body
