"""Merged incidents and the weekly check, through the pipeline and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from alerts.models import Alert, Case, Poll, SourceAbility
from clients.errors import Forbidden
from csc_portal.pipeline import run_tenant
from csc_portal.tending import tend
from tenants.directories import graph_for
from tenants.models import Tenant
from tenants.scope import scope
from tests.alerts.documents import alert, device, stamp, user
from tests.lab import check_complete, customer, forget, new_slug, reread

NO_INCIDENTS = ["SecurityAlert.Read.All", "AuditLog.Read.All"]


@pytest.fixture
def slug(simulator, committed) -> Iterator[str]:
    """A customer that no worker reads, with two alerts of two incidents."""
    name = new_slug("merge")
    customer(simulator, name, enable=False)
    at = stamp(datetime.now(UTC) - timedelta(minutes=5))
    fresh = {"createdDateTime": at, "lastUpdateDateTime": at}
    for key, number, evidence in (("a1", "1", user("anna")), ("a2", "2", device("pc1"))):
        simulator.control.add_alert(name, alert(key, evidence, incident=number) | fresh)
    yield name
    simulator.control.clear_faults()
    forget([name])


def merge(simulator, slug) -> None:
    incident = {
        "id": "1",
        "status": "redirected",
        "redirectIncidentId": "2",
        "createdDateTime": stamp(datetime.now(UTC)),
        "lastUpdateDateTime": stamp(datetime.now(UTC)),
    }
    simulator.control.add_rows(slug, "incidents", [incident])


def take_permission(simulator, slug) -> None:
    """Tokens that were given before still hold it."""
    simulator.control.configure(slug, roles=NO_INCIDENTS)
    graph_for(reread(slug)).forget_token()


def refused(*_) -> None:
    raise Forbidden("Microsoft Graph does not allow it.")


def sync(slug, source) -> dict:
    out = StringIO()
    call_command("sync", slug, "--source", source, "--json", stdout=out)
    return json.loads(out.getvalue())


def open_cases(slug) -> int:
    with scope(reread(slug)):
        return Case.objects.filter(status__lt=2).count()


def asked(simulator, family) -> int:
    return sum(row["family"] == family for row in simulator.control.requests(service="graph"))


def test_sync_follows_merges_and_tells_both_tickets(simulator, slug):
    first = sync(slug, "alerts")
    assert (first["fetched"], first["new"], first["cases"], first["tickets"]) == (2, 2, 2, 2)
    merge(simulator, slug)
    second = sync(slug, "incidents")
    assert (second["fetched"], second["new"], second["updated"]) == (1, 0, 1)
    assert second["failed"] == 0
    assert open_cases(slug) == 1
    again = sync(slug, "all")
    assert (again["new"], again["updated"], again["tickets"]) == (0, 0, 0)
    check_complete(simulator, slug)


def test_a_missing_permission_fails_nothing(simulator, slug):
    take_permission(simulator, slug)
    for source in ("all", "incidents"):
        found = sync(slug, source)
        assert found["failed"] == 0
        assert "permission" in found["noted"]
    tenant = reread(slug)
    assert (tenant.failures, tenant.unread_windows) == (0, 0)
    with scope(tenant):
        assert Alert.objects.count() == 2


def test_a_fault_of_incidents_leaves_the_alerts_alone(simulator, slug):
    simulator.control.fault("status", status=500, directory=slug, path="incidents", count=-1)
    run = run_tenant(reread(slug), incidents=True)
    assert run.counts.new == 2
    assert run.sent.tickets == 2
    assert "500" in run.error
    tenant = reread(slug)
    assert (tenant.failures, tenant.unread_windows) == (0, 1)


def test_polls_ask_for_incidents_now_and_then(simulator, slug):
    simulator.control.forget_requests()
    for _ in range(3):
        run_tenant(reread(slug))
    assert asked(simulator, "incidents") == 0
    with scope(reread(slug)):
        Poll.objects.update(started_at=datetime.now(UTC) - timedelta(hours=5))
    for _ in range(3):
        run_tenant(reread(slug))
    assert asked(simulator, "incidents") == 1


def test_the_weekly_check_waits_for_no_reconciliation(simulator, slug, monkeypatch):
    Tenant.objects.filter(slug=slug).update(state=Tenant.State.ACTIVE)
    tenant = reread(slug)
    with scope(tenant):
        assert SourceAbility.objects.get(source="sign-ins").state == "there"
        old = datetime.now(UTC) - timedelta(days=8)
    tend(tenant.pk)
    with scope(tenant):
        assert SourceAbility.objects.filter(state="no_permission").count() == 0
        SourceAbility.objects.update(checked_at=old)
    simulator.control.configure(slug, licences={"entra_id_p1": False, "entra_id_p2": False})
    monkeypatch.setattr("csc_portal.tending.reconcile", refused)
    tend(tenant.pk)
    with scope(tenant):
        assert SourceAbility.objects.get(source="sign-ins").state == "no_licence"
        assert not SourceAbility.objects.filter(checked_at__lte=old).exists()


def test_probe_says_what_is_not_seen(simulator, slug):
    take_permission(simulator, slug)
    out = StringIO()
    call_command("probe", slug, "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert {row["source"]: row["state"] for row in found["sources"]}["incidents"] == "forbidden"
    assert any("merges" in sentence for sentence in found["blind_spots"])
