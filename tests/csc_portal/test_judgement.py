"""The stage in the pipeline: found out, closed before a ticket, watched, opened again, ticketed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.models import Alert, Case, Watch
from csc_portal import judgement
from csc_portal.judge_due import judge_tenant, start_judgements
from csc_portal.management.commands.sync import report
from csc_portal.pipeline import run_tenant
from tenants.models import Tenant
from tenants.scope import scope
from tests.alerts.enrich_lab import audit, odd, request_of, sign_in
from tests.lab import customer, forget, new_slug, reread, wait_for

AT = datetime.now(UTC) - timedelta(minutes=40)


@pytest.fixture
def slug(simulator: Any, committed: None) -> Iterator[str]:
    slug = new_slug("judged")
    customer(simulator, slug)
    yield slug
    forget([slug])


def case_of(slug: str, key: str) -> Case:
    with scope(reread(slug)):
        return Alert.objects.select_related("case").get(provider_id=key).case


def test_closed_without_a_ticket_then_opened_by_the_watch_with_one(
    simulator: Any, slug: str
) -> None:
    control = simulator.control
    control.add_rows(slug, "sign_ins", [sign_in("r1", "anna", AT)])
    control.add_alerts(slug, [odd("fine", "anna", request_of("r1"), at=AT)])
    control.add_alerts(slug, [odd("odd", "ben", at=AT, title="Anomalous Token", evidence=[])])
    run = run_tenant(reread(slug))
    assert report(run)["closed"] == 1
    assert report(run)["tickets"] == 1
    closed = case_of(slug, "fine")
    assert (closed.closed_by, closed.ticket_ref) == ("proof", "")
    assert case_of(slug, "odd").ticket_ref
    tenant = reread(slug)
    assert tenant.next_judgement_at is not None  # the watch

    control.add_rows(slug, "audits", [audit("Add member to role", "x", "anna", AT)])
    with scope(tenant):
        Watch.objects.update(next_at=AT)
    judge_tenant(tenant.pk)
    again = case_of(slug, "fine")
    assert (again.status, again.closed_by) == (Case.Status.NEW, "")
    assert again.ticket_ref
    assert len(control.tickets(slug)) == 2


def test_what_could_not_be_asked_in_time_gets_no_ticket_before(
    simulator: Any, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = simulator.control
    control.add_rows(slug, "sign_ins", [sign_in("r1", "anna", AT)])
    control.add_alerts(slug, [odd("fine", "anna", request_of("r1"), at=AT)])
    with monkeypatch.context() as without_time:
        without_time.setattr(judgement, "HURRY_S", 0)
        run = run_tenant(reread(slug))
    assert (report(run)["closed"], report(run)["tickets"]) == (0, 0)

    def closed() -> str:
        judge_tenant(reread(slug).pk)  # onboarding has used some of the sign-in log's limit
        return case_of(slug, "fine").closed_by

    assert wait_for(closed, 60) == "proof"
    assert control.tickets(slug) == []


def test_who_waits_for_a_command_waits_for_facts(
    simulator: Any, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = simulator.control
    control.add_rows(slug, "sign_ins", [sign_in("r1", "anna", AT)])
    control.add_alerts(slug, [odd("fine", "anna", request_of("r1"), at=AT)])
    times = iter([0.0, 15.0])
    enrich = judgement.enrich.enrich
    monkeypatch.setattr(
        judgement.enrich,
        "enrich",
        lambda *given, patience_s: enrich(*given, patience_s=next(times)),
    )
    run = run_tenant(reread(slug), patience_s=30)
    assert (report(run)["closed"], report(run)["tickets"]) == (1, 0)


def test_what_is_due_is_started_once(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(judge_tenant, "apply_async", lambda args, **_: started.append(args[0]))
    tenant = reread(slug)
    mine = Tenant.objects.filter(pk=tenant.pk)
    mine.update(next_judgement_at=AT)
    start_judgements()
    start_judgements()
    assert started.count(tenant.pk) == 1
    mine.update(next_judgement_at=AT, state=Tenant.State.PAUSED)
    start_judgements()
    assert started.count(tenant.pk) == 1
