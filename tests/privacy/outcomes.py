"""What people write in tickets, at Microsoft and here, and refusals that quote it: all canaries."""

from __future__ import annotations

import socket
from uuid import UUID

import pytest
import requests

from alerts.models import Case
from alerts.rules import LONGEST_REASON, Refused, check_text
from alerts.triage import resolve
from csc_portal.comments import Commented, send_comment
from csc_portal.outcome import carry_outcome
from simulator import Simulator
from tenants.directories import master_keys
from tenants.models import Tenant, TicketConnection
from tenants.push_keys import webhook_token
from tenants.scope import scope
from tests.lab import Processes, make_due, reread, wait_for
from tests.privacy.canaries import Marks


def carry_outcomes(
    simulator: Simulator, processes: Processes, marks: Marks, slug: str
) -> Commented:
    """How the comment was sent. The case is that of the alert `late-1`."""
    control, like = simulator.control, marks.like
    word, tenant = like("x"), reread(slug)
    TicketConnection.objects.filter(tenant=tenant).update(options={"resolution_field": "end"})
    case = wait_for(lambda: _ticketed(slug), 60, "the alert that came late has a ticket")
    for text in (like("a@b"), f"from {like('192.0.2.1')}", like("C:\\x\\y")):
        with pytest.raises(Refused):
            check_text(text, "reason", LONGEST_REASON)
    number = int(case.ticket_ref)
    _ring_at_the_ingress(processes, marks, tenant.ticketing.public_id)
    control.add_note(slug, number, f"<p>{word} told {like('a@b')}</p>")
    said = {"responder_id": int(marks.number), "subject": word, "custom_fields": {"x": word}}
    control.change_ticket(slug, number, **said)
    commented = send_comment(
        tenant, case.pk, f"{word} is {like('a@b')}", "c" * 12,
        actor_id=1, author=like("a@b"), to_microsoft=True,
    )  # fmt: skip
    comments = [{"comment": word, "createdByDisplayName": like("a@b")}]
    control.change_alert(slug, "late-1", comments=comments, assignedTo=like("a@b"))
    for service, method in (("graph", "PATCH"), ("freshservice", "PUT")):
        body = {"error": {"code": f"Bad {word}", "message": word}, "description": word}
        order = {"service": service, "method": method, "directory": slug, "body": body}
        control.fault("status", status=400, count=1, **order)
    with scope(tenant):
        seen = {case.pk: Case.objects.get(pk=case.pk).version}
        assert resolve(tenant.pk, seen, actor_id=1, verdict="truePositive").changed
    wait_for(lambda: _are_refused(simulator, tenant), 60, "both sides refused to be told")
    control.change_ticket(slug, number, status=5, custom_fields={"end": word})
    carry_outcome(tenant, patience_s=5, read_tickets=True)
    return commented


def _ticketed(slug: str) -> Case | None:
    make_due(slug)
    with scope(reread(slug)):
        return Case.objects.exclude(ticket_ref="").filter(alerts__provider_id="late-1").first()


def _are_refused(simulator: Simulator, tenant: Tenant) -> bool:
    carry_outcome(tenant, patience_s=5, read_tickets=True)
    faults = simulator.control.faults()
    return all(fault["hits"] for fault in faults if fault["method"] in ("PATCH", "PUT"))


def _ring_at_the_ingress(processes: Processes, marks: Marks, connection: UUID) -> None:
    """Webhooks with everything in them, from a stranger and from the help desk."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    processes.python("ingress", "-m", "gunicorn", "csc_portal.ingress.wsgi", *words)
    url = f"http://127.0.0.1:{port}/webhooks/tickets/{connection}/"
    token = webhook_token(master_keys()[0][1], connection)
    word = marks.like("x")

    def ring(value: str) -> int:
        headers = {"Authorization": f"Bearer {value}", "User-Agent": word}
        try:
            return requests.post(
                f"{url}?{word}", json={word: [word]}, headers=headers, timeout=15
            ).status_code
        except requests.ConnectionError:
            return 0

    wait_for(lambda: ring(word), 60, "the ingress answers")
    assert [ring(word), ring(token)] == [401, 202]
