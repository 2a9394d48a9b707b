"""Sets of things that belong together (a disjoint-set forest)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Groups(Generic[T]):
    """Each item is in one set; `join` makes one set of all that it is given."""

    def __init__(self) -> None:
        self._parent: dict[T, T] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(self._parent)

    def join(self, items: Iterable[T]) -> None:
        first: T | None = None
        for item in items:
            root = self.root(item)
            if first is None:
                first = root
            elif root != first:
                self._parent[root] = first

    def root(self, item: T) -> T:
        """The item that stands for the set; an unknown item becomes a set of its own."""
        parent = self._parent.setdefault(item, item)
        while parent != item:
            grandparent = self._parent[parent]
            self._parent[item] = grandparent
            item, parent = parent, grandparent
        return item

    def sets(self) -> dict[T, list[T]]:
        """Root -> all members of its set."""
        found: dict[T, list[T]] = {}
        for item in list(self._parent):
            found.setdefault(self.root(item), []).append(item)
        return found
