"""What Microsoft Graph may answer: everything good is stored, once, and nothing else is stopped."""

from __future__ import annotations

import pytest

from alerts.models import Alert, Quarantined
from csc_portal.pipeline import run_tenant
from tenants.scope import scope
from tests.alerts.documents import DAY, alert, user
from tests.lab import check_complete, reread

ALERTS = 12


def give(simulator, slug: str) -> None:
    """Two pages: the portal asks for a hundred, so fill one with one person's alerts."""
    few = [alert(f"a{i}", user(f"person{i}"), hours=i) for i in range(ALERTS)]
    many = [alert(f"b{i}", user("busy"), hours=i / 10) for i in range(110 - ALERTS)]
    simulator.control.add_alerts(slug, few + many)


def order(simulator, slug: str, **fault: object) -> None:
    given = {"kind": "status", "service": "graph", "directory": slug, "path": "alerts_v2"}
    simulator.control.fault(**{**given, **fault})


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "retry_after": 1},
        {"status": 503},
        {"status": 401},
        {"status": 401, "skip": 0},
        {"kind": "truncate"},
        {"kind": "truncate", "skip": 0},
        {"kind": "drop"},
        {"kind": "garbage"},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_a_fault_that_passes_costs_nothing(simulator, slug, fault):
    """On the second page, where not said otherwise."""
    give(simulator, slug)
    order(simulator, slug, **{"skip": 1, "count": 1, **fault})
    run = run_tenant(reread(slug))
    assert run.error == ""
    assert simulator.control.faults()[0]["hits"] == 1
    check_complete(simulator, slug)


@pytest.mark.parametrize(
    "fault",
    [{"status": 429, "retry_after": 120}, {"status": 403}, {"status": 401}],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_a_fault_that_stays_shows_and_the_next_poll_goes_on(simulator, slug, fault):
    """On the second page: the first is stored, in cases, and ticketed at once."""
    give(simulator, slug)
    order(simulator, slug, skip=1, count=-1, **fault)
    run = run_tenant(reread(slug))
    tenant = reread(slug)
    assert str(fault["status"]) in run.error
    assert (tenant.failures, tenant.last_error) == (1, run.error)
    assert tenant.next_poll_at is not None
    with scope(tenant):
        assert 0 < Alert.objects.count() < 110
    assert run.sent.tickets > 0
    simulator.control.clear_faults()
    if "retry_after" in fault:
        return  # the pause holds: asking again now would not be polite
    assert run_tenant(reread(slug)).error == ""
    assert reread(slug).failures == 0
    check_complete(simulator, slug)


def test_duplicates_on_a_page_are_one_alert(simulator, slug):
    give(simulator, slug)
    order(simulator, slug, kind="duplicate", count=-1)
    run = run_tenant(reread(slug))
    assert (run.counts.new, run.counts.duplicate) == (110, 110)
    check_complete(simulator, slug)


def test_an_empty_page_is_not_the_end(simulator, slug):
    give(simulator, slug)
    order(simulator, slug, kind="empty_page", count=1)
    assert run_tenant(reread(slug)).counts.new == 10, "the second page"
    run_tenant(reread(slug), since=DAY)
    check_complete(simulator, slug)


def test_malformed_documents_are_set_aside_and_come_in_later(simulator, slug):
    give(simulator, slug)
    order(simulator, slug, kind="malformed", count=-1)
    run = run_tenant(reread(slug))
    assert run.error == ""
    assert run.counts.quarantined >= 5
    assert run.counts.new + run.counts.duplicate + run.counts.quarantined == 110
    with scope(reread(slug)):
        assert Quarantined.objects.filter(resolved_at=None).exists()
    simulator.control.clear_faults()
    run_tenant(reread(slug), since=DAY)
    with scope(reread(slug)):
        left = Quarantined.objects.filter(resolved_at=None, is_provider_id=True)
        assert not left.exists()
        known = set(Alert.objects.values_list("provider_id", flat=True))
    assert {one["id"] for one in simulator.control.alerts(slug)} <= known


def test_an_older_state_never_overwrites_a_newer(simulator, slug):
    simulator.control.add_alert(slug, alert("a1", user("anna"), severity="low"))
    run_tenant(reread(slug))
    simulator.control.change_alert(slug, "a1", severity="high")
    run_tenant(reread(slug))
    order(simulator, slug, kind="stale", count=-1)
    run_tenant(reread(slug))
    with scope(reread(slug)):
        assert Alert.objects.get().severity == 4
