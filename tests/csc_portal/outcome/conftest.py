"""A case with three sides: the portal, Microsoft and the help desk."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from alerts import triage
from alerts.models import Alert, Case, CaseEvent
from clients.throttle import Limit
from csc_portal.outcome import Carried, carry_outcome
from csc_portal.pipeline import run_tenant
from simulator import Simulator
from tenants.directories import governor
from tenants.models import Tenant, TicketConnection
from tenants.scope import scope
from tests.alerts.documents import alert, stamp, user
from tests.lab import customer, forget, new_slug, reread

OPEN, RESOLVED = 2, 4  # Freshservice


@dataclass
class Flow:
    """One case of a customer that all tests share, and what its three sides say of it."""

    simulator: Simulator
    slug: str
    name: str

    def open(self) -> None:
        """One case of two alerts, with its ticket."""
        self.add("a1")
        self.add("a2", severity="high")
        self.poll()
        self.carry()

    def lose(self, service: str, method: str) -> None:
        """What is sent takes effect, but the answer is lost; as for a worker that dies then."""
        order = {"service": service, "directory": self.slug, "method": method, "when": "after"}
        self.simulator.control.fault("status", status=503, count=9, **order)
        carry_outcome(self.tenant, read_tickets=True)
        self.simulator.control.clear_faults()

    def key(self, which: str) -> str:
        return f"{which}-{self.name}"

    def add(self, which: str, name: str = "", **more: object) -> None:
        at = {"lastUpdateDateTime": stamp(timezone.now())}
        document = alert(self.key(which), user(name or self.name), **{**at, **more})
        self.simulator.control.add_alert(self.slug, document)

    def change(self, which: str, **changes: object) -> None:
        self.simulator.control.change_alert(self.slug, self.key(which), **changes)

    def alert(self, which: str) -> dict[str, Any]:
        return self.simulator.control.alert(self.slug, self.key(which))

    def theirs(self, which: str) -> tuple[str, str | None, str | None]:
        found = self.alert(which)
        return found["status"], found.get("classification"), found.get("determination")

    def poll(self) -> None:
        assert run_tenant(self.tenant).error == ""

    def carry(self) -> Carried:
        carried = carry_outcome(self.tenant, patience_s=1, read_tickets=True)
        assert carried.problem == ""
        return carried

    def decide(self, what: str, **more: Any) -> None:
        case, tenant = self.case, self.tenant
        with scope(tenant):
            getattr(triage, what)(tenant.pk, {case.pk: case.version}, actor_id=1, **more)

    @property
    def tenant(self) -> Tenant:
        return reread(self.slug)

    @property
    def case(self) -> Case:
        with scope(self.tenant):
            return Alert.objects.select_related("case").get(provider_id=self.key("a1")).case

    def kinds(self) -> list[str]:
        case = self.case
        with scope(self.tenant):
            events = CaseEvent.objects.filter(case=case).order_by("pk")
            return list(events.values_list("kind", flat=True))

    def ticket(self) -> dict[str, Any]:
        reference = self.case.reference
        tickets = self.simulator.control.tickets(self.slug)
        (found,) = [one for one in tickets if reference in one["tags"]]
        return found

    def change_ticket(self, **changes: Any) -> None:
        self.simulator.control.change_ticket(self.slug, self.ticket()["id"], **changes)

    def state(self) -> tuple[Any, ...]:
        alerts = self.simulator.control.alerts(self.slug)
        return self.kinds(), self.ticket(), self.case.version, alerts

    def is_quiet(self) -> None:
        """Two more rounds change nothing anywhere."""
        before = self.state()
        for _ in range(2):
            self.poll()
            carried = self.carry()
            assert (carried.written.written, carried.sent.updates, carried.sent.notes) == (0, 0, 0)
        assert self.state() == before


@pytest.fixture(scope="module")
def slug(simulator: Simulator, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    name = new_slug("outcome")
    plan = simulator.control.settings()["freshservice_plan"]
    with django_db_blocker.unblock():
        simulator.control.settings(freshservice_plan="off")
        url = urlsplit(customer(simulator, name, enable=False).ticketing.url)
        governor().set_limit(f"{url.netloc}{url.path}", "tickets", Limit(100_000, 60))
        yield name
        simulator.control.settings(freshservice_plan=plan)
        forget([name])


@pytest.fixture
def flow(
    simulator: Simulator, slug: str, committed: None, request: pytest.FixtureRequest
) -> Iterator[Flow]:
    made = Flow(simulator, slug, f"p{zlib.crc32(request.node.name.encode())}")
    made.open()
    yield made
    simulator.control.clear_faults()
    Tenant.objects.filter(slug=slug).update(write_back="all")
    TicketConnection.objects.filter(tenant__slug=slug).update(options={})
