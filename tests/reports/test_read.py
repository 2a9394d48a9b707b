"""Numbers of a report are those of plain counting, on the same rows and to the instant."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.models import Alert, Case, Decision
from alerts.rows import run
from reports.figures import Figures
from reports.periods import Period
from reports.read import read_counts, read_figures
from tenants.models import PILLARS, SEVERITIES, Tenant
from tenants.scope import scope
from tenants.sla import promise_for
from tests.reports.lab import MADE_AT, OCTOBER, ZONE, edges, fill, set_up

WEEK = Period(OCTOBER.since + timedelta(days=20), OCTOBER.since + timedelta(days=27), ZONE)
PERIODS = {"october": OCTOBER, "september": OCTOBER.before, "a week with a long day": WEEK}


@pytest.fixture
def full(qa: Tenant) -> Tenant:
    fill(qa)
    return qa


@pytest.fixture(params=PERIODS)
def period(request: pytest.FixtureRequest) -> Period:
    return PERIODS[request.param]


def scalar(statement: str, *parameters: object) -> Any:
    return run(statement, list(parameters))[0][0]


def test_cases_and_alerts(full: Tenant, period: Period) -> None:
    found = read_counts(full, period, MADE_AT).handled
    both = (period.since, period.until)
    of_case = (
        "SELECT count(*) FROM alerts_case WHERE status <> 3 AND opened_at >= %s AND opened_at < %s"
    )
    of_alert = "SELECT count(*) FROM alerts_alert WHERE ingested_at >= %s AND ingested_at < %s"
    with scope(full):
        assert found.all_cases == scalar(of_case, *both) > 10
        assert found.all_alerts == scalar(of_alert, *both) > 30
        for rank, name in enumerate(SEVERITIES):
            assert found.cases.get(name, 0) == scalar(f"{of_case} AND severity = {rank}", *both)
            assert found.alerts.get(name, 0) == scalar(f"{of_alert} AND severity = {rank}", *both)
        for bit, name in enumerate(PILLARS):
            touches = f"pillars & {1 << bit} > 0"
            assert found.case_pillars.get(name, 0) == scalar(f"{of_case} AND {touches}", *both)
            assert found.alert_pillars.get(name, 0) == scalar(f"{of_alert} AND {touches}", *both)
        assert found.case_pillars.get("none", 0) == scalar(f"{of_case} AND pillars = 0", *both)
        for source, count in found.alert_products.items():
            assert count == scalar(f"{of_alert} AND service_source = '{source}'", *both)
        for source, count in found.case_products.items():
            assert count == scalar(f"{of_case} AND source = '{source}'", *both)
        for verdict, count in found.verdicts.items():
            more = f"AND status = 2 AND verdict = '{verdict}'"
            assert count == scalar(f"{of_case} {more}", *both)
        assert found.still_open == scalar(f"{of_case} AND status < 2", *both)
        assert found.repeated == scalar(f"{of_alert} AND duplicate_of_id IS NOT NULL", *both)
    assert sum(found.verdicts.values()) + found.still_open == found.all_cases
    assert sum(found.alert_products.values()) == found.all_alerts


def test_days_are_those_of_the_zone(full: Tenant, period: Period) -> None:
    found = read_counts(full, period, MADE_AT).handled.days
    zone = ZoneInfo(ZONE)
    with scope(full):
        times = Alert.objects.filter(ingested_at__gte=period.since, ingested_at__lt=period.until)
        days = Counter(
            at.astimezone(zone).date().isoformat()
            for at in times.values_list("ingested_at", flat=True)
        )
    assert {day: count for day, count in found.items() if count} == days
    assert len(found) == (period.last_day - period.first_day).days + 1


def test_what_lies_on_an_edge_is_in_one_month_and_no_other(full: Tenant) -> None:
    """September, October and November together hold every case and alert once."""
    november = Period(OCTOBER.until, OCTOBER.until + timedelta(days=400), ZONE)
    august = Period(OCTOBER.before.since - timedelta(days=400), OCTOBER.before.since, ZONE)
    every = (august, OCTOBER.before, OCTOBER, november)
    found = [read_counts(full, one, MADE_AT).handled for one in every]
    with scope(full):
        assert sum(one.all_cases for one in found) == Case.objects.exclude(status=3).count()
        assert sum(one.all_alerts for one in found) == Alert.objects.count()
        for edge in edges(OCTOBER):
            assert Alert.objects.filter(ingested_at=edge).exists()


def test_times_against_promises(full: Tenant, period: Period) -> None:
    """Counted again, case by case, as the formulas in reports.figures say."""
    Tenant.objects.filter(pk=full.pk).update(sla={"low": {"touch_minutes": None}})
    full.refresh_from_db()
    found = {one.severity: one for one in read_counts(full, period, MADE_AT).times}
    assert list(found) == ["high", "medium", "low", "informational", "unknown"]
    with scope(full):
        cases = list(
            Case.objects.filter(opened_at__gte=period.since, opened_at__lt=period.until)
            .exclude(status=3)
            .prefetch_related("events", "merged__events")
        )
        for severity, one in found.items():
            mine = [case for case in cases if SEVERITIES[case.severity] == severity]
            assert one == _by_hand(full, severity, mine, type(one))


def _by_hand(tenant: Tenant, severity: str, cases: list[Case], kind: Any) -> Any:
    promise = promise_for(tenant.sla, severity)
    touches, ends = [], []
    touched, ended = Counter[str](), Counter[str]()
    for case in cases:
        end = _end(case)
        touch = _touch(case)
        touch = touch if touch is not None else end
        age = _minutes(case, MADE_AT)
        touches += [touch] if touch is not None else []
        ends += [end] if end is not None else []
        touched[_kept(touch, age, promise.touch_minutes)] += 1
        ended[_kept(end, age, promise.resolve_minutes)] += 1
    return kind(
        severity, len(cases), promise.touch_minutes, touched["in time"], touched["late"],
        round(median(touches), 2) if touches else None, promise.resolve_minutes, ended["in time"],
        ended["late"], round(median(ends), 2) if ends else None,
    )  # fmt: skip


def _kept(minutes: float | None, age: float, promised: int | None) -> str:
    if promised is None:
        return "no promise"
    if minutes is not None:
        return "in time" if minutes <= promised else "late"
    return "late" if age > promised else "running"


def _touch(case: Case) -> float | None:
    events = [*case.events.all(), *(e for one in case.merged.all() for e in one.events.all())]
    times = [
        e.at for e in events
        if e.actor_id is not None or e.kind.endswith("_in_ticket") or e.kind == "auto_closed"
    ]  # fmt: skip
    return max(0.0, _minutes(case, min(times))) if times else None


def _end(case: Case) -> float | None:
    times = [e.at for e in case.events.all() if e.kind in ("resolved", "auto_closed")]
    return _minutes(case, max(times)) if case.status == 2 else None


def _minutes(case: Case, at: datetime) -> float:
    return (at - case.opened_at).total_seconds() / 60


def test_what_was_closed_automatically(full: Tenant, period: Period) -> None:
    found = read_counts(full, period, MADE_AT).automatic
    ending = Decision.objects.filter(at__gte=period.since, at__lt=period.until)
    with scope(full):
        rows = ending.filter(outcome__in=["closed", "suppressed"]).select_related("case")
        last = {row.case_id: row for row in rows.order_by("at", "pk")}.values()
        assert found.closed == len(last) > 0
        assert found.proof == sum(row.basis == "proof" for row in last)
        assert found.rule == sum(row.basis == "rule" for row in last)
        assert found.suppressed == sum(row.outcome == "suppressed" for row in last)
        assert found.reopened == sum(row.case.status < 2 or not row.case.closed_by for row in last)
        methods = Counter(
            row.facts["sign_ins"][0]["method"] for row in last if row.basis == "proof"
        )
        assert found.methods == methods
        would = ending.filter(outcome="would_close").values("case_id").distinct().count()
        assert found.would_close == would > 0


def test_how_the_tenant_stands(qa: Tenant) -> None:
    set_up(qa)
    found = read_figures(qa, OCTOBER, MADE_AT)
    assert found.score is not None
    assert found.score.days["2026-10-01"] == 53
    assert (found.score.before, found.score.last, found.score.change) == (52, 83, 31)
    assert [one.title for one in found.score.actions] == ["Require MFA for admins"]
    assert found.coverage is not None
    assert found.coverage.percent == 75
    assert found.weaknesses is not None
    assert found.weaknesses.counts == {"critical": 1, "high": 1, "medium": 1}
    assert [one.cve for one in found.weaknesses.exploited] == ["CVE-2026-1"]
    assert found.weaknesses.all_exploited == 1
    assert [(one.title, one.day, one.about) for one in found.news] == [
        ("News of 31 October", "2026-10-31", "CVE-2026-2"),
        ("News of 30 September", "2026-10-01", "CVE-2026-1"),
    ]


def test_nothing_is_known_of_a_new_tenant(qa: Tenant) -> None:
    found = read_figures(qa, OCTOBER, MADE_AT)
    assert (found.score, found.coverage, found.weaknesses) == (None, None, None)
    assert found.handled.all_cases == found.automatic.closed == 0
    assert len(found.handled.days) == 31


def test_reading_takes_as_many_statements_for_many_rows(qa: Tenant) -> None:
    set_up(qa)
    with CaptureQueriesContext(connection) as few:
        read_figures(qa, OCTOBER, MADE_AT)
    fill(qa)
    with CaptureQueriesContext(connection) as many:
        read_figures(qa, OCTOBER, MADE_AT)
    assert len(few) == len(many) <= 20


def test_another_tenants_rows_count_nothing(full: Tenant, qatest: Tenant) -> None:
    assert read_counts(qatest, OCTOBER, MADE_AT).handled.all_alerts == 0
    assert isinstance(read_figures(qatest, OCTOBER, MADE_AT), Figures)
