"""Decisions go into the ticket; what is done there comes back."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Case, CaseEvent
from clients.errors import Unavailable
from csc_portal.hints import TICKETS, Hint, hints
from csc_portal.outcome import carry, carry_outcome, start_outcomes
from csc_portal.pipeline import send_deliveries
from tenants.models import Tenant, TicketConnection
from tenants.scope import scope
from tests.csc_portal.outcome.conftest import OPEN, RESOLVED, Flow
from ticketing.adapters.freshservice import Freshservice
from ticketing.models import Ticket

DAY = timedelta(days=1)


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
    there = flow.ticket()
    note = f"Re: {there['subject']} Called Anna Smith at home"
    flow.simulator.control.add_note(flow.slug, there["id"], note)
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


def test_more_notes_or_changes_than_are_read_stop_nothing(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Freshservice._pages

    def flooded(self: Freshservice, path: str, *given: Any) -> Any:
        yield from pages(self, path, *given)
        raise Unavailable("too many", code="too_many")

    monkeypatch.setattr(Freshservice, "_pages", flooded)
    flow.change_ticket(status=5)
    case = flow.case
    with scope(flow.tenant):
        Ticket.objects.filter(case=case).update(seen_at=None, created_at=timezone.now() - DAY)
    assert flow.carry().synced.closed == 1


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


def test_a_fault_of_the_portal_itself_is_not_laid_to_the_ticket_system(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("Anna Smith")

    connections = TicketConnection.objects.filter(tenant__slug=flow.slug)
    monkeypatch.setattr("csc_portal.outcome.sync_tickets", stumble)
    with pytest.raises(KeyError):
        carry_outcome(flow.tenant, read_tickets=True)
    assert connections.get().read_error == ""
    known = connections.get().system
    connections.update(system="gone")
    try:
        told = "There is no ticket system 'gone'."
        assert carry_outcome(flow.tenant, read_tickets=True).problem == told
        assert send_deliveries(flow.tenant).error == told
    finally:
        connections.update(system=known, read_error="")


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
