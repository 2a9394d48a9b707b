"""The portal is killed while it tells Microsoft and the ticket: each is told once in the end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from alerts import triage
from alerts.models import Case, CaseEvent, WriteBack
from csc_portal.outcome import carry_outcome
from csc_portal.pipeline import run_tenant
from simulator import Simulator
from tenants.scope import scope
from tests.alerts.documents import alert, user
from tests.lab import ROOT, reread, wait_for
from ticketing.models import Delivery

HELD = {
    "alerts are being read": {"service": "graph", "method": "GET", "path": "alerts_v2/"},
    "alerts were written": {"service": "graph", "method": "PATCH", "path": "alerts_v2/"},
    "the comment was written": {"service": "graph", "method": "POST", "path": "/comments"},
    "the ticket was changed": {"service": "freshservice", "method": "PUT"},
}


@pytest.mark.parametrize("moment", HELD)
def test_one_effect_whenever_it_is_killed(simulator: Simulator, slug: str, moment: str) -> None:
    control = simulator.control
    control.add_alerts(slug, [alert("a1", user("anna")), alert("a2", user("anna"), hours=1)])
    run_tenant(reread(slug), patience_s=1)
    tenant = reread(slug)
    with scope(tenant):
        case = Case.objects.get()
        triage.resolve(tenant.pk, {case.pk: case.version}, actor_id=1, verdict="truePositive")
    control.fault("timeout", directory=slug, when="after", seconds=30, count=1, **HELD[moment])
    words = [sys.executable, "manage.py", "sync", slug, "--source", "tickets"]
    killed = subprocess.Popen(words, cwd=ROOT)
    wait_for(lambda: any(fault["hits"] for fault in control.faults()), 60, moment)
    killed.kill()
    killed.wait()
    control.clear_faults()

    carried = carry_outcome(reread(slug), patience_s=5, deliver=True)
    assert carried.problem == ""
    for one in control.alerts(slug):
        assert (one["status"], one["classification"]) == ("resolved", "truePositive")
    comments = [text for one in control.alerts(slug) for text in one.get("comments") or []]
    assert len(comments) == 1
    (ticket,) = control.tickets(slug)
    assert (ticket["status"], ticket["conversations"]) == (4, [])
    with scope(reread(slug)):
        assert set(WriteBack.objects.values_list("state", flat=True)) == {"sent"}
        assert not Delivery.objects.exclude(state="sent").exists()
        kinds = list(CaseEvent.objects.values_list("kind", flat=True))
    assert kinds.count("ticket_updated") <= 1
    assert not {"resolved_in_microsoft", "resolved_in_ticket", "reopened"} & set(kinds)
    control.forget_requests()
    again = carry_outcome(reread(slug), patience_s=5, deliver=True)
    assert (again.written.written, again.sent.updates) == (0, 0)
