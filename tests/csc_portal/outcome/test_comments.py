"""Comments go to both sides and are not kept."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.models import CaseEvent
from alerts.rows import run
from csc_portal.comments import Commented, read_notes, send_comment
from csc_portal.outcome import carry_outcome
from tenants.models import Tenant, TicketConnection
from tenants.scope import scope
from tests.csc_portal.outcome.conftest import RESOLVED, Flow

NONCE = "abcd1234"


def comment(flow: Flow, text: str = "Called <b>Anna</b>\nat home", **more: Any) -> Commented:
    case = flow.case
    usual = {"actor_id": 1, "author": "Ada", "to_microsoft": True}
    return send_comment(flow.tenant, case.pk, text, NONCE, **{**usual, **more})


def test_a_comment_goes_to_both_once_and_is_not_kept(flow: Flow) -> None:
    for _ in range(2):
        assert comment(flow) == Commented(("ticket", "microsoft"), "")
    assert comment(flow, to_microsoft=False) == Commented(("ticket",), "")
    (note,) = flow.ticket()["conversations"]
    assert "Called &lt;b&gt;Anna&lt;/b&gt;<br>at home" in note["body"]
    (there,) = flow.alert("a2")["comments"]
    assert there["comment"].startswith("Ada: Called")
    assert flow.kinds().count("commented") == 1
    with scope(flow.tenant):
        assert "Anna" not in str(list(CaseEvent.objects.values()))
        told = CaseEvent.objects.get(kind="commented").facts
    assert told == {"nonce": NONCE, "where": ["ticket", "microsoft"]}
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
