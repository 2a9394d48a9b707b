import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from simulator import Simulator
from tenants.models import AuditEntry, Tenant, TicketConnection
from tests.ticketing.desks import ENTRIES, connect, from_the_guide
from tests.ticketing.wire.server import SECRET
from ticketing.adapters import TicketRef
from ticketing.trial import SUBJECT, send_test_ticket

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_test_ticket_is_marked_and_has_one_note(desks_url: str, name: str) -> None:
    entry = ENTRIES[name]
    trial = send_test_ticket(connect(entry, f"{desks_url}/{name}"), datetime.now(UTC))
    assert trial.problem == ""
    assert trial.ticket.status == "resolved"
    assert len(trial.steps) == 4
    assert trial.limits == ()
    [ticket] = entry.desk.tickets.values()
    assert SUBJECT[:60] in json.dumps(ticket.fields)
    assert len(ticket.notes) == 1


def test_a_ticket_that_is_not_found_is_told(desks_url: str) -> None:
    entry = ENTRIES["redmine"]
    system = connect(entry, f"{desks_url}/redmine")
    system.find = lambda reference, since: None  # type: ignore[method-assign]
    trial = send_test_ticket(system, NOW)
    assert "opened twice" in trial.problem
    assert isinstance(trial.ticket, TicketRef)


def test_a_system_that_cuts_the_subject_is_told(desks_url: str) -> None:
    system = connect(
        ENTRIES["request_tracker"], f"{desks_url}/request_tracker", longest_subject=255
    )
    trial = send_test_ticket(system, datetime.now(UTC))
    assert "longest_subject" in trial.problem


def test_the_command(qa: Tenant, simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    given = simulator.tenants[0]
    TicketConnection.objects.create(
        tenant=qa,
        system="freshservice",
        url=given["ticketing_url"],
        secret_name=given["ticketing_secret"],
    )
    call_command("test_ticket", qa.slug, "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["state"] == "resolved"
    assert said["url"].endswith(f"/a/tickets/{said['ticket']}")
    assert AuditEntry.objects.filter(action="test_ticket", tenant=qa).count() == 1


def test_a_tenant_without_a_ticket_system(qatest: Tenant) -> None:
    with pytest.raises(CommandError, match="no ticket system"):
        call_command("test_ticket", qatest.slug)


def test_onboarding_with_a_description(
    simulator: Simulator, db: None, desks_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = simulator.ca_file.read_text() + Path(os.environ["REQUESTS_CA_BUNDLE"]).read_text()
    (tmp_path / "ca.pem").write_text(both)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    given = simulator.control.add_directory("described", stories=False, populate=False)
    simulator.control.set_secret("described-desk", SECRET)
    file = tmp_path / "redmine.yaml"
    file.write_text(json.dumps(from_the_guide("redmine")))
    words = ["onboard", "described", "--name=D", f"--directory={given['directory']}"]
    words += [f"--client-id={given['client_id']}", "--ticketing=generic"]
    words += [f"--ticketing-url={desks_url}/redmine", "--ticketing-secret=described-desk"]
    with pytest.raises(CommandError, match="auth is missing"):
        call_command(*words)
    call_command(*words, f"--ticketing-options={file}")
    call_command("test_ticket", "described")
    assert len(ENTRIES["redmine"].desk.tickets) == 1
    file.write_text("a: [")
    with pytest.raises(CommandError, match="in line 1"):
        call_command(*words, f"--ticketing-options={file}")
