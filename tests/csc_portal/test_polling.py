"""The pace of polls: busy tenants often, quiet ones and those with push rarely, all spread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csc_portal.polling import Pace, interval_s, next_poll

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
rates = st.floats(0, 100_000)
paces = st.builds(
    Pace,
    alerts_per_hour=rates,
    push_healthy_at=st.none() | st.just(NOW),
    failures=st.integers(0, 100),
)


@given(rates, rates)
def test_the_busier_the_sooner(one, other):
    few, many = sorted((one, other))
    assert interval_s(Pace(many), NOW) <= interval_s(Pace(few), NOW)


@given(rates)
def test_between_the_shortest_and_the_longest(rate):
    assert 60 <= interval_s(Pace(rate), NOW) <= 600
    assert 1 <= interval_s(Pace(rate, shortest_s=1, longest_s=2), NOW) <= 2


def test_push_makes_polls_a_safety_net_while_it_is_healthy():
    assert interval_s(Pace(1000, NOW - timedelta(hours=23)), NOW) == 900
    assert interval_s(Pace(1000, NOW - timedelta(hours=25)), NOW) == 60


def test_after_failures_it_waits_longer_and_longer():
    waits = [interval_s(Pace(5, failures=n), NOW) for n in range(1, 100)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (120, 3600)


@given(st.integers(1, 10**9), paces)
def test_the_next_turn_is_neither_at_once_nor_skipped(tenant_id, pace):
    interval = interval_s(pace, NOW)
    wait = (next_poll(tenant_id, pace, NOW) - NOW).total_seconds()
    assert interval / 2 - 1e-3 <= wait <= 1.5 * interval + 1e-3


@given(st.integers(1, 10**9), st.floats(0, 100))
def test_turns_follow_each_other_by_the_interval(tenant_id, rate):
    pace = Pace(rate)
    one = next_poll(tenant_id, pace, NOW)
    other = next_poll(tenant_id, pace, one + timedelta(seconds=0.01))
    assert abs((other - one).total_seconds() - interval_s(pace, NOW)) < 0.1


def test_tenants_are_spread_over_the_interval():
    waits = [(next_poll(n, Pace(0), NOW) - NOW).total_seconds() % 500 for n in range(1, 1001)]
    tenths = [sum(50 * n <= wait < 50 * (n + 1) for wait in waits) for n in range(10)]
    assert min(tenths) > 60
