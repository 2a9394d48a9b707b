"""Writes windows, and makes one file a day of those of a day that is over.

Safe to kill between any two steps and to run again: files are written first, the manifest that
names them last. One writer a tenant at a time; whoever calls sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

from lake.manifest import Manifest, Part, file_of, publish, windows_of
from lake.rows import Row, read_part, write_part
from lake.schema import TABLES, Table
from lake.store import Store

Feed = Callable[[Table, Manifest], Iterable[Sequence[Row]]]
"""Pages of the rows of a table that were written within a window."""


def write_window(store: Store, tenant: str, window: Manifest, feed: Feed) -> Manifest:
    """Write what the feed holds of the window. Without any row nothing is written: the next
    window begins where this one did."""
    parts = _write(store, tenant, window, lambda table: feed(table, window))
    written = replace(window, parts=parts)
    if parts:
        publish(store, tenant, written)
    return written


def rewrite_window(store: Store, tenant: str, window: Manifest, feed: Feed) -> Manifest:
    """Write a window again, as the feed has it now. What readers have open stays for them."""
    again = replace(window, generation=window.generation + 1)
    parts = _write(store, tenant, again, lambda table: feed(table, again))
    written = replace(again, parts=parts)
    publish(store, tenant, written)
    return written


def compact(store: Store, tenant: str, before: date) -> int:
    """One window of all those of a day that lies before; how many days were put together."""
    days = 0
    for day, found in groupby(windows_of(store, tenant), lambda one: one.until.date()):
        windows = list(found)
        if day < before and len(windows) > 1:
            _join(store, tenant, windows)
            days += 1
    return days


def _join(store: Store, tenant: str, windows: Sequence[Manifest]) -> None:
    first, last = windows[0], windows[-1]
    joined = replace(
        last, first=first.first, since_change=first.since_change, since=first.since, generation=1
    )

    def pages(table: Table) -> Iterator[list[Row]]:
        for window in windows:
            if part := window.parts.get(table.name):
                yield from read_part(store, part.path, table)

    publish(store, tenant, replace(joined, parts=_write(store, tenant, joined, pages)))


def _write(
    store: Store,
    tenant: str,
    window: Manifest,
    pages: Callable[[Table], Iterable[Sequence[Row]]],
) -> dict[str, Part]:
    parts = {}
    for table in TABLES.values():
        path = file_of(tenant, table.name, window)
        if part := write_part(store, path, table, tenant, pages(table)):
            parts[table.name] = part
    return parts
