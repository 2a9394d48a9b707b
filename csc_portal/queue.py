"""The cross-tenant read model: pages, changes and counts of the shared queue.

Every read stands in `granted(ids)`, so the database shows rows of these tenants only; the tenants
are named in the statement as well, because the planner can use that. One statement a page.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.utils import timezone

from alerts.rows import run
from csc_portal.filters import Condition, Filter, checked, walked
from csc_portal.ordering import Ordering
from tenants.models import ROLLUP_CELLS, SEVERITIES
from tenants.scope import granted

PAGE_SIZE = 50
MOST_CHANGES = 200
SCANS = 10_000
"""So many rows are looked at for a page. A filter that no index serves (rare products, words of a
title: under row-level security none may) then ends with a cursor to go on, not in a long wait."""
_SNAPSHOT = re.compile(r"([0-9]{1,19}):([0-9]{1,19}):((?:[0-9]{1,19}(?:,[0-9]{1,19})*)?)")
_LONGEST_SNAPSHOT = 4000


@dataclass(frozen=True, slots=True)
class Row:
    """One case in the queue. Field names are columns of tenants_queueentry."""

    id: int
    tenant_id: int
    case_id: int
    public_id: uuid.UUID
    status: int
    severity: int
    priority: int
    pillars: int
    source: str
    category: str
    title: str
    is_vip: bool
    alert_count: int
    entity_count: int
    entities: list[tuple[str, uuid.UUID]]
    assignee_id: int | None
    verdict: str
    ticket_ref: str
    ticket_url: str
    first_activity_at: datetime
    last_activity_at: datetime
    opened_at: datetime
    changed_at: datetime
    due_at: datetime | None
    snoozed_until: datetime | None
    closed_by: str

    @property
    def more_entities(self) -> int:
        return max(0, self.entity_count - len(self.entities))

    @property
    def is_snoozed(self) -> bool:
        return bool(self.snoozed_until and self.snoozed_until > timezone.now())

    @property
    def seen_state(self) -> str:
        """What somebody who looks at the row knows; compared before a change over many rows."""
        return f"{self.status}.{self.assignee_id or ''}.{self.verdict}"


@dataclass(frozen=True, slots=True)
class Page:
    """`after` and `before` continue; "" at an end. `seen` is for `changes`. `is_cut`: SCANS rows
    were looked at, and older ones may meet the filter as well.
    """

    rows: list[Row]
    after: str
    before: str
    seen: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows written since, with whether each meets the filter; `is_cut` when there are too many."""

    rows: list[tuple[Row, bool]]
    seen: str
    is_cut: bool


COLUMNS = ", ".join(f"q.{field.name}" for field in fields(Row))
_WIDTH = len(fields(Row))
_ENTITIES = [field.name for field in fields(Row)].index("entities")
# Only constants of this package are put into these statements; every value is a parameter.
_PAGE = """
SELECT now_seen.snapshot, found.* FROM (SELECT pg_current_snapshot()::text AS snapshot) AS now_seen
LEFT JOIN LATERAL (
  SELECT {columns} FROM (
    SELECT q.* FROM tenants_queueentry q WHERE {walked}
    ORDER BY {order} LIMIT {scans}) AS q
  WHERE {checked} ORDER BY {order} LIMIT %s
) AS found ON true
"""
_LAST_SCANNED = """
SELECT {columns} FROM tenants_queueentry q WHERE {walked}
ORDER BY {order} OFFSET {scans} - 1 LIMIT 1
"""
_CHANGES = """
SELECT now_seen.snapshot, found.* FROM (SELECT pg_current_snapshot()::text AS snapshot) AS now_seen
LEFT JOIN LATERAL (
  SELECT {columns}, ({matches}) AS matches FROM tenants_queueentry q
  WHERE q.tenant_id = ANY(%s) AND q.change >= %s
    AND NOT pg_visible_in_snapshot(q.change::text::xid8, %s::text::pg_snapshot)
  ORDER BY q.change DESC, q.id DESC LIMIT %s
) AS found ON true
"""
_CASES = "(q.tenant_id, q.case_id) IN (SELECT * FROM unnest(%s::int[], %s::bigint[]))"


def page(
    wanted: Filter,
    tenant_ids: Sequence[int],
    me: int,
    *,
    after: str = "",
    before: str = "",
    limit: int = PAGE_SIZE,
    cases: Sequence[tuple[int, int]] | None = None,
    public_ids: Sequence[uuid.UUID] | None = None,
    total: int = SCANS,
) -> Page:
    """Rows of the tenants that meet the filter, in its order.

    `after`, `before`: a cursor of an earlier page; one that can't be read counts as none. `cases`
    and `public_ids`: only these, the former as (tenant id, case id).
    `total`: how many rows the tenants have, roughly (see `counts`).
    """
    walk = Condition("q.tenant_id = ANY(%s)", (list(tenant_ids),)) & walked(wanted, me)
    if cases is not None:
        given = ([tenant for tenant, _ in cases], [case for _, case in cases])
        walk &= Condition(_CASES, given)
    if public_ids is not None:
        walk &= Condition("q.public_id = ANY(%s)", (list(public_ids),))
    order = wanted.ordering
    cursor = order.read(before or after)
    is_back = bool(before and cursor)
    if cursor:
        walk &= Condition(*order.beyond(cursor, is_back=is_back))
    met = checked(wanted)
    statement = _PAGE.format(
        columns=COLUMNS,
        walked=walk.sql,
        checked=met.sql,
        order=order.by(is_back=is_back),
        scans=SCANS,
    )
    with granted(tenant_ids):
        answer = run(statement, [*walk.parameters, *met.parameters, limit + 1])
        rows = [row_of(values[1:]) for values in answer if values[1] is not None]
        has_more = len(rows) > limit
        # Where the walk ended matters only to a page that is not full, in a long queue.
        is_complete = has_more or is_back or met.sql == "true" or total < SCANS
        cut = "" if is_complete else _last_scanned(walk, order)
    rows = rows[:limit]
    if is_back:
        rows.reverse()
    is_last = not has_more and not is_back
    is_first = not cursor or (is_back and not has_more)
    return Page(
        rows,
        cut or ("" if not rows or is_last else _cursor(order, rows[-1])),
        "" if not rows or is_first else _cursor(order, rows[0]),
        answer[0][0],
        bool(cut),
    )


def _last_scanned(walk: Condition, order: Ordering) -> str:
    """The cursor of the last row that was looked at; "" if there were fewer than SCANS."""
    columns = ", ".join(f"q.{column}" for column in order.columns)
    statement = _LAST_SCANNED.format(
        columns=columns, walked=walk.sql, order=order.by(), scans=SCANS
    )
    found = run(statement, walk.parameters)
    return order.cursor(found[0]) if found else ""


def _cursor(order: Ordering, row: Row) -> str:
    return order.cursor([getattr(row, column) for column in order.columns])


def changes(wanted: Filter, tenant_ids: Sequence[int], me: int, since: str) -> Changes:
    """What committed after the snapshot `since` was taken: nothing is missed, nothing comes twice.

    Raises ValueError when `since` is no snapshot.
    """
    if not _is_snapshot(since):
        raise ValueError("not a snapshot")
    met = walked(wanted, me) & checked(wanted)
    oldest_open = since.partition(":")[0]
    statement = _CHANGES.format(columns=COLUMNS, matches=met.sql)
    with granted(tenant_ids):
        answer = run(
            statement,
            [*met.parameters, list(tenant_ids), int(oldest_open), since, MOST_CHANGES + 1],
        )
    found = [(row_of(values[1:]), values[-1]) for values in answer if values[1] is not None]
    return Changes(found[:MOST_CHANGES], _shorten(answer[0][0]), len(found) > MOST_CHANGES)


def _is_snapshot(text: str) -> bool:
    """Whether Postgres takes it for one: from the oldest transaction that was open, over others
    that were, to the next one.
    """
    found = _SNAPSHOT.fullmatch(text)
    if found is None:
        return False
    between = [int(number) for number in found[3].split(",") if number]
    numbers = [int(found[1]), *between, int(found[2])]
    return numbers[0] > 0 and numbers == sorted(numbers) and numbers[-1] not in between


def _shorten(snapshot: str) -> str:
    """Without the list of open transactions if it is long: then some rows come twice."""
    if len(snapshot) <= _LONGEST_SNAPSHOT:
        return snapshot
    oldest_open = snapshot.partition(":")[0]
    return f"{oldest_open}:{oldest_open}:"


def row_of(values: Sequence[Any]) -> Row:
    columns = list(values[:_WIDTH])
    columns[_ENTITIES] = [
        (kind, uuid.UUID(pseudonym)) for kind, pseudonym in json.loads(columns[_ENTITIES])
    ]
    return Row(*columns)


# --- counts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over tenants, kept by a trigger. Open cases by pillar and severity; all by status."""

    cells: dict[str, int]

    def open(self, severity: str = "") -> int:
        severities = (severity,) if severity else SEVERITIES
        return sum(self.cells[f"open_{name}"] for name in severities)

    def pillar(self, pillar: str, severity: str = "") -> int:
        severities = (severity,) if severity else SEVERITIES
        return sum(self.cells[f"{pillar}_{name}"] for name in severities)

    def status(self, status: str) -> int:
        return self.cells[f"status_{status}"]

    @property
    def all_open(self) -> int:
        return self.open()

    @property
    def high(self) -> int:
        return self.open("high")

    @property
    def total(self) -> int:
        return sum(self.status(name) for name in ("new", "in_progress", "resolved"))


_SUMS = f"""
SELECT {", ".join(f"coalesce(sum({cell}), 0)::bigint" for cell in ROLLUP_CELLS)}
FROM tenants_queuerollup WHERE tenant_id = ANY(%s)
"""  # noqa: S608
_OPEN = " + ".join(f"open_{name}" for name in SEVERITIES)
_BUSIEST = f"""
SELECT tenant_id, {_OPEN} AS open FROM tenants_queuerollup
WHERE tenant_id = ANY(%s) AND {_OPEN} > 0 ORDER BY open DESC, tenant_id LIMIT %s
"""  # noqa: S608
_BY_TENANT = f"""
SELECT tenant_id, {", ".join(f"open_{name}" for name in SEVERITIES)}
FROM tenants_queuerollup WHERE tenant_id = ANY(%s)
"""  # noqa: S608


def counts(tenant_ids: Sequence[int]) -> Counts:
    with granted(tenant_ids):
        sums = run(_SUMS, [list(tenant_ids)])[0]
    return Counts(dict(zip(ROLLUP_CELLS, sums, strict=True)))


def busiest(tenant_ids: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """(tenant id, open cases) of those with the most."""
    with granted(tenant_ids):
        return [(row[0], row[1]) for row in run(_BUSIEST, [list(tenant_ids), limit])]


def open_by_tenant(tenant_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Tenant id -> severity -> open cases. Tenants without any case are left out."""
    with granted(tenant_ids):
        rows = run(_BY_TENANT, [list(tenant_ids)])
    return {row[0]: dict(zip(SEVERITIES, row[1:], strict=True)) for row in rows}


# --- entities -------------------------------------------------------------------------------------

_FIND = """
SELECT DISTINCT tenant_id, entity_id FROM tenants_entityindex
WHERE pseudonym = ANY(%s) AND tenant_id = ANY(%s) ORDER BY tenant_id, entity_id LIMIT %s
"""


def find_entities(
    pseudonyms: Iterable[uuid.UUID], tenant_ids: Sequence[int], limit: int
) -> list[tuple[int, int]]:
    """(tenant id, entity id) of everything known under one of the pseudonyms."""
    with granted(tenant_ids):
        rows = run(_FIND, [list(pseudonyms), list(tenant_ids), limit])
    return [(row[0], row[1]) for row in rows]
