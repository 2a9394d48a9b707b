"""What goes into the lake: the rows of a window, out of a tenant's own tables. In its scope.

Set-based and bounded: a page of rows is one statement along the index of changes. The columns are
those of `lake.schema`, after `change` and in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson

from alerts.rows import run
from lake.manifest import Manifest
from lake.rows import Row
from lake.schema import Table, is_of_records

PAGE = 5_000
MOST_ROWS = 500_000
_NOW = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint, now()
"""
_PAGE = " WHERE (t.change, {key}) > (%s, %s) AND t.change < %s ORDER BY t.change, {key} LIMIT %s"
_BOUND = """
SELECT min(change), max(change) FROM (
  SELECT t.change FROM {source} t WHERE t.change >= %s ORDER BY t.change LIMIT %s) AS nearest
HAVING count(*) = %s
"""
_PENDING = "SELECT {key} FROM {source} t WHERE t.change >= %s"


@dataclass(frozen=True, slots=True)
class Source:
    """`table` has the rows, `key` is the column of their key, `last` the highest that there is."""

    table: str
    key: str
    select: str
    last: object = 2**63 - 1

    @property
    def page(self) -> str:
        return f"{self.select} FROM {self.table} t{_PAGE.format(key=self.key)}"

    @property
    def bound(self) -> str:
        return _BOUND.format(source=self.table)

    @property
    def pending(self) -> str:
        return _PENDING.format(key=self.key, source=self.table)


SOURCES = {
    "alerts": Source("alerts_alert", "t.id", """
SELECT t.change, t.id, t.case_id, t.title, t.category, t.techniques, t.severity, t.status,
  t.classification, t.determination, t.service_source, t.detection_source, t.product,
  t.detector_id, t.pillars, t.created_at, t.updated_at, t.activity_at, t.last_activity_at,
  t.ingested_at, t.joined_by, t.duplicate_of_id,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', e.kind, 'pseudonym', e.pseudonym)
     ORDER BY e.id), '[]')
   FROM alerts_alertentity l JOIN alerts_entity e ON e.id = l.entity_id WHERE l.alert_id = t.id)
"""),
    "cases": Source("alerts_case", "t.id", """
SELECT t.change, t.id, t.public_id::text,
  (ARRAY['new', 'in_progress', 'resolved', 'merged'])[t.status + 1],
  t.verdict, t.determination, t.verdict_reason, t.closed_by, t.title, t.category, t.source,
  t.severity, t.priority, t.pillars, t.is_vip, t.alert_count, t.entity_count, t.assignee_id,
  t.merged_into_id, t.continues_id, t.ticket_ref <> '', t.first_activity_at, t.last_activity_at,
  t.opened_at, t.changed_at
"""),
    "events": Source("alerts_caseevent", "t.id", """
SELECT t.change, t.id, t.case_id, t.at, t.actor_id, t.kind,
  (t.facts->'after'->>'status')::smallint, t.facts->'after'->>'verdict',
  t.facts->'after'->>'determination', t.facts->'after'->>'verdict_reason',
  (t.facts->'after'->>'assignee_id')::int
"""),
    "decisions": Source("alerts_decision", "t.id", """
SELECT t.change, t.id, t.case_id, t.at, t.outcome, t.basis, t.rule::text, t.rule_version,
  t.priority, ARRAY(SELECT r->>0 FROM jsonb_array_elements(t.reasons) AS r)
"""),
    "sign_ins": Source("alerts_alertfact", "t.alert_id", """
SELECT t.change, t.alert_id, t.asked_at, t.facts->>'user', t.facts->>'sign_in_known',
  (t.facts->'sign_in'->>'at')::timestamptz, t.facts->'sign_in'->>'matched_by',
  (t.facts->'sign_in'->>'error_code')::bigint, t.facts->'sign_in'->>'mfa',
  t.facts->'sign_in'->>'method', (t.facts->'sign_in'->>'is_phishing_resistant')::boolean,
  (t.facts->'sign_in'->>'is_interactive')::boolean,
  (t.facts->'sign_in'->>'is_managed_device')::boolean, t.facts->'sign_in'->>'country',
  t.facts->'sign_in'->>'risk', t.facts->'sign_in'->>'address', t.facts->'sign_in'->>'device',
  t.facts->'sign_in'->>'app', (t.facts->'prompts'->>'denied')::bigint,
  (t.facts->'prompts'->>'unanswered')::bigint, t.facts->'risk'->>'level',
  ARRAY(SELECT a->>'operation' FROM jsonb_array_elements(t.facts->'audits') AS a)
"""),
    "scores": Source("posture_scoreday", "t.day", """
SELECT t.change, t.day, t.current, t.most, t.licensed_users,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('basis', a.key, 'percent', a.value)
     ORDER BY a.key), '[]') FROM jsonb_each(t.averages) AS a),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('name', c.key, 'points', c.value->0,
     'most', c.value->1) ORDER BY c.key), '[]') FROM jsonb_each(t.controls) AS c)
""", last=date.max),
    "coverage": Source("posture_inventoryread", "t.id", """
SELECT t.change, t.id, t.is_full, t.is_complete, t.began_at, t.ended_at,
  (t.states->>'watched')::int, (t.states->>'unwatched')::int, (t.states->>'exempt')::int,
  (t.states->>'ignored')::int, (t.states->>'unknown')::int
"""),
}  # fmt: skip
"""Table of the lake -> where its rows come from."""


@dataclass(frozen=True, slots=True)
class Now:
    """`settled`: transactions with lower ids have all ended. `next`: no transaction is so far."""

    settled: int
    next: int
    at: datetime


def database_now() -> Now:
    """One statement."""
    return Now(*run(_NOW, [])[0])


def bound_of(since: int, settled: int) -> int:
    """Where a window ends that begins there: before more rows than one run should write.

    What a single transaction wrote is never parted, so a window holds at least that.
    """
    most = MOST_ROWS + 1
    found = [row for one in SOURCES.values() for row in run(one.bound, [since, most, most])]
    return min([settled, *(max(last, first + 1) for first, last in found)])


def rows_of(table: Table, window: Manifest) -> Iterator[list[Row]]:
    """The table's rows of a window, page by page."""
    source = SOURCES[table.name]
    place = 1 + table.names.index(table.key)
    documents = [1 + at for at, column in enumerate(table.columns) if is_of_records(column.type)]
    after: tuple[object, object] = (window.since_change - 1, source.last)
    while rows := run(source.page, [*after, window.until_change, PAGE]):
        yield [_read(row, documents) for row in rows] if documents else rows
        after = (rows[-1][0], rows[-1][place])


def _read(row: Row, documents: Sequence[int]) -> Row:
    """Documents come as text from the database."""
    values = list(row)
    for place in documents:
        values[place] = orjson.loads(str(values[place]))
    return tuple(values)


def keys_since(table: Table, change: int) -> set[object]:
    """Keys of the rows that were written from that transaction on."""
    return {key for (key,) in run(SOURCES[table.name].pending, [change])}
