"""Months and days of a zone, to the instant; when the next report is made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.periods import (
    BadPeriod,
    Period,
    Plan,
    days_between,
    last_month,
    month_of,
    this_month,
    zone_of,
)

VIENNA = "Europe/Vienna"
ZONES = ("UTC", VIENNA, "America/Los_Angeles", "Asia/Kolkata", "Pacific/Apia", "America/Santiago")
moments = st.integers(1577836800, 2051222400).map(lambda at: datetime.fromtimestamp(at, UTC))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "month", "since", "until"),
    [
        ("UTC", 10, utc(2026, 10, 1), utc(2026, 11, 1)),
        (VIENNA, 10, utc(2026, 9, 30, 22), utc(2026, 10, 31, 23)),  # an hour more
        (VIENNA, 3, utc(2026, 2, 28, 23), utc(2026, 3, 31, 22)),  # an hour less
        ("Asia/Kolkata", 1, utc(2025, 12, 31, 18, 30), utc(2026, 1, 31, 18, 30)),
        ("America/Los_Angeles", 12, utc(2026, 12, 1, 8), utc(2027, 1, 1, 8)),
    ],
)
def test_months(zone: str, month: int, since: datetime, until: datetime) -> None:
    found = month_of(date(2026, month, 17), zone)
    assert (found.since, found.until) == (since, until)
    assert found.is_month


def test_a_day_without_midnight_begins_when_it_begins() -> None:
    """In Santiago clocks went from 23:59:59 to 01:00 on 7 September 2025."""
    found = days_between(date(2025, 9, 7), date(2025, 9, 7), "America/Santiago", utc(2026, 1, 1))
    assert found.since == utc(2025, 9, 7, 4)
    assert (found.first_day, found.last_day) == (date(2025, 9, 7), date(2025, 9, 7))


@given(moments, st.sampled_from(ZONES))
def test_every_instant_is_in_one_month(now: datetime, zone: str) -> None:
    this = month_of(now.astimezone(zone_of(zone)).date(), zone)
    assert this.since <= now < this.until
    before = last_month(now, zone)
    assert before.until == this.since
    assert this.before == before
    assert before.is_month


@given(moments, st.sampled_from(ZONES))
def test_the_month_so_far_is_compared_with_as_much_of_the_last(now: datetime, zone: str) -> None:
    found = this_month(now, zone)
    assert found.until in (now, found.since + timedelta(microseconds=1))
    earlier = found.before
    assert earlier.since == last_month(now, zone).since
    assert earlier.until <= found.since
    assert earlier.until - earlier.since <= found.until - found.since


def test_other_days_are_compared_with_as_many_before() -> None:
    now = utc(2026, 11, 1)
    found = days_between(date(2026, 10, 10), date(2026, 10, 12), VIENNA, now)
    assert found.before == days_between(date(2026, 10, 7), date(2026, 10, 9), VIENNA, now)


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        (date(2026, 10, 1), date(2026, 10, 31), "October 2026"),
        (date(2026, 10, 3), date(2026, 10, 9), "3 to 9 October 2026"),
        (date(2026, 10, 3), date(2026, 10, 3), "3 October 2026"),
        (date(2026, 9, 28), date(2026, 10, 4), "28 September to 4 October 2026"),
        (date(2025, 12, 29), date(2026, 1, 4), "29 December 2025 to 4 January 2026"),
    ],
)
def test_names(first: date, last: date, name: str) -> None:
    assert days_between(first, last, VIENNA, utc(2026, 12, 1)).name == name


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 10, 9), date(2026, 10, 3)),
        (date(2026, 10, 1), date(2026, 11, 1)),  # not over
        (date(2024, 1, 1), date(2026, 1, 1)),
        (date(1, 1, 1), date(1, 1, 1)),
        (date(9999, 12, 31), date(9999, 12, 31)),
    ],
)
def test_what_is_no_period(first: date, last: date) -> None:
    with pytest.raises(BadPeriod):
        days_between(first, last, "UTC", utc(2026, 11, 1, 12))


def test_a_plan_of_nonsense_is_the_usual_one() -> None:
    assert Plan.of({"day": 31, "zone": "Mars/Base", "send": "pigeon", "link_days": "x"}) == Plan()
    assert Plan.of({"day": None, "zone": "../etc", "send": []}) == Plan()
    wanted = {"day": 5, "zone": VIENNA, "send": "ticket", "link_days": 7}
    assert Plan.of(wanted) == Plan(5, VIENNA, "ticket", 7)


def test_turns() -> None:
    plan = Plan(day=2, zone=VIENNA)
    assert plan.next_at(utc(2026, 11, 1), 0) == utc(2026, 11, 2, 5)
    assert plan.next_at(utc(2026, 11, 2, 5), 0) == utc(2026, 12, 2, 5)
    assert plan.last_at(utc(2026, 11, 2, 5), 0) == utc(2026, 11, 2, 5)
    assert plan.last_at(utc(2026, 11, 2, 4, 59), 0) == utc(2026, 10, 2, 4)
    assert plan.next_at(utc(2026, 11, 1), 90 * 60) == utc(2026, 11, 2, 6, 30)
    assert Plan(day=0).next_at(utc(2026, 11, 1), 0) is None
    assert Plan(day=0).last_at(utc(2026, 11, 1), 0) is None


@given(moments, st.sampled_from(ZONES), st.integers(1, 28), st.integers(0, 2**32))
def test_there_is_a_turn_each_month(now: datetime, zone: str, day: int, phase: int) -> None:
    plan = Plan(day=day, zone=zone)
    following, before = plan.next_at(now, phase), plan.last_at(now, phase)
    assert following is not None
    assert before is not None
    assert before <= now < following
    assert timedelta(days=27) < following - before < timedelta(days=32)
    assert plan.last_at(following, phase) == following


def test_periods_are_equal_by_what_they_hold() -> None:
    assert Period(utc(2026, 10, 1), utc(2026, 11, 1)) == month_of(date(2026, 10, 1), "UTC")
