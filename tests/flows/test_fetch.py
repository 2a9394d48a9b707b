"""Reading in the foreground: paging, Retry-After, and how little is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from alerts.models import Alert
from csc_portal.pipeline import run_tenant
from tenants.scope import scope
from tenants.secrets import vault
from tests.alerts.documents import alert, user
from tests.lab import check_complete, customer, forget, new_slug, reread


@pytest.fixture
def slug(simulator, committed) -> Iterator[str]:
    """A customer that no worker reads: the tests do."""
    name = new_slug("fetch")
    customer(simulator, name, enable=False)
    yield name
    simulator.control.clear_faults()
    forget([name])


def reads(simulator) -> list[dict]:
    """Of alerts alone; what is known about their users is asked apart."""
    return simulator.control.requests(service="graph", family="alerts", method="GET")


def test_all_pages_are_read_and_nothing_twice(simulator, slug):
    simulator.control.fill(slug, 130)
    simulator.control.forget_requests()
    vault.cache_clear()  # What the first run reads from the vault then serves the second.
    run = run_tenant(reread(slug))
    assert (run.error, run.counts.new, run.counts.duplicate) == ("", 130, 0)
    assert len(reads(simulator)) == 2
    check_complete(simulator, slug)

    simulator.control.forget_requests()
    again = run_tenant(reread(slug))
    assert (again.counts.new, again.counts.updated, again.sent.tickets) == (0, 0, 0)
    assert len(simulator.control.requests()) == 1, "a poll without news"


@pytest.mark.parametrize("asked_s", [2, None])
def test_retry_after_is_obeyed(simulator, slug, asked_s):
    simulator.control.fill(slug, 110)
    simulator.control.fault(
        "status", service="graph", directory=slug, status=429, retry_after=asked_s, skip=1
    )
    simulator.control.forget_requests()
    run = run_tenant(reread(slug))
    assert (run.error, run.counts.new) == ("", 110)
    pages = reads(simulator)
    assert [row["status"] for row in pages] == [200, 429, 200]
    # Without the header half a second is the least that is waited.
    waited = datetime.fromisoformat(pages[2]["at"]) - datetime.fromisoformat(pages[1]["at"])
    assert waited >= timedelta(seconds=asked_s or 0.4)


def test_one_that_is_throttled_for_long_gives_up_for_now_and_says_so(simulator, slug):
    simulator.control.fill(slug, 3)
    simulator.control.fault(
        "status", service="graph", directory=slug, status=429, retry_after=300, count=-1
    )
    started = datetime.now(UTC)
    simulator.control.forget_requests()
    run = run_tenant(reread(slug))
    assert "429" in run.error
    assert len(reads(simulator)) == 1
    assert datetime.now(UTC) - started < timedelta(seconds=20)
    left = reread(slug)
    assert left.next_poll_at - started >= timedelta(seconds=299)
    assert left.last_error == run.error

    # The pause holds for this directory alone: another is read at once.
    other = new_slug("fetch")
    customer(simulator, other, enable=False)
    try:
        simulator.control.add_alert(other, alert("o1", user("anna")))
        assert run_tenant(reread(other)).counts.new == 1
    finally:
        forget([other])


def test_since_and_until_bound_what_is_read(simulator, slug):
    simulator.control.add_alerts(
        slug, [alert(f"a{hour}", user(f"u{hour}"), hours=hour) for hour in (0, 30, 60)]
    )
    day = datetime(2026, 11, 20, 8, tzinfo=UTC)
    run = run_tenant(reread(slug), since=day + timedelta(hours=20), until=day + timedelta(hours=60))
    assert run.counts.new == 1
    with scope(reread(slug)):
        assert Alert.objects.get().provider_id == "a30"
