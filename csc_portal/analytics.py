"""What the pages of analytics say: figures of the granted tenants, added up. A statement a table.

The figures are counted from the lake, see csc_portal/figures.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from alerts.rows import run
from csc_portal.figures import PERIODS, STEPS_MIN
from csc_portal.shares import median_of_steps, wilson
from tenants.models import CaseFigure, Tenant
from tenants.scope import granted

SHOWN = 100
LOOKED_AT = 500
LEAST_JUDGED = 5
"""Fewer verdicts say nothing of a detection."""
BEHIND_AFTER = timedelta(hours=3)

# A tenant has one row of a key, so rows are tenants; DISTINCT would sort all of them.
_SUMS = """
SELECT key, more, {tenant}, count(*), sum(cases), sum(alerts), sum(open),
  sum(true_positive), sum(expected), sum(false_positive), sum(by_portal), sum(triaged),
  sum(triage_s), sum(resolved), sum(resolve_s)
FROM tenants_casefigure WHERE topic = %s AND days = %s AND tenant_id = ANY(%s)
GROUP BY key, more{and_tenant}
HAVING sum(true_positive + expected + false_positive) >= %s
ORDER BY sum({order}) DESC, sum(cases) DESC, key, more LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """Cases with one key, of one tenant or of several (`tenant_id` is 0)."""

    key: str
    more: str
    tenant_id: int
    tenants: int
    cases: int
    alerts: int
    open: int
    true_positive: int
    expected: int
    false_positive: int
    by_portal: int
    triaged: int
    triage_s: int
    resolved: int
    resolve_s: int

    @property
    def judged(self) -> int:
        return self.true_positive + self.expected + self.false_positive

    @property
    def share(self) -> float:
        """Of false positives among what people judged."""
        return self.false_positive / self.judged if self.judged else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.false_positive, self.judged)

    @property
    def is_mostly_false(self) -> bool:
        """More than half, and that is no chance."""
        return self.interval[0] > 0.5

    @property
    def mean_triage(self) -> timedelta | None:
        return timedelta(seconds=self.triage_s / self.triaged) if self.triaged else None

    @property
    def mean_resolve(self) -> timedelta | None:
        return timedelta(seconds=self.resolve_s / self.resolved) if self.resolved else None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the lake reaches. `until`: of the tenant that is furthest behind; `late`: how many
    are behind; `missing`: of how many there is nothing yet."""

    tenants: int
    until: datetime | None
    late: int
    missing: int

    @property
    def is_empty(self) -> bool:
        return self.missing == self.tenants


def reach(tenant_ids: Sequence[int], now: datetime) -> Reach:
    """One query."""
    found = Tenant.objects.filter(pk__in=tenant_ids).aggregate(
        tenants=Count("pk"),
        until=Min("lake_until"),
        late=Count("pk", filter=Q(lake_until__lt=now - BEHIND_AFTER)),
        missing=Count("pk", filter=Q(lake_until=None)),
    )
    return Reach(**found)


def figures(
    topic: str,
    days: int,
    tenant_ids: Sequence[int],
    *,
    order: str = "cases",
    by_tenant: bool = False,
    least_judged: int = 0,
    limit: int = SHOWN,
) -> list[Figure]:
    """One query. `order` is a column of the figures."""
    if days not in PERIODS:
        raise ValueError(f"no period of {days} days")
    statement = _SUMS.format(
        tenant="tenant_id" if by_tenant else "0",
        and_tenant=", tenant_id" if by_tenant else "",
        order=CaseFigure._meta.get_field(order).column,
    )
    with granted(tenant_ids):
        rows = run(statement, [topic, days, list(tenant_ids), least_judged, limit])
    return [Figure(row[0], row[1], *map(int, row[2:])) for row in rows]


def detections(days: int, tenant_ids: Sequence[int], *, by_tenant: bool) -> list[Figure]:
    """Judged often enough, the surest to be false first."""
    found = figures(
        "detection", days, tenant_ids, order="false_positive", by_tenant=by_tenant,
        least_judged=LEAST_JUDGED, limit=LOOKED_AT,
    )  # fmt: skip
    found.sort(key=lambda one: (-one.interval[0], -one.judged, one.key, one.tenant_id))
    return found[:SHOWN]


@dataclass(frozen=True, slots=True)
class Times:
    """How long one thing took: `steps` are (minutes up to which, cases); None: longer."""

    mean: timedelta | None
    median: timedelta | None
    cases: int
    steps: list[tuple[int | None, int]]


def times(topic: str, days: int, tenant_ids: Sequence[int], count: int, total_s: int) -> Times:
    """One query. `count` and `total_s`: of the same cases, for the mean."""
    found = {int(one.key): one.cases for one in figures(topic, days, tenant_ids)}
    middle = median_of_steps(found, STEPS_MIN)
    ends: list[int | None] = [*STEPS_MIN, None]
    return Times(
        mean=timedelta(seconds=total_s / count) if count else None,
        median=None if middle is None else timedelta(minutes=middle),
        cases=count,
        steps=[(end, found.get(place, 0)) for place, end in enumerate(ends)],
    )
