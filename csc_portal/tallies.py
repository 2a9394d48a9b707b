"""Counts beside filters and on tabs, where no kept sum has them: bounded, so never dear.

A facet counts the newest open cases, at most NEWEST of them; a tab counts up to MOST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.rows import run
from csc_portal.filters import DUE, IS_SNOOZED, Filter, checked, walked
from tenants.scope import granted

NEWEST = 10_000
MOST = 999

_DUE = " ".join(f"WHEN {test} THEN '{name}'" for name, test in DUE.items())
_FACETS = f"""
SELECT CASE WHEN grouping(source) = 0 THEN 'source' WHEN grouping(verdict) = 0 THEN 'verdict'
    WHEN grouping(vip) = 0 THEN 'vip' WHEN grouping(sla) = 0 THEN 'sla'
    WHEN grouping(assignee) = 0 THEN 'assignee' WHEN grouping(ticket) = 0 THEN 'ticket'
    WHEN grouping(snoozed) = 0 THEN 'snoozed' ELSE '' END,
  coalesce(source, verdict, vip, sla, assignee, ticket, snoozed), count(*)
FROM (
  SELECT q.source, CASE q.verdict WHEN '' THEN 'none' ELSE q.verdict END AS verdict,
    CASE WHEN q.is_vip THEN 'yes' ELSE 'no' END AS vip, CASE {_DUE} END AS sla,
    CASE q.assignee_id WHEN %s THEN 'me' ELSE coalesce(q.assignee_id::text, 'none') END AS assignee,
    CASE q.ticket_ref WHEN '' THEN 'no' ELSE 'yes' END AS ticket,
    CASE WHEN {IS_SNOOZED} THEN 'yes' ELSE 'no' END AS snoozed
  FROM tenants_queueentry q WHERE q.tenant_id = ANY(%s) AND q.status < 2
  ORDER BY q.last_activity_at DESC, q.id DESC LIMIT {NEWEST}
) AS newest
GROUP BY GROUPING SETS ((source), (verdict), (vip), (sla), (assignee), (ticket), (snoozed), ())
"""  # noqa: S608 - made of constants
_TAB = """
SELECT %s::int, count(*) FROM (
  SELECT FROM (SELECT q.* FROM tenants_queueentry q
    WHERE q.tenant_id = ANY(%s) AND {walked} LIMIT {scans}) AS q
  WHERE {checked} LIMIT {most}) AS met
"""

_COUNT = """
SELECT count(*) FILTER (WHERE {checked}), count(*) FROM (
  SELECT q.* FROM tenants_queueentry q WHERE q.tenant_id = ANY(%s) AND {walked}
  ORDER BY q.last_activity_at DESC, q.id DESC LIMIT {scans}) AS q
"""


@dataclass(frozen=True, slots=True)
class FacetCounts:
    """(field, value) -> open cases. `is_cut`: older ones were not looked at."""

    numbers: Mapping[tuple[str, str], int]
    is_cut: bool

    def of(self, name: str, value: str) -> int:
        if (name, value) == ("assignee", "anyone"):
            return self.of(name, "me") + sum(self.colleagues.values())
        return self.numbers.get((name, value), 0)

    @property
    def colleagues(self) -> dict[int, int]:
        """Other people who have cases: user id -> open cases, most first."""
        found = {
            int(value): count
            for (name, value), count in self.numbers.items()
            if name == "assignee" and value.isdecimal()
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def facet_counts(tenant_ids: Sequence[int], me: int) -> FacetCounts:
    """One statement."""
    with granted(tenant_ids):
        rows = run(_FACETS, [me, list(tenant_ids)])
    numbers = {(name, value): count for name, value, count in rows if name}
    total = next((count for name, _, count in rows if not name), 0)
    return FacetCounts(numbers, total >= NEWEST)


def tab_counts(filters: Sequence[Filter], tenant_ids: Sequence[int], me: int) -> list[str]:
    """How many cases each filter shows, "999+" for more. One statement."""
    if not filters:
        return []
    statements, parameters = [], []
    for index, wanted in enumerate(filters):
        if wanted.entity:
            continue  # whose cases those are only the tenant's schema knows
        walk, check = walked(wanted, me), checked(wanted)
        statements.append(
            _TAB.format(walked=walk.sql, checked=check.sql, scans=NEWEST, most=MOST + 1)
        )
        parameters += [index, list(tenant_ids), *walk.parameters, *check.parameters]
    if not statements:
        return [""] * len(filters)
    with granted(tenant_ids):
        found = dict(run(" UNION ALL ".join(statements), parameters))
    return [
        "" if index not in found else f"{MOST}+" if found[index] > MOST else str(found[index])
        for index in range(len(filters))
    ]


def count_cases(wanted: Filter, tenant_ids: Sequence[int], me: int) -> tuple[int, bool]:
    """How many of the newest NEWEST rows meet the filter, and whether there are no others."""
    walk, check = walked(wanted, me), checked(wanted)
    statement = _COUNT.format(walked=walk.sql, checked=check.sql, scans=NEWEST)
    with granted(tenant_ids):
        met, looked_at = run(statement, [*check.parameters, list(tenant_ids), *walk.parameters])[0]
    return met, looked_at < NEWEST
