"""Counts what a report tells of, in the tenant's own rows: a dozen statements, whatever the size.

Every statement answers with sums, so memory does not grow with the number of cases or alerts.
What the words mean stands in `reports.figures`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from alerts.blind_spots import CONSEQUENCES
from alerts.models import SourceAbility
from alerts.rows import run
from posture.models import Weakness
from posture.news import news_for, recent_news
from posture.scores import recommendations
from posture.secure_score import profiles_by_name, score_days
from posture.tally import BY_KIND, new_since
from posture.threats import exploited
from reports.figures import (
    Action,
    Automatic,
    Counts,
    Coverage,
    Exploited,
    Figures,
    Handled,
    News,
    ScoreTrend,
    Times,
    Weaknesses,
)
from reports.periods import Period, zone_of
from tenants.models import PILLARS, SEVERITIES, Tenant
from tenants.scope import scope
from tenants.sla import promise_for

MOST_ACTIONS = 8
MOST_KINDS = 8
MOST_EXPLOITED = 10
MOST_NEWS = 8
MOST_WORDS = 3
"""Of what a piece of news is about."""
NAMES = {"secure-score": "The Secure Score"}
"""Of sources whose name is not just what they are."""
EARLIER = timedelta(days=7)
"""How far before the period a score is looked for to compare with."""

# Who touched a case that was merged into this one has touched this one. Minutes by severity.
TIMES = """
WITH RECURSIVE chosen AS MATERIALIZED (
  SELECT id, severity, status, opened_at, changed_at FROM alerts_case
  WHERE opened_at >= %s AND opened_at < %s AND status < 3
), family (root, id) AS (
  SELECT id, id FROM chosen
  UNION SELECT f.root, c.id FROM family f JOIN alerts_case c ON c.merged_into_id = f.id
), told AS (
  SELECT f.root,
    min(e.at) FILTER (WHERE e.actor_id IS NOT NULL OR e.kind ~ '_in_(ticket|microsoft)$'
      OR e.kind IN ('auto_closed', 'suppressed')) AS touched_at,
    max(e.at) FILTER (WHERE f.root = f.id AND (e.facts #>> '{after,status}' = '2'
      OR e.kind IN ('auto_closed', 'suppressed', 'resolved_in_microsoft'))) AS ended_at
  FROM family f JOIN alerts_caseevent e ON e.case_id = f.id GROUP BY f.root
), timed AS (
  SELECT c.severity,
    CASE WHEN t.touched_at IS NOT NULL THEN extract(  -- greatest() would take NULL for nothing
      epoch FROM greatest(t.touched_at, c.opened_at) - c.opened_at) / 60.0 END AS touch,
    CASE WHEN c.status = 2 THEN extract(
      epoch FROM greatest(coalesce(t.ended_at, c.changed_at), c.opened_at) - c.opened_at) / 60.0
    END AS ending,
    extract(epoch FROM %s::timestamptz - c.opened_at) / 60.0 AS age,
    (%s::int[])[c.severity + 1] AS touch_within, (%s::int[])[c.severity + 1] AS end_within
  FROM chosen c LEFT JOIN told t ON t.root = c.id
)
SELECT severity, count(*),
  count(*) FILTER (WHERE coalesce(touch, ending) <= touch_within),
  count(*) FILTER (WHERE coalesce(touch, ending, age) > touch_within),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY coalesce(touch, ending)),
  count(*) FILTER (WHERE ending <= end_within),
  count(*) FILTER (WHERE coalesce(ending, age) > end_within),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY ending)
FROM timed GROUP BY severity ORDER BY severity DESC
"""
CASES = """
SELECT severity, pillars, source, status, verdict, count(*) FROM alerts_case
WHERE opened_at >= %s AND opened_at < %s AND status < 3 GROUP BY 1, 2, 3, 4, 5
"""
ALERTS = """
SELECT grouping(severity, pillars, service_source, is_repeated, day),
  severity, pillars, service_source, is_repeated, day::text, count(*)
FROM (
  SELECT severity, pillars, service_source, duplicate_of_id IS NOT NULL AS is_repeated,
    (ingested_at AT TIME ZONE %s)::date AS day
  FROM alerts_alert WHERE ingested_at >= %s AND ingested_at < %s
) AS a
GROUP BY GROUPING SETS ((severity), (pillars), (service_source), (is_repeated), (day))
"""
BY_SEVERITY, BY_PILLARS, BY_PRODUCT, BY_DAY = 0b01111, 0b10111, 0b11011, 0b11110
"""What `grouping` answers for the sets; it answers another number for repetition."""
# The last decision of the period that closed a case counts. What no longer stands was opened again.
DECISIONS = """
WITH last AS (
  SELECT DISTINCT ON (d.case_id) d.case_id, d.outcome, d.basis, d.facts FROM alerts_decision d
  WHERE d.at >= %s AND d.at < %s AND d.outcome IN ('closed', 'suppressed')
  ORDER BY d.case_id, d.at DESC, d.id DESC
)
SELECT CASE WHEN l.outcome = 'suppressed' THEN 'suppressed' ELSE l.basis END,
  c.status < 2 OR c.closed_by = '', m.method, count(*)
FROM last l JOIN alerts_case c ON c.id = l.case_id
LEFT JOIN LATERAL (
  SELECT min(s ->> 'method') AS method
  FROM jsonb_array_elements(coalesce(l.facts -> 'sign_ins', '[]')) AS s
) AS m ON l.basis = 'proof'
GROUP BY 1, 2, 3
"""
WOULD_CLOSE = """
SELECT count(DISTINCT case_id) FROM alerts_decision
WHERE at >= %s AND at < %s AND outcome = 'would_close'
"""
SCORES = """
SELECT day, 100 * current / most FROM posture_scoreday
WHERE day >= %s AND day <= %s AND most > 0 ORDER BY day
"""
WEAKNESSES = "SELECT severity, count(*) FROM posture_weakness GROUP BY severity"


def read_counts(tenant: Tenant, period: Period, now: datetime) -> Figures:
    """What happened in the period, as far as rows still tell. Five statements."""
    with scope(tenant):
        return Figures(_handled(period), _automatic(period), _times(tenant, period, now))


def read_figures(tenant: Tenant, period: Period, now: datetime) -> Figures:
    """What happened in the period, and how the tenant stands now."""
    news = _news(tenant, period) if tenant.weaknesses else ()
    with scope(tenant):
        return Figures(
            handled=_handled(period),
            automatic=_automatic(period),
            times=_times(tenant, period, now),
            score=_score(period),
            coverage=_coverage(tenant, now),
            weaknesses=_weaknesses() if tenant.weaknesses else None,
            news=news,
        )


def _times(tenant: Tenant, period: Period, now: datetime) -> tuple[Times, ...]:
    promises = [promise_for(tenant.sla, name) for name in SEVERITIES]
    touch, ending = (
        [one.touch_minutes for one in promises],
        [one.resolve_minutes for one in promises],
    )
    found = run(TIMES, [period.since, period.until, now, touch, ending])
    rows = {row[0]: row for row in found}
    return tuple(
        Times(
            severity=SEVERITIES[rank],
            cases=row[1],
            touch_minutes=touch[rank],
            touched_in_time=row[2],
            touched_late=row[3],
            touch_median=_minutes(row[4]),
            resolve_minutes=ending[rank],
            resolved_in_time=row[5],
            resolved_late=row[6],
            resolve_median=_minutes(row[7]),
        )
        for rank in range(len(SEVERITIES) - 1, -1, -1)
        for row in [rows.get(rank, (rank, 0, 0, 0, None, 0, 0, None))]
    )


def _minutes(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _handled(period: Period) -> Handled:
    by: dict[str, Counter[str]] = {name: Counter() for name in _HANDLED}
    still_open = 0
    for severity, bits, source, status, verdict, count in run(CASES, [period.since, period.until]):
        by["cases"][SEVERITIES[severity]] += count
        by["case_products"][source] += count
        for pillar in _pillars(bits):
            by["case_pillars"][pillar] += count
        if status < 2:
            still_open += count
        else:
            by["verdicts"][verdict] += count
    repeated = 0
    for group, severity, bits, source, is_repeated, day, count in run(
        ALERTS, [period.zone, period.since, period.until]
    ):
        if group == BY_SEVERITY:
            by["alerts"][SEVERITIES[severity]] += count
        elif group == BY_PRODUCT:
            by["alert_products"][source] += count
        elif group == BY_DAY:
            by["days"][day] += count
        elif group == BY_PILLARS:
            for pillar in _pillars(bits):
                by["alert_pillars"][pillar] += count
        elif is_repeated:
            repeated += count
    days = _every_day(period, by.pop("days"))
    counted = {name: dict(sorted(counts.items())) for name, counts in by.items()}
    return Handled(**counted, repeated=repeated, still_open=still_open, days=days)


_HANDLED = ("cases", "alerts", "case_pillars", "alert_pillars", "case_products", "alert_products",
            "days", "verdicts")  # fmt: skip


def _pillars(bits: int) -> list[str]:
    return [name for bit, name in enumerate(PILLARS) if bits >> bit & 1] or ["none"]


def _every_day(period: Period, counts: Counter[str]) -> Counts:
    """Days without an alert too."""
    days = (period.last_day - period.first_day).days + 1
    every = [(period.first_day + timedelta(days=number)).isoformat() for number in range(days)]
    return {day: counts[day] for day in every}


def _automatic(period: Period) -> Automatic:
    counts: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    reopened = 0
    for basis, is_reopened, method, count in run(DECISIONS, [period.since, period.until]):
        counts[basis if basis in ("proof", "suppressed") else "rule"] += count
        reopened += count if is_reopened else 0
        if method:
            methods[method] += count
    ((would_close,),) = run(WOULD_CLOSE, [period.since, period.until])
    return Automatic(
        proof=counts["proof"],
        rule=counts["rule"],
        suppressed=counts["suppressed"],
        would_close=would_close,
        reopened=reopened,
        methods=dict(sorted(methods.items())),
    )


def _score(period: Period) -> ScoreTrend | None:
    rows = run(SCORES, [period.first_day - EARLIER, period.last_day])
    days = {day.isoformat(): round(value, 2) for day, value in rows if day >= period.first_day}
    if not days:
        return None
    before = [round(value, 2) for day, value in rows if day < period.first_day]
    (newest,) = run("SELECT max(day) FROM posture_scoreday", [])
    wanted = recommendations(score_days(newest[0])[-1], profiles_by_name())
    return ScoreTrend(
        days=days,
        before=before[-1] if before else None,
        actions=tuple(
            Action(
                one.profile.title or one.profile.name,
                one.profile.service,
                one.gap,
                one.gain,
                one.profile.cost,
                one.profile.impact,
            )
            for one in islice(wanted, MOST_ACTIONS)
        ),
        open=len(wanted),
    )


def _coverage(tenant: Tenant, now: datetime) -> Coverage | None:
    """None if nothing of Azure was read and nothing is known to be missing."""
    blind = tuple(_unread(SourceAbility.objects.order_by("source")))
    names = ("watched", "unwatched", "exempt", "ignored", "unknown")
    states = {name: tenant.coverage[name] for name in names if tenant.coverage.get(name)}
    if not states:
        return Coverage(blind=blind) if blind else None
    rows = run(BY_KIND, [new_since(now), MOST_KINDS])
    return Coverage(states, {kind: count for kind, count, _, _ in rows}, blind)


def _unread(abilities: Iterable[SourceAbility]) -> Iterable[str]:
    """What the portal may not read at Microsoft, and what follows."""
    why = {
        SourceAbility.State.NO_LICENCE: "for want of a licence",
        SourceAbility.State.NO_PERMISSION: "for want of a permission",
    }
    for one in abilities:
        if one.state in why and one.source in CONSEQUENCES:
            name = NAMES.get(one.source, one.source.capitalize())
            yield f"{name} can't be read {why[one.state]}: {CONSEQUENCES[one.source][1]}."


def _weaknesses() -> Weaknesses:
    labels = {value: str(label).lower() for value, label in Weakness.Severity.choices}
    matches = exploited()
    return Weaknesses(
        counts={labels[severity]: count for severity, count in run(WEAKNESSES, [])},
        exploited=tuple(
            Exploited(
                one.cve,
                one.name,
                labels[one.severity],
                one.exposed,
                one.added_on.isoformat(),
                one.by_ransomware,
            )
            for one in islice(matches, MOST_EXPLOITED)
        ),
        all_exploited=len(matches),
    )


def _news(tenant: Tenant, period: Period) -> tuple[News, ...]:
    """Of the period, about what the tenant runs; what is about its own weaknesses first."""
    items = recent_news(period.since, period.until)
    found = news_for(tenant, items) if items else []
    zone = zone_of(period.zone)
    return tuple(
        News(
            one.item.title,
            one.item.feed.name,
            one.item.published_at.astimezone(zone).date().isoformat(),
            ", ".join([*(cve for cve, _ in one.cves), *one.products][:MOST_WORDS]),
        )
        for one in islice(found, MOST_NEWS)
    )
