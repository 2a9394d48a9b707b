"""What the ticket system may answer, and what becomes of the deliveries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from csc_portal.pipeline import Run, run_tenant, send_deliveries
from tenants.scope import scope
from tests.alerts.documents import alert, stamp, user
from tests.lab import check_complete, make_due, reread
from ticketing.models import Delivery, Ticket

CASES = 3
VALIDATION = {
    "description": "Validation failed",
    "errors": [{"field": "department_id", "message": "It should be a number", "code": "invalid"}],
}


def read_three(simulator, slug: str) -> Run:
    """Three alerts of three people: three cases, three tickets to be made."""
    documents = [alert(f"a{i}", user(f"person{i}"), hours=i) for i in range(CASES)]
    simulator.control.add_alerts(slug, documents)
    return run_tenant(reread(slug))


def fresh(key: str, name: str, **more: object) -> dict[str, object]:
    """An alert of the same days that Microsoft changed just now."""
    return alert(key, user(name), hours=1, lastUpdateDateTime=stamp(timezone.now()), **more)


def again(slug: str) -> None:
    """As if all waiting times were over."""
    make_due(slug)
    send_deliveries(reread(slug))


def deliveries(slug: str) -> list[Delivery]:
    with scope(reread(slug)):
        return list(Delivery.objects.order_by("pk"))


def order(simulator, slug: str, **fault: object) -> None:
    given = {"kind": "status", "service": "freshservice", "directory": slug, "method": "POST"}
    simulator.control.fault(**{**given, **fault})


def posts(simulator, slug: str) -> int:
    return simulator.control.count(service="freshservice", slug=slug, status=201)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"status": 401}, "401"),
        ({"status": 404}, "404"),
        ({"status": 429, "retry_after": 3}, "429"),
        ({"status": 429}, "429"),
        ({"status": 500}, "500"),
        ({"status": 503, "retry_after": 3}, "503"),
        ({"kind": "drop"}, "could not be reached"),
        ({"kind": "garbage"}, "not JSON"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_fault_that_may_pass_is_tried_again_later(simulator, slug, fault, text):
    order(simulator, slug, count=1, **fault)
    started = timezone.now()
    run = read_three(simulator, slug)
    ended = timezone.now()
    failed = next(row for row in deliveries(slug) if row.error)
    assert (failed.state, failed.attempts) == ("pending", 1)
    assert text in failed.error
    assert run.sent.failed == 1 or fault["status"] == 429  # a limit is no failure
    least, most = (3, 4) if "retry_after" in fault else (7, 16)
    assert started + timedelta(seconds=least) < failed.due_at < ended + timedelta(seconds=most)
    assert reread(slug).next_delivery_at is not None

    simulator.control.clear_faults()
    wait_out_pause(simulator, slug, fault)
    check_complete(simulator, slug)
    assert len(simulator.control.tickets(slug)) == CASES
    assert reread(slug).next_delivery_at is None


def wait_out_pause(simulator, slug: str, fault: dict) -> None:
    again(slug)
    if fault.get("retry_after") or fault.get("status") == 429:
        # All workers keep away for as long as the account said; nobody may have asked meanwhile.
        deadline = timezone.now() + timedelta(seconds=60)
        while any(row.state == "pending" for row in deliveries(slug)):
            assert timezone.now() < deadline
            again(slug)


def test_a_refused_ticket_is_final_and_blocks_no_other(simulator, slug):
    order(simulator, slug, status=422, body=VALIDATION, count=1)
    run = read_three(simulator, slug)
    states = [(row.state, row.attempts) for row in deliveries(slug)]
    assert states == [("failed", 1), ("sent", 1), ("sent", 1)]
    assert "department_id (invalid)" in deliveries(slug)[0].error
    assert (run.sent.tickets, run.sent.failed) == (CASES - 1, 1)
    again(slug)
    assert len(simulator.control.tickets(slug)) == CASES - 1, "what was refused is left to people"


def test_an_outage_never_makes_a_ticket_final(simulator, slug):
    order(simulator, slug, status=503, count=-1)
    read_three(simulator, slug)
    with scope(reread(slug)):
        Delivery.objects.update(attempts=500)
    again(slug)
    assert {row.state for row in deliveries(slug)} == {"pending"}
    latest = max(row.due_at for row in deliveries(slug))
    assert timezone.now() < latest <= timezone.now() + timedelta(hours=1)
    simulator.control.clear_faults()
    again(slug)
    check_complete(simulator, slug)


@pytest.mark.parametrize(
    ("kind", "lag_s"), [("drop", 0), ("drop", 600), ("status", 600), ("truncate", 600)]
)
def test_a_ticket_whose_answer_was_lost_is_found_again(simulator, slug, kind, lag_s):
    """It was made, but nobody heard of it; the filter may not know it yet."""
    simulator.control.settings(filter_lag_s=lag_s)
    order(simulator, slug, kind=kind, when="after", count=2)
    read_three(simulator, slug)
    assert len(simulator.control.tickets(slug)) == CASES
    assert {row.state for row in deliveries(slug)} == {"pending", "sent"}
    simulator.control.forget_requests()
    again(slug)
    assert posts(simulator, slug) == 0
    check_complete(simulator, slug)


def test_a_note_whose_answer_was_lost_is_found_again(simulator, slug):
    read_three(simulator, slug)
    order(simulator, slug, kind="drop", when="after", count=1)
    simulator.control.add_alert(slug, fresh("late", "person0"))
    run_tenant(reread(slug))
    again(slug)
    notes = [len(ticket["conversations"]) for ticket in simulator.control.tickets(slug)]
    assert sorted(notes) == [0, 0, 1]
    check_complete(simulator, slug)


def test_what_joined_while_a_ticket_was_lost_is_told_by_a_note(simulator, slug):
    """The ticket that is found again tells of less than the case has by now."""
    order(simulator, slug, kind="drop", when="after", count=1)
    simulator.control.add_alert(slug, alert("first", user("anna")))
    run_tenant(reread(slug))
    simulator.control.add_alert(slug, fresh("second", "anna", title="Came later"))
    make_due(slug)
    run_tenant(reread(slug))
    run_tenant(reread(slug))
    (ticket,) = simulator.control.tickets(slug)
    assert "Came later" in str(ticket["conversations"])
    check_complete(simulator, slug)


def test_a_wrong_key_goes_on_by_itself_once_corrected(simulator, slug):
    secret = reread(slug).ticketing.secret_name
    right = simulator.control.secret(secret)
    simulator.control.set_secret(secret, "mistyped")
    forget_secret(secret)
    read_three(simulator, slug)
    assert "401" in deliveries(slug)[0].error
    assert simulator.control.tickets(slug) == []
    simulator.control.set_secret(secret, right)  # nobody tells the portal
    again(slug)
    check_complete(simulator, slug)


def forget_secret(name: str) -> None:
    """As if the minutes that a secret is remembered were over."""
    from tenants.secrets import vault

    vault().forget(name)


def test_a_ticket_that_is_gone_stops_only_its_own_notes(simulator, slug):
    read_three(simulator, slug)
    with scope(reread(slug)):
        gone = Ticket.objects.order_by("pk").first()
    simulator.control.delete_ticket(slug, int(gone.external_id))
    simulator.control.add_alerts(
        slug,
        # Of another kind, so that neither is the same thing told twice.
        [
            fresh("late0", "person0", detectorId="other", title="Something else"),
            fresh("late1", "person1", detectorId="other", title="Something else"),
        ],
    )
    run = run_tenant(reread(slug))
    assert (run.sent.notes, run.sent.failed) == (1, 1)
    states = {row.case_id: row.state for row in deliveries(slug) if row.kind == "note"}
    assert states.pop(gone.case_id) == "failed"
    assert list(states.values()) == ["sent"]


def test_an_account_that_is_gone_is_tried_again(simulator, slug):
    """404 for everything is no judgement on a single note."""
    read_three(simulator, slug)
    order(simulator, slug, status=404, count=-1, method="")
    simulator.control.add_alert(slug, fresh("late", "person0"))
    run_tenant(reread(slug))
    assert deliveries(slug)[-1].state == "pending"
    simulator.control.clear_faults()
    again(slug)
    check_complete(simulator, slug)


def test_a_directory_that_refuses_does_not_end_a_ticket(simulator, slug):
    """What a retry needs from Microsoft is refused for now: the ticket waits."""
    order(simulator, slug, status=500, count=-1)
    read_three(simulator, slug)
    simulator.control.clear_faults()
    refusal = {"error": "invalid_request", "code": 90002, "text": "", "status": 400}
    simulator.control.configure(slug, entra_error=refusal)
    simulator.control.fault("status", service="graph", directory=slug, status=401, count=-1)
    again(slug)
    assert {row.state for row in deliveries(slug)} == {"pending"}
    assert "AADSTS90002" in {row.error for row in deliveries(slug)}.pop()
    simulator.control.configure(slug, entra_error=None)
    simulator.control.clear_faults()
    again(slug)
    check_complete(simulator, slug)
    for ticket in simulator.control.tickets(slug):
        assert "person" in ticket["description"]


def test_an_address_that_may_not_be_called_shows_and_loses_nothing(simulator, slug):
    tenant = reread(slug)
    right = tenant.ticketing.url
    tenant.ticketing.url = "https://10.1.2.3/"
    tenant.ticketing.save()
    run = read_three(simulator, slug)
    assert run.sent.failed
    assert "private" in run.sent.error
    assert len(deliveries(slug)) == CASES, "the intent is saved"
    tenant.ticketing.url = right
    tenant.ticketing.save()
    again(slug)
    check_complete(simulator, slug)
