"""Decisions go to Microsoft; what is done there comes back; nothing echoes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from alerts import writeback
from alerts.models import Case, WriteBack
from clients.errors import RateLimited
from csc_portal.outcome import carry_outcome
from tenants.models import Tenant, User
from tenants.scope import scope
from tests.alerts.documents import stamp
from tests.csc_portal.outcome.conftest import OPEN, RESOLVED, Flow
from ticketing.models import Delivery


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


def test_a_limit_that_is_used_up_costs_no_decision(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RateLimited("full", code="throttled_here", retry_after_s=0.01)

    flow.decide("resolve", verdict="truePositive")
    with monkeypatch.context() as patch:
        patch.setattr(writeback, "alerts_by_id", full)
        carry_outcome(flow.tenant)
        with scope(flow.tenant):
            WriteBack.objects.filter(state="pending").update(attempts=29, due_at=timezone.now())
        assert carry_outcome(flow.tenant).written.failed == 2
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
