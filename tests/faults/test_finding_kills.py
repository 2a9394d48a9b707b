"""The portal is killed while it tells a ticket of a finding: there is one of each in the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.outcome import carry_outcome
from posture.findings import Found, settle
from posture.models import Finding
from simulator import Simulator
from tenants.models import FindingEntry, FindingRule
from tenants.scope import granted, scope
from tests.lab import ROOT, customer, forget, new_slug, reread, wait_for
from ticketing.models import Delivery, Ticket

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KIND = str(Finding.Kind.EXPLOITED)


@pytest.fixture
def slug(simulator: Simulator, committed: None) -> Iterator[str]:
    name = new_slug("finding")
    tenant = customer(simulator, name)
    FindingRule.objects.create(tenant=tenant, kind=KIND, min_severity=3, min_size=2)
    yield name
    simulator.control.clear_faults()
    forget([name])


def found(size: int, severity: int = 3) -> list[Found]:
    row = {"cve": "CVE-2020-1472", "devices": size, "products": ["x/y"], "ransomware": True}
    return [Found("kev", severity, f"{size} of them", {"weaknesses": [row]}, size)]


def be(slug: str, found: list[Found]) -> None:
    tenant = reread(slug)
    with scope(tenant):
        settle(KIND, found, NOW)
    plan_finding_tickets(tenant)


def kill_while(simulator: Simulator, slug: str, **moment: Any) -> None:
    """The ticket system takes effect, its answer does not come, and the portal is killed."""
    control = simulator.control
    control.fault(
        "timeout", service="freshservice", directory=slug, when="after", seconds=30, count=1,
        **moment,
    )  # fmt: skip
    words = [sys.executable, "manage.py", "sync", slug, "--source", "tickets"]
    killed = subprocess.Popen(words, cwd=ROOT)
    wait_for(lambda: any(fault["hits"] for fault in control.faults()), 60, str(moment))
    killed.kill()
    killed.wait()
    control.clear_faults()
    assert carry_outcome(reread(slug), patience_s=5, deliver=True).problem == ""


def test_one_ticket_whenever_it_is_killed(simulator: Simulator, slug: str) -> None:
    control = simulator.control
    be(slug, found(2))
    kill_while(simulator, slug, method="POST", path="/tickets$")
    (ticket,) = control.tickets(slug)
    with scope(reread(slug)):
        finding = Finding.objects.get()
        assert (finding.ticket_ref, finding.reference) == (
            str(ticket["id"]), Ticket.objects.get().reference,
        )  # fmt: skip
    assert finding.reference in ticket["tags"]
    assert "CVE-2020-1472" in ticket["description"]

    be(slug, found(3))
    kill_while(simulator, slug, method="POST", path="/notes$")
    (ticket,) = control.tickets(slug)
    assert len(ticket["conversations"]) == 1

    be(slug, [])
    kill_while(simulator, slug, method="PUT", path="/tickets/")
    (ticket,) = control.tickets(slug)
    assert (ticket["status"], len(ticket["conversations"])) == (4, 1)

    tenant = reread(slug)
    with scope(tenant):
        assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
        assert set(Delivery.objects.values_list("kind", flat=True)) == {"create", "note", "update"}
    with granted([tenant.pk]):
        assert FindingEntry.objects.get().ticket_ref == str(ticket["id"])
    control.forget_requests()
    again = carry_outcome(reread(slug), patience_s=5, deliver=True)
    assert (again.sent.tickets, again.sent.notes, again.sent.updates) == (0, 0, 0)
