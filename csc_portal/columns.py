"""The columns of the queue: which there are, which a user chose, and in what order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """`sort`: the order (csc_portal/ordering.py) that a click on the heading asks for. `is_first`:
    shown to somebody who chose nothing.
    """

    name: str
    label: str
    sort: str | None = None
    is_first: bool = True


COLUMNS = {
    column.name: column
    for column in (
        Column("severity", "Severity", "severity"),
        Column("priority", "Prio", "priority"),
        Column("title", "Case"),
        Column("tenant", "Tenant"),
        Column("chain", "Chain"),
        Column("entities", "Who and what"),
        Column("source", "Source", is_first=False),
        Column("alerts", "Alerts"),
        Column("status", "Status"),
        Column("assignee", "Assignee", is_first=False),
        Column("verdict", "Verdict", is_first=False),
        Column("ticket", "Ticket"),
        Column("sla", "SLA left", "due"),
        Column("activity", "Activity", ""),
        Column("age", "Age", is_first=False),
    )
}
FIXED = "title"
"""Without it a row has no name to be opened by."""
FIRST = tuple(column.name for column in COLUMNS.values() if column.is_first)


def chosen(names: Iterable[object]) -> tuple[str, ...]:
    """Known columns in the order of `names`, each once, with FIXED; FIRST for none."""
    kept = tuple(dict.fromkeys(name for name in names if name in COLUMNS))
    if not kept:
        return FIRST
    return kept if FIXED in kept else (FIXED, *kept)
