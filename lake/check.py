"""Compares the lake with the database: rows and checksums of each window and table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from lake.manifest import Manifest, windows_of
from lake.reader import Lake
from lake.rows import Checksum, Row, as_stored, read_part
from lake.schema import TABLES, Table
from lake.store import Store
from lake.writer import Feed

Pending = Callable[[Table], Collection[object]]
"""Keys of the rows that were written after the last window: the lake has an older version."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`rows` and `wanted`: what the lake holds and what it should, of a window's table."""

    window: str
    table: str
    problem: str
    rows: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Checked:
    """`rows`: of all versions that the windows hold."""

    windows: int
    rows: int
    differences: tuple[Difference, ...]


def check(store: Store, tenant: str, feed: Feed, pending: Pending) -> Checked:
    """Every file against its manifest, then every window's newest rows against the database.

    A row that changed since lies in a later window, in the database as well. In tables whose old
    rows the database deletes, the lake may have more; a window without a file was forgotten.
    """
    windows = windows_of(store, tenant)
    found = [one for window in windows for one in _of_files(store, window)]
    if not found and windows:
        with Lake(store, {tenant: tenant}) as lake:
            for table in TABLES.values():
                found += _of_rows(lake, table, windows, feed, pending(table))
    rows = sum(part.rows for window in windows for part in window.parts.values())
    return Checked(len(windows), rows, tuple(found))


def _of_files(store: Store, window: Manifest) -> Iterator[Difference]:
    for name, part in window.parts.items():
        held = Checksum()
        try:
            for page in read_part(store, part.path, TABLES[name]):
                held.add(page)
        except (OSError, ValueError):
            yield Difference(window.name, name, "the file can't be read", 0, part.rows)
            continue
        if (held.rows, held.text) != (part.rows, part.checksum):
            problem = "the file is not what was written"
            yield Difference(window.name, name, problem, held.rows, part.rows)


def _of_rows(
    lake: Lake, table: Table, windows: Sequence[Manifest], feed: Feed, pending: Collection[object]
) -> Iterator[Difference]:
    key = 1 + table.names.index(table.key)
    rows = (row for page in lake.newest(table) for row in page if row[key] not in pending)
    ours = _by_window(rows, windows)
    for window, held in zip(windows, ours, strict=True):
        if not window.parts:
            continue
        wanted = Checksum()
        for page in feed(table, window):
            wanted.add(as_stored(table, page))
        is_kept = table.is_forgotten and held.rows > wanted.rows
        if (held.rows, held.text) != (wanted.rows, wanted.text) and not is_kept:
            problem = "rows differ from the database"
            yield Difference(window.name, table.name, problem, held.rows, wanted.rows)


def _by_window(rows: Iterator[Row], windows: Sequence[Manifest]) -> list[Checksum]:
    begins = [window.since_change for window in windows]
    sums = [Checksum() for _ in windows]
    for row in rows:
        change = row[0]
        assert isinstance(change, int)  # noqa: S101 the column's type
        sums[bisect_right(begins, change) - 1].add([row])
    return sums
