"""Which findings get a ticket, and what it says: names are read when it is written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from csc_portal.finding_tickets import plan_finding_tickets
from posture.findings import Found, settle
from posture.models import Finding
from tenants.directories import graph_for
from tenants.models import FindingRule, Tenant, TicketConnection
from tenants.scope import scope
from tests.posture.lab import VAULT, Azure, read, set_rule
from ticketing.about_finding import FindingSubject
from ticketing.models import Delivery
from ticketing.subjects import Outlet

KIND = str(Finding.Kind.SCORE_DROPPED)
UNWATCHED = str(Finding.Kind.UNWATCHED)


@pytest.fixture
def ticketed(customer: Tenant) -> Tenant:
    TicketConnection.objects.create(
        tenant=customer, system="freshservice", url="https://x.example", secret_name="x"
    )
    FindingRule.objects.create(tenant=None, kind=KIND, min_severity=3, min_size=5)
    return customer


def be(tenant: Tenant, severity: int = 3, size: int = 5) -> None:
    with scope(tenant):
        settle(KIND, [Found("score", severity, "It fell", {}, size)], timezone.now())
    plan_finding_tickets(tenant)


def planned(tenant: Tenant) -> list[tuple[str, int]]:
    with scope(tenant):
        return list(Delivery.objects.order_by("pk").values_list("kind", "growth"))


@pytest.mark.parametrize(
    ("severity", "size", "count"), [(3, 5, 1), (4, 500, 1), (2, 5, 0), (3, 4, 0)]
)
def test_from_a_severity_and_a_size_on(
    ticketed: Tenant, severity: int, size: int, count: int
) -> None:
    be(ticketed, severity, size)
    be(ticketed, severity, size)
    assert len(planned(ticketed)) == count
    ticketed.refresh_from_db()
    assert (ticketed.next_delivery_at is not None) == bool(count)


def test_a_tenants_own_rule_goes_first(ticketed: Tenant) -> None:
    FindingRule.objects.create(tenant=ticketed, kind=KIND, is_on=False)
    be(ticketed, 4, 100)
    assert planned(ticketed) == []


def test_an_accepted_risk_gets_none_until_its_day(ticketed: Tenant) -> None:
    be(ticketed, 3, 1)
    until = timezone.now() + timedelta(days=1)
    with scope(ticketed):
        Finding.objects.update(accepted_until=until, accepted_why="own")
    be(ticketed, 3, 9)
    assert planned(ticketed) == []
    with scope(ticketed):
        Finding.objects.update(accepted_until=timezone.now() - timedelta(days=1))
    plan_finding_tickets(ticketed)
    assert planned(ticketed) == [("create", 2)]


def test_a_ticket_of_resources_names_them(ticketed: Tenant, azure: Azure) -> None:
    azure.subscription()
    for number in range(3):
        azure.resource(f"vm-{number}<b>")
    azure.resource("kept", {"monitored": "true"})
    azure.resource("vault-1", kind=VAULT)
    set_rule(ticketed)
    read(ticketed)
    with scope(ticketed):
        finding = Finding.objects.get(kind=UNWATCHED, key__iexact="Microsoft.Compute")
        outlet = Outlet(ticketed, graph_for(ticketed), "freshservice", None, "https://p.example")
        draft = FindingSubject(outlet, finding).draft()
    assert draft.subject.startswith("Azure resources are not watched: 3 Azure resources")
    for number in range(3):
        assert f"vm-{number}&lt;b&gt;" in draft.html
    assert "Contoso 1" in draft.html
    assert f"https://p.example/findings/{finding.public_id}/" in draft.html
    assert "kept" not in draft.html
    assert "vault-1" not in draft.html
