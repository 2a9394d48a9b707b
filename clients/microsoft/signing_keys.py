"""The keys by which a directory signs its tokens: read when needed, followed as they change."""

import threading
import time
import uuid
from collections.abc import Callable

import jwt

from clients.errors import ApiError, BadPayload

_FRESH_S = 24 * 3600.0
_RETRY_S = 60.0
_AFTER_FAULT_S = 5.0
_V1_ISSUERS = ("https://sts.windows.net", "https://sts.chinacloudapi.cn")


class SigningKeys:
    """`read` asks for the key set's document. Safe to share between threads.

    Whoever makes tokens up can't make the directory be asked more than once a minute, and while it
    does not answer, what is known serves on.
    """

    def __init__(
        self, read: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fault: ApiError | None = None
        self._stale_at = self._may_ask_at = float("-inf")

    def key(self, key_id: str) -> jwt.PyJWK | None:
        """None if the directory has no such key. Raises ApiError if it never answered."""
        if key_id in self._keys and self._clock() < self._stale_at:
            return self._keys[key_id]
        # Who has a key need not wait until somebody else has read them anew.
        if self._lock.acquire(blocking=key_id not in self._keys):
            try:
                self._refresh(key_id)
            finally:
                self._lock.release()
        if self._fault is not None and not self._keys:
            raise self._fault.with_traceback(None)
        return self._keys.get(key_id)

    def _refresh(self, key_id: str) -> None:
        now = self._clock()
        if now < self._may_ask_at or (key_id in self._keys and now < self._stale_at):
            return
        try:
            self._keys = keys_of(self._read())
        except ApiError as err:
            self._fault, self._may_ask_at = err, self._clock() + _AFTER_FAULT_S
        else:
            self._fault = None
            self._stale_at, self._may_ask_at = now + _FRESH_S, now + _RETRY_S


def keys_of(body: object) -> dict[str, jwt.PyJWK]:
    """The key set of a directory, by key id. Raises BadPayload."""
    try:
        found = jwt.PyJWKSet.from_dict(body if isinstance(body, dict) else {})
    except jwt.PyJWTError:
        raise BadPayload("Entra ID: the field keys can't be read.") from None
    return {str(key.key_id): key for key in found.keys}


def v1_issuers(directory: uuid.UUID) -> frozenset[str]:
    """How a directory calls itself in access tokens of version 1, which have the same keys."""
    return frozenset(f"{issuer}/{directory}/" for issuer in _V1_ISSUERS)
