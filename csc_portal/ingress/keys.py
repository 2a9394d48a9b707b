"""The master keys in this process: renewed in the background, kept while the vault is away.

A notification never waits for the vault but the very first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from clients.errors import ApiError
from tenants.directories import BadSecret, master_keys

logger = logging.getLogger(__name__)

FRESH_S = 300.0
RETRY_S = 5.0
FIRST_READ_S = 2.5
"""Microsoft counts an answer after three seconds as slow."""


class KeysAway(RuntimeError):
    """The vault was not reached yet: nothing can be checked."""


class Keys:
    """The keys, newest first. Safe to share between threads."""

    def __init__(
        self,
        read: Callable[[], tuple[tuple[str, bytes], ...]] = master_keys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[bytes, ...] = ()
        self._next_read = 0.0
        self._was_read = threading.Event()

    def __repr__(self) -> str:
        return f"Keys(versions={len(self._keys)})"

    def get(self) -> tuple[bytes, ...]:
        """Raises KeysAway if they could never be read."""
        if self._clock() >= self._next_read and self._lock.acquire(blocking=False):
            self._was_read.clear()
            threading.Thread(target=self._renew, daemon=True).start()
        if not self._keys:
            self._was_read.wait(FIRST_READ_S)
        if not self._keys:
            raise KeysAway
        return self._keys

    def _renew(self) -> None:
        try:
            self._keys = tuple(key for _, key in self._read())
            self._next_read = self._clock() + FRESH_S
        except (ApiError, BadSecret) as err:
            logger.error("the master key can't be read kind=%s", type(err).__name__)
            self._next_read = self._clock() + RETRY_S
        finally:
            self._was_read.set()
            self._lock.release()
