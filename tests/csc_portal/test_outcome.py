"""Decisions go to Microsoft and into the ticket; what is done there comes back; nothing echoes."""

from __future__ import annotations

import itertools
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import triage
from alerts.models import Alert, Case, CaseEvent, WriteBack
from alerts.rows import run
from clients.throttle import Limit
from csc_portal.comments import Commented, read_notes, send_comment
from csc_portal.hints import TICKETS, Hint, hints
from csc_portal.outcome import Carried, carry, carry_outcome, start_outcomes
from csc_portal.pipeline import run_tenant
from simulator import Simulator
from tenants.directories import governor
from tenants.models import Tenant, TicketConnection, User
from tenants.scope import scope
from tests.alerts.documents import alert, stamp, user
from tests.lab import customer, forget, new_slug, reread
from ticketing.models import Delivery, Ticket

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


def test_a_verdict_goes_to_microsoft_and_the_ticket(flow: Flow) -> None:
    flow.decide(
        "resolve", verdict="falsePositive", determination="notMalicious", reason="admin_work"
    )
    carried = flow.carry()
    assert carried.written.written == 2
    for key in ("a1", "a2"):
        assert flow.theirs(key) == ("resolved", "falsePositive", "notMalicious")
    comments = flow.alert("a2")["comments"]
    assert [one["comment"] for one in comments] == [
        f"Closed in CSC Portal as false positive. [{flow.case.reference}/m2]"
    ]
    assert flow.ticket()["status"] == RESOLVED
    flow.is_quiet()
    assert "resolved_in_microsoft" not in flow.kinds()


def test_reopening_goes_everywhere(flow: Flow) -> None:
    flow.decide("resolve", verdict="truePositive")
    flow.carry()
    flow.decide("reopen")
    flow.carry()
    assert flow.theirs("a1")[0] == "new"
    assert flow.ticket()["status"] == OPEN
    flow.is_quiet()


def test_a_change_and_back_writes_nothing(flow: Flow) -> None:
    flow.decide("resolve", verdict="truePositive")
    flow.decide("reopen")
    carried = flow.carry()
    assert (carried.written.written, carried.sent.updates) == (0, 0)
    flow.is_quiet()


def test_what_defender_says_meanwhile_wins_and_is_shown(flow: Flow) -> None:
    flow.decide("resolve", verdict="falsePositive")
    flow.change("a1", status="inProgress")
    flow.carry()
    assert flow.case.status == Case.Status.IN_PROGRESS
    assert flow.theirs("a1")[0] == "inProgress"
    assert flow.theirs("a2")[0] == "new"
    assert "overruled_in_microsoft" in flow.kinds()
    flow.is_quiet()


def test_another_classification_there_is_taken(flow: Flow) -> None:
    flow.decide("resolve", verdict="falsePositive")
    flow.carry()
    flow.change("a2", classification="truePositive", determination="phishing")
    flow.poll()
    assert (flow.case.verdict, flow.case.determination) == ("truePositive", "phishing")
    assert flow.kinds()[-1] == "judged_in_microsoft"
    assert flow.carry().written.written == 0
    flow.is_quiet()


def test_reopened_there_after_we_closed_it(flow: Flow) -> None:
    flow.decide("resolve", verdict="falsePositive")
    flow.carry()
    flow.change("a1", status="inProgress")
    flow.poll()
    assert flow.case.status == Case.Status.IN_PROGRESS
    flow.carry()
    assert flow.ticket()["status"] == OPEN
    flow.is_quiet()


def test_closed_and_reopened_there_alone(flow: Flow) -> None:
    for key in ("a1", "a2"):
        flow.change(key, status="resolved")
    flow.poll()
    flow.carry()
    assert (flow.case.status, flow.ticket()["status"]) == (Case.Status.RESOLVED, RESOLVED)
    flow.is_quiet()
    flow.change("a2", status="new")
    flow.poll()
    flow.carry()
    assert (flow.case.status, flow.ticket()["status"]) == (Case.Status.NEW, OPEN)
    flow.is_quiet()


def test_closing_the_ticket_closes_everything(flow: Flow) -> None:
    flow.change_ticket(status=5)
    carried = flow.carry()
    assert carried.synced.closed == 1
    assert flow.case.status == Case.Status.RESOLVED
    assert flow.theirs("a1")[0] == "resolved"
    assert "resolved_in_ticket" in flow.kinds()
    flow.is_quiet()
    flow.change_ticket(status=OPEN)
    flow.carry()
    assert flow.case.is_open
    assert flow.theirs("a1")[0] == "new"
    flow.is_quiet()


def test_how_a_ticket_ended_says_the_verdict(flow: Flow) -> None:
    options = {
        "resolution_field": "ended",
        "verdicts": {"Nothing wrong": "falsePositive"},
        "unknown_verdict": "ask",
    }
    TicketConnection.objects.filter(tenant=flow.tenant).update(options=options)
    flow.change_ticket(status=5)
    flow.carry()
    assert flow.case.is_open
    assert "ticket_closed_unjudged" in flow.kinds()
    flow.is_quiet()
    flow.change_ticket(status=OPEN)
    flow.carry()
    flow.change_ticket(status=RESOLVED, custom_fields={"ended": "nothing wrong"})
    flow.carry()
    assert flow.case.verdict == "falsePositive"
    assert flow.theirs("a1")[:2] == ("resolved", "falsePositive")


def test_notes_and_agents_are_counted_not_kept(flow: Flow) -> None:
    number = flow.ticket()["id"]
    flow.simulator.control.add_note(flow.slug, number, "Called Anna Smith at home")
    flow.change_ticket(responder_id=27_000_000_001)
    flow.carry()
    flow.carry()
    case = flow.case
    with scope(flow.tenant):
        ticket = Ticket.objects.get(case=case)
        said = str(list(CaseEvent.objects.values()))
    assert ticket.notes == 1
    assert ticket.assignee is not None
    assert flow.kinds().count("ticket_noted") == 1
    assert flow.kinds().count("ticket_assigned") == 1
    assert "Anna" not in said
    assert "27000000001" not in said


def test_a_deleted_ticket_is_told(flow: Flow) -> None:
    flow.simulator.control.delete_ticket(flow.slug, flow.ticket()["id"])
    case = flow.case
    with scope(flow.tenant):
        Ticket.objects.filter(case=case).update(seen_at=timezone.now() - timedelta(days=1))
    carried = flow.carry()
    assert carried.synced.gone == 1
    assert "ticket_gone" in flow.kinds()
    flow.decide("resolve", verdict="truePositive")
    assert flow.carry().sent.failed == 0


def test_without_permission_it_is_said_and_tried_rarely(flow: Flow) -> None:
    order = {"service": "graph", "directory": flow.slug, "method": "PATCH", "status": 403}
    flow.simulator.control.fault("status", count=-1, **order)
    flow.decide("resolve", verdict="truePositive")
    carried = carry_outcome(flow.tenant)
    assert "SecurityAlert.ReadWrite.All" in carried.problem
    flow.simulator.control.forget_requests()
    assert carry_outcome(flow.tenant).written.failed == 0
    assert flow.simulator.control.count(service="graph", slug=flow.slug) == 0
    with scope(flow.tenant):
        rows = list(WriteBack.objects.filter(state="pending"))
    assert len(rows) == 2
    assert all(row.due_at - timezone.now() > timedelta(hours=5) for row in rows)
    flow.simulator.control.clear_faults()
    assert flow.carry().written.written == 2


@pytest.mark.parametrize("mode", ["off", "status"])
def test_switched_off_or_status_only(flow: Flow, mode: str) -> None:
    Tenant.objects.filter(slug=flow.slug).update(write_back=mode)
    flow.decide("resolve", verdict="truePositive")
    carried = flow.carry()
    assert carried.written.written == (2 if mode == "status" else 0)
    assert flow.theirs("a1")[0] == ("resolved" if mode == "status" else "new")
    assert not flow.alert("a2").get("comments")
    assert flow.ticket()["status"] == RESOLVED
    flow.is_quiet()


def test_an_assignment_is_written_by_address(flow: Flow) -> None:
    ada = User.objects.create_user("ada-outcome", email="ada@provider.example")
    try:
        flow.decide("assign", assignee_id=ada.pk)
        flow.carry()
        assert flow.alert("a1")["assignedTo"] == "ada@provider.example"
        flow.change("a2", assignedTo="someone@customer.example")
        flow.decide("assign", assignee_id=None)
        flow.carry()
        assert flow.alert("a1")["assignedTo"] is None
        kept = flow.alert("a2")["assignedTo"]
        assert kept == "someone@customer.example"
        with scope(flow.tenant):
            assert "@" not in str(list(WriteBack.objects.values()))
    finally:
        ada.delete()


def test_a_whole_incident_is_resolved_with_its_case(flow: Flow) -> None:
    incident = {
        "id": "77", "status": "active", "classification": "unknown", "determination": "unknown",
        "displayName": "x", "comments": [], "createdDateTime": stamp(timezone.now()),
        "lastUpdateDateTime": stamp(timezone.now()), "severity": "high",
    }  # fmt: skip
    flow.simulator.control.add_rows(flow.slug, "incidents", incident)
    for key in ("a1", "a2"):
        flow.change(key, incidentId="77")
    flow.poll()
    flow.decide("resolve", verdict="truePositive", determination="malware")
    assert flow.carry().written.written == 3
    found = flow.simulator.control.rows(flow.slug, "incidents")[-1]
    assert (found["status"], found["classification"]) == ("resolved", "truePositive")
    assert f"[{flow.case.reference}/m2]" in found["comments"][0]["comment"]
    flow.is_quiet()


def test_an_incident_with_others_alerts_is_left_alone(flow: Flow) -> None:
    incident = {
        "id": "78", "status": "active", "classification": "unknown", "determination": "unknown",
        "comments": [], "createdDateTime": stamp(timezone.now()), "severity": "high",
        "lastUpdateDateTime": stamp(timezone.now()),
    }  # fmt: skip
    flow.simulator.control.add_rows(flow.slug, "incidents", incident)
    for key in ("a1", "a2"):
        flow.change(key, incidentId="78")
    flow.poll()
    flow.add("a3", "bert", incidentId="78")  # Microsoft has it, we not yet
    flow.decide("resolve", verdict="truePositive")
    assert flow.carry().written.written == 2
    found = flow.simulator.control.rows(flow.slug, "incidents")[-1]
    assert found["status"] == "active"
    assert flow.theirs("a3")[0] == "new"


def test_a_refused_state_is_final_for_this_decision(flow: Flow) -> None:
    flow.simulator.control.fault(
        "status", service="freshservice", directory=flow.slug, method="PUT", status=400, count=1
    )
    flow.decide("resolve", verdict="truePositive")
    assert carry_outcome(flow.tenant, patience_s=1).sent.failed == 1
    case = flow.case
    with scope(flow.tenant):
        assert Delivery.objects.get(kind="update", case=case).state == "failed"
    assert carry_outcome(flow.tenant, patience_s=1, read_tickets=True).sent.failed == 0
    assert not flow.case.is_open


# --- comments -------------------------------------------------------------------------------------

NONCE = "abcd1234"


def comment(flow: Flow, text: str = "Called <b>Anna</b>\nat home", **more: Any) -> Commented:
    case = flow.case
    usual = {"actor_id": 1, "author": "Ada", "to_microsoft": True}
    return send_comment(flow.tenant, case.pk, text, NONCE, **{**usual, **more})


def test_a_comment_goes_to_both_once_and_is_not_kept(flow: Flow) -> None:
    for _ in range(2):
        assert comment(flow) == Commented(("ticket", "microsoft"), "")
    (note,) = flow.ticket()["conversations"]
    assert "Called &lt;b&gt;Anna&lt;/b&gt;<br>at home" in note["body"]
    (there,) = flow.alert("a2")["comments"]
    assert there["comment"].startswith("Ada: Called")
    assert flow.kinds().count("commented") == 1
    with scope(flow.tenant):
        assert "Anna" not in str(list(CaseEvent.objects.values()))
    flow.poll()
    flow.carry()
    assert "ticket_noted" not in flow.kinds()
    assert len(read_notes(flow.tenant, flow.case.pk)) == 1


def test_a_comment_that_fails_is_told_and_can_be_sent_again(flow: Flow) -> None:
    order = {"service": "freshservice", "directory": flow.slug, "method": "POST", "when": "after"}
    flow.simulator.control.fault("status", status=500, count=9, **order)
    failed = comment(flow)
    assert failed.where == ("microsoft",)
    assert "could not be added to the ticket" in failed.problem
    flow.simulator.control.clear_faults()
    assert comment(flow) == Commented(("ticket", "microsoft"), "")
    assert len(flow.ticket()["conversations"]) == 1
    assert len(flow.alert("a2")["comments"]) == 1


def test_comments_that_are_not_sent(flow: Flow) -> None:
    assert "characters" in comment(flow, " ").problem
    assert "characters" in comment(flow, "x" * 20_000).problem
    Tenant.objects.filter(slug=flow.slug).update(write_back="status")
    off = comment(flow)
    assert off.where == ("ticket",)
    assert "switched off" in off.problem


def test_nothing_that_people_wrote_is_kept(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a row of any table, nor in a line of the log, whoever wrote it where."""
    word = f"canary{flow.name}x"
    options = {"resolution_field": "ended"}
    TicketConnection.objects.filter(tenant=flow.tenant).update(options=options)
    flow.simulator.control.add_note(flow.slug, flow.ticket()["id"], word)
    assert comment(flow, word).problem == ""
    flow.change("a1", assignedTo=f"{word}@x.example", comments=[{"comment": word}])
    flow.poll()
    refusal = {"description": word, "errors": [{"field": f"a {word}", "message": word}]}
    order = {"service": "freshservice", "directory": flow.slug, "method": "PUT", "status": 400}
    flow.simulator.control.fault("status", count=1, body=refusal, **order)
    error = {"error": {"code": f"Bad {word}", "message": word}}
    order = {"service": "graph", "directory": flow.slug, "method": "PATCH", "status": 400}
    flow.simulator.control.fault("status", count=1, body=error, **order)
    flow.decide("resolve", verdict="truePositive")
    failed = carry_outcome(flow.tenant, patience_s=1, read_tickets=True)
    assert failed.written.failed == 1
    assert failed.sent.failed == 1
    flow.change_ticket(status=RESOLVED, custom_fields={"ended": word}, subject=word)
    flow.carry()
    assert "ticket_noted" in flow.kinds()
    tables = 0
    with scope(flow.tenant):
        schema = flow_tables()
        for table in schema:
            rows = run(f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE %s', [f"%{word}%"])
            assert rows == [(0,)], table
            tables += 1
    assert tables > 20
    assert {"alerts_writeback", "ticketing_ticket", "ticketing_delivery"} <= set(schema)
    assert word not in caplog.text
    assert "write-back failed" in caplog.text


def flow_tables() -> list[str]:
    """Of the tenant's schema. Inside its scope."""
    found = run("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()", [])
    return [name for (name,) in found]


# --- webhooks -------------------------------------------------------------------------------------


def test_a_webhook_makes_the_ticket_be_read(flow: Flow) -> None:
    flow.carry()
    waiting = timezone.now() + timedelta(hours=1)
    Tenant.objects.filter(slug=flow.slug).update(next_outcome_at=waiting, state="active")
    connections = TicketConnection.objects.filter(tenant__slug=flow.slug)
    connections.update(next_read_at=waiting)
    flow.change_ticket(status=RESOLVED)
    public_id = connections.get().public_id
    stranger = uuid.uuid4()
    try:
        hints(TICKETS).note(stranger, {Hint("tickets")})
        start_outcomes()
        assert connections.get().next_read_at == waiting, "a stranger's call changes nothing"
        hints(TICKETS).note(public_id, {Hint("tickets")})
        start_outcomes()
        assert not {public_id, stranger} & set(hints(TICKETS).due())
        assert connections.get().next_read_at is None
        due = flow.tenant.next_outcome_at
        assert due < waiting, "a task was started"
        carry(flow.tenant.pk, due.isoformat())
        assert not flow.case.is_open
        assert timezone.now() < flow.tenant.next_outcome_at < waiting
    finally:
        Tenant.objects.filter(slug=flow.slug).update(state="onboarding")


# --- any order of anything ------------------------------------------------------------------------

STEPS = {
    "we resolve": lambda f: f.decide("resolve", verdict="truePositive"),
    "we reopen": lambda f: f.decide("reopen"),
    "we start": lambda f: f.decide("start"),
    "Defender resolves": lambda f: [f.change(one, status="resolved") for one in ("a1", "a2")],
    "Defender opens one": lambda f: f.change("a1", status="inProgress"),
    "the desk closes": lambda f: f.change_ticket(status=RESOLVED),
    "the desk opens": lambda f: f.change_ticket(status=OPEN),
    "poll": lambda f: f.poll(),
    "carry": lambda f: f.carry(),
    "an answer of Microsoft is lost": lambda f: f.lose("graph", "PATCH"),
    "an answer of the desk is lost": lambda f: f.lose("freshservice", "PUT"),
}
_numbers = itertools.count()


@settings(max_examples=4, deadline=None, derandomize=True, database=None, print_blob=False)
@given(names=st.lists(st.sampled_from(sorted(STEPS)), min_size=3, max_size=7))
def test_three_parties_agree_in_the_end_and_then_are_quiet(
    simulator: Simulator, slug: str, django_db_blocker: Any, names: list[str]
) -> None:
    """Nothing goes round in circles, whoever does what when, and whatever answer is lost."""
    with django_db_blocker.unblock():
        flow = Flow(simulator, slug, f"any{next(_numbers)}")
        flow.open()
        for name in names:
            STEPS[name](flow)
        for _ in range(3):
            flow.poll()
            flow.carry()
        is_open = flow.case.is_open
        assert (flow.ticket()["status"] == OPEN) == is_open
        statuses = {flow.theirs(one)[0] for one in ("a1", "a2")}
        assert ("resolved" not in statuses) if is_open else (statuses == {"resolved"})
        flow.is_quiet()
