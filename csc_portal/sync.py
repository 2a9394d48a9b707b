"""Keeping a copy of the queue elsewhere: what changed since, in an order that nothing can overtake.

`change` is the id of the transaction that wrote a row, or that took a case away. Ids are given
before a transaction ends, so a page holds only what is older than every transaction that was still
open (`pg_snapshot_xmin`): what commits later can't get a place before the cursor. A case that
changes again comes again, at its new place; the same change never comes twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.rows import run
from csc_portal.queue import COLUMNS, Row, row_of
from tenants.scope import granted

_LAST_ROW = 2**63 - 1
_NOBODY = uuid.UUID(int=0)


def _since(tenants: str, is_theirs: str) -> str:
    return f"""
WITH seen AS (
  SELECT least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, %s::bigint) AS oldest_open,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_one
), found AS (
  SELECT q.tenant_id, q.change, q.id AS place, q.public_id, false AS is_gone
  FROM seen, {tenants} LATERAL (
    SELECT q.tenant_id, q.change, q.id, q.public_id FROM tenants_queueentry q
    WHERE q.tenant_id {is_theirs} AND (q.change, q.id) > (%s, %s) AND q.change < seen.oldest_open
    ORDER BY q.change, q.id LIMIT %s) AS q
  UNION ALL
  SELECT g.tenant_id, g.change, 0, g.public_id, true
  FROM seen, {tenants} LATERAL (
    SELECT g.tenant_id, g.change, g.public_id FROM tenants_queuetombstone g
    WHERE g.tenant_id {is_theirs} AND (g.change, g.public_id) > (%s, %s)
      AND g.change < seen.oldest_open
    ORDER BY g.change, g.public_id LIMIT %s) AS g
), page AS (
  SELECT * FROM found ORDER BY change, is_gone, place, public_id LIMIT %s
)
SELECT seen.next_one, seen.oldest_open, p.tenant_id, p.change, p.place, p.public_id, p.is_gone,
  m.target, {COLUMNS}
FROM seen LEFT JOIN page p ON true
LEFT JOIN tenants_queueentry q ON NOT p.is_gone AND q.id = p.place
LEFT JOIN tenants_movedcase m ON p.is_gone AND m.public_id = p.public_id
ORDER BY p.change, p.is_gone, p.place, p.public_id
"""  # noqa: S608 - made of constants


# Few tenants: one walk each along the index on their changes, whatever the others did. Many: one
# walk along the index on all changes, which a whole copy goes through once.
FEW = 20
_OF_FEW = _since("unnest(%s::int[]) AS t(id),", "= t.id")
_OF_MANY = _since("", "= ANY(%s::int[])")
_OWN = 8
# Along the indexes on `change`: of all tenants, but few rows where `first` is a late one.
_CHANGED = """
WITH seen AS (
  SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_open
), found AS (
  SELECT tenant_id, change FROM tenants_queueentry WHERE change >= %s
  UNION ALL
  SELECT tenant_id, change FROM tenants_queuetombstone WHERE change >= %s
)
SELECT seen.oldest_open, f.tenant_id, max(f.change)
FROM seen LEFT JOIN found f ON f.change < seen.oldest_open GROUP BY 1, 2
"""
_OLDEST_OPEN = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


class CursorOfAnotherLife(ValueError):
    """The cursor is ahead of the database: that one was restored or made anew."""


@dataclass(frozen=True, slots=True)
class Position:
    """Behind it lies what was told. `gone`: the tombstone it stands on, else it stands on a row."""

    change: int = 0
    place: int = 0
    gone: uuid.UUID | None = None

    @property
    def first(self) -> int:
        """The first change that may not have been told."""
        return self.change + (self.place == _LAST_ROW)  # else the rest of one transaction

    @property
    def _after_row(self) -> tuple[int, int]:
        return (self.change, _LAST_ROW if self.gone else self.place)

    @property
    def _after_tombstone(self) -> tuple[int, uuid.UUID]:
        return (self.change, self.gone or _NOBODY)


@dataclass(frozen=True, slots=True)
class Change:
    """A case as it is now, or `row` None: it is gone, and if it was merged, into `target`.

    `position`: where a reader stands who knows it.
    """

    position: Position
    tenant_id: int
    public_id: uuid.UUID
    row: Row | None
    target: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Changes:
    """`reached`: behind all that has happened, where `position` stands behind what was told."""

    items: list[Change]
    position: Position
    has_more: bool
    reached: Position


def changes_since(
    position: Position, tenant_ids: Sequence[int], limit: int, until: int | None = None
) -> Changes:
    """Changes before `until`, in one statement. Raises CursorOfAnotherLife."""
    ids = list(tenant_ids)
    parameters = [
        until,
        ids, *position._after_row, limit + 1,
        ids, *position._after_tombstone, limit + 1,
        limit + 1,
    ]  # fmt: skip
    with granted(ids):
        answer = run(_OF_FEW if len(ids) <= FEW else _OF_MANY, parameters)
    if position.change >= answer[0][0]:
        raise CursorOfAnotherLife
    rows = [row for row in answer if row[2] is not None]
    shown = rows[:limit]
    items = [_change(row) for row in shown]
    if items:
        position = items[-1].position
    has_more = len(rows) > limit
    reached = position if has_more else Position(answer[0][1] - 1, _LAST_ROW)
    return Changes(items, position, has_more, reached)


def changed_tenants(first: int, tenant_ids: Iterable[int]) -> tuple[int, dict[int, int]]:
    """(how far was looked, tenant -> its newest change from `first` to before that)."""
    with granted(tenant_ids):
        rows = run(_CHANGED, [first, first])
    return rows[0][0], {tenant_id: change for _, tenant_id, change in rows if change is not None}


def _change(answered: tuple[Any, ...]) -> Change:
    _, _, tenant_id, change, place, public_id, is_gone, target = answered[:_OWN]
    position = Position(change, place, public_id if is_gone else None)
    row = None if is_gone else row_of(answered[_OWN:])
    return Change(position, tenant_id, public_id, row, target)


def position_now() -> Position:
    """Behind everything that has happened: what is open now will be told when it commits."""
    return Position(run(_OLDEST_OPEN, [])[0][0] - 1, _LAST_ROW)
