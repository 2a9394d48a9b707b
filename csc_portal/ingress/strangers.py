"""How often one address may post what proves nothing. What is proven is never counted.

Counted in the memory of each process: it needs no Redis, and a flood from one address costs no more
than its own requests. Microsoft can't be locked out by somebody who shares its address.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest

from csc_portal.proxies import client_address

ALLOWED = 300
WINDOW_S = 60.0
MOST_ADDRESSES = 20_000
"""So many are remembered in a window; a flood from more is left to the network in front."""


class Strangers:
    """Unproven posts by address, in windows of a minute. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._ends = 0.0

    def count(self, address: str) -> None:
        with self._lock:
            self._turn()
            if address in self._counts or len(self._counts) < MOST_ADDRESSES:
                self._counts[address] = self._counts.get(address, 0) + 1

    def wait_s(self, address: str) -> int:
        """0, or the seconds until this address is heard again."""
        with self._lock:
            self._turn()
            if self._counts.get(address, 0) < ALLOWED:
                return 0
            return int(self._ends - self._clock()) + 1

    def _turn(self) -> None:
        now = self._clock()
        if now >= self._ends:
            self._counts.clear()
            self._ends = now + WINDOW_S


def address_of(request: HttpRequest) -> str:
    """Who posts. Behind `INGRESS_PROXIES` proxies: what the outermost of them wrote."""
    return client_address(request, settings.INGRESS_PROXIES)
