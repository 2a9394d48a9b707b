"""Windows of made-up rows, for tests of the files alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from lake.manifest import Manifest, last_window
from lake.rows import Row
from lake.schema import Table
from lake.store import Store
from lake.writer import write_window

DAY = datetime(2026, 11, 20, tzinfo=UTC)
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def case(change: int, key: int, **values: object) -> Row:
    """A row of `cases`; what is not given is null."""
    return _row(("case_id", *CASE), change, {"case_id": key, **values})


def event(change: int, key: int, **values: object) -> Row:
    return _row(("event_id", *EVENT), change, {"event_id": key, **values})


CASE = (
    "public_id", "status", "verdict", "determination", "verdict_reason", "closed_by", "title",
    "category", "source", "severity", "priority", "pillars", "is_vip", "alert_count",
    "entity_count", "assignee", "merged_into", "continues", "has_ticket", "first_activity_at",
    "last_activity_at", "opened_at", "changed_at",
)  # fmt: skip
EVENT = (
    "case_id", "happened_at", "actor", "kind", "status", "verdict", "determination",
    "verdict_reason", "assignee",
)  # fmt: skip


def _row(names: Iterable[str], change: int, values: Mapping[str, object]) -> Row:
    return (change, *(values.get(name) for name in names))


class Database:
    """Rows by table; each has a place in time by its `change`, as in the real one."""

    def __init__(self, **tables: list[Row]) -> None:
        self.tables = tables

    def put(self, table: str, *rows: Row) -> None:
        """A row with the key of another takes its place."""
        keys = {row[1] for row in rows}
        kept = [row for row in self.tables.get(table, []) if row[1] not in keys]
        self.tables[table] = [*kept, *rows]

    def feed(self, table: Table, window: Manifest) -> Iterator[list[Row]]:
        for row in sorted(self.tables.get(table.name, []), key=lambda row: row[:2]):  # type: ignore[return-value,arg-type]
            if window.since_change <= row[0] < window.until_change:  # type: ignore[operator]
                yield [row]

    def pending(self, change: int) -> dict[str, set[object]]:
        return {
            name: {row[1] for row in rows if row[0] >= change}  # type: ignore[operator]
            for name, rows in self.tables.items()
        }


def write(
    store: Store, database: Database, until_change: int, hours: float, tenant: str = ONE
) -> Manifest:
    """The next window of a tenant, so many hours after DAY."""
    last = last_window(store, tenant)
    number, since = (last.last + 1, last.until_change) if last else (1, 0)
    until = DAY + timedelta(hours=hours)
    window = Manifest(number, number, since, until_change, last and last.until, until)
    return write_window(store, tenant, window, database.feed)
