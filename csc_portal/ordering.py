"""The orders of the queue, and cursors that go on in each: no row twice, none left out.

All columns of an order go the same way, and the last one is unique, so that a row comparison says
what comes after a cursor. Each order of open cases has an index (tenants/models/queue.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EMPTY = "n"


@dataclass(frozen=True, slots=True)
class Ordering:
    """`columns` end in the id. Where the first is empty, the row comes last."""

    name: str
    label: str
    columns: tuple[str, ...]
    is_descending: bool = True

    @property
    def is_by_time(self) -> bool:
        return self.columns[0] == "last_activity_at"

    def by(self, *, is_back: bool = False) -> str:
        """What follows ORDER BY. Postgres puts empty values where `Ordering` wants them."""
        way = "DESC" if self.is_descending is not is_back else "ASC"
        return ", ".join(f"q.{column} {way}" for column in self.columns)

    def beyond(
        self, cursor: Sequence[object], *, is_back: bool = False
    ) -> tuple[str, tuple[object, ...]]:
        """SQL and parameters of what comes after the cursor, or before it."""
        sign = "<" if self.is_descending is not is_back else ">"
        first, rest = self.columns[0], self.columns[1:]
        if cursor[0] is None:
            tail = f"({', '.join(f'q.{c}' for c in rest)}) {sign} ({', '.join(['%s'] * len(rest))})"
            other = f"q.{first} IS NOT NULL OR " if is_back else f"q.{first} IS NULL AND "
            return f"({other}{tail})", tuple(cursor[1:])
        names = ", ".join(f"q.{column}" for column in self.columns)
        test = f"({names}) {sign} ({', '.join(['%s'] * len(self.columns))})"
        if first == "due_at" and not is_back:
            test = f"({test} OR q.{first} IS NULL)"
        return test, tuple(cursor)

    def cursor(self, values: Sequence[Any]) -> str:
        """Of a row's values of the columns."""
        return "-".join(map(_write, values))

    def read(self, text: str) -> list[Any]:
        """The values of a cursor; [] for what is none of this order."""
        parts = text.split("-")
        if len(parts) != len(self.columns):
            return []
        try:
            return [
                _read(part, is_time=column.endswith("_at"), may_be_empty=column == "due_at")
                for part, column in zip(parts, self.columns, strict=True)
            ]
        except (ValueError, OverflowError):
            return []


def _write(value: Any) -> str:
    if value is None:
        return EMPTY
    return str((value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value)


def _read(text: str, *, is_time: bool, may_be_empty: bool) -> Any:
    if text == EMPTY and may_be_empty:
        return None
    if not re.fullmatch(r"\d{1,17}" if is_time else r"\d{1,18}", text, re.ASCII):
        raise ValueError("not a part of a cursor")
    return EPOCH + int(text) * MICROSECOND if is_time else int(text)


NEWEST = Ordering("", "Newest activity first", ("last_activity_at", "id"))
ORDERINGS = {
    ordering.name: ordering
    for ordering in (
        NEWEST,
        Ordering(
            "oldest", "Oldest activity first", ("last_activity_at", "id"), is_descending=False
        ),
        Ordering("severity", "Most severe first", ("severity", "last_activity_at", "id")),
        Ordering("priority", "Highest priority first", ("priority", "last_activity_at", "id")),
        Ordering("due", "Due first", ("due_at", "id"), is_descending=False),
    )
}
"""By the word in the address; "" is the order of a queue that nobody ordered."""
