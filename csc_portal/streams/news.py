"""Which tenants have news, looked up once for all who listen in this process.

A listener then reads only those of its own tenants that changed. What is kept here are ids of
tenants and numbers of changes; what changed, each reads for itself, within its own rights.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable

from csc_portal.sync import Position, changed_tenants, position_now


class News:
    """`fresh_s`: who asks so soon after another one gets the same answer."""

    def __init__(self, fresh_s: float = 0.5) -> None:
        self.fresh_s = fresh_s
        self._lock = threading.Lock()
        self._tenants: frozenset[int] = frozenset()
        self._newest: dict[int, int] = {}
        self._until = 0
        self._looked_at = float("-inf")

    def join(self, tenants: Iterable[int]) -> None:
        """Look after these too. What they did before this is not known here."""
        with self._lock:
            if not self._tenants:
                self._until = position_now().first
            self._tenants |= frozenset(tenants)

    def since(self, position: Position, tenants: Collection[int]) -> tuple[list[int], int]:
        """(those of the tenants that changed since, how far was looked).

        For a position that was reached after they joined.
        """
        with self._lock:
            if time.monotonic() - self._looked_at >= self.fresh_s:
                self._until, found = changed_tenants(self._until, self._tenants)
                self._newest.update(found)
                self._looked_at = time.monotonic()
            first = position.first
            changed = [
                pk for pk, change in self._newest.items() if change >= first and pk in tenants
            ]
            return changed, self._until


NEWS = News()
