"""Reports that are kept: one a period, frozen; links that open one; a ticket, and no second."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from alerts.models import Alert, Case
from clients.errors import Rejected, Unavailable
from csc_portal.report_due import due_month, phase_of, run_reports, start_reports
from reports import delivery
from reports.delivery import ask_for_ticket, reference_of, send
from reports.kept import MOST_ASKED, NotOver, document_of, keep, renew, reports_of
from reports.links import MOST_LINKS, TooMany, address_of, make_link, open_link, revoke
from reports.models import Report, ReportLink
from reports.periods import Period, Plan, last_month, this_month
from simulator import Simulator
from tenants.models import Tenant, TicketConnection
from tenants.scope import scope
from tests.audit import audited
from tests.lab import new_slug
from tests.reports.lab import INSTANT, MADE_AT, OCTOBER, ZONE, fill
from ticketing.adapters import TicketDraft, TicketRef

pytestmark = pytest.mark.usefixtures("simulator")
DAY = timedelta(days=1)
FOUND = TicketRef("7", "https://desk.example/7", "open")


@pytest.fixture
def old(qa: Tenant) -> Tenant:
    """A tenant that was there before October, whose days are Vienna's."""
    Tenant.objects.filter(pk=qa.pk).update(
        created_at=OCTOBER.before.since, state="active", report_plan={"day": 2, "zone": ZONE}
    )
    qa.refresh_from_db()
    return qa


@pytest.fixture
def report(old: Tenant) -> Report:
    return keep(old, OCTOBER, MADE_AT, actor="test")[0]


class Desk:
    """A ticket system that can be told to fail, or to die when it has opened the ticket."""

    def __init__(self) -> None:
        self.tickets: dict[str, TicketDraft] = {}
        self.created = 0
        self.fault: Exception | None = None
        self.dies_after = False

    def find(self, reference: str, since: object) -> TicketRef | None:
        return (
            TicketRef("7", "https://desk.example/7", "open") if reference in self.tickets else None
        )

    def create(self, draft: TicketDraft) -> TicketRef:
        if self.fault is not None:
            raise self.fault
        self.created += 1
        self.tickets[draft.reference] = draft
        if self.dies_after:
            raise KeyboardInterrupt
        return FOUND


# --- kept -----------------------------------------------------------------------------------------


def test_there_is_one_report_a_period(old: Tenant) -> None:
    first, is_new = keep(old, OCTOBER, MADE_AT, actor="test")
    again, is_again = keep(old, OCTOBER, MADE_AT + DAY, actor="test")
    assert (is_new, is_again, first.pk) == (True, False, again.pk)
    assert (again.made_at, again.is_month) == (MADE_AT, True)
    with scope(old), pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.create(
            since=first.since, until=first.until, zone="UTC", figures={}, made_at=MADE_AT
        )
    assert audited().filter(tenant=old, action="report_made").count() == 1


def test_numbers_stay_when_the_alerts_go(old: Tenant) -> None:
    fill(old)
    report, _ = keep(old, OCTOBER, MADE_AT, actor="test")
    shown = document_of(old, report)
    with scope(old):
        Alert.objects.all().delete()
        Case.objects.update(verdict="truePositive")
        report.refresh_from_db()
    assert document_of(old, report) == shown
    renew(old, report, MADE_AT + DAY, actor="test")
    assert document_of(old, report) != shown
    assert audited().filter(tenant=old, action="report_made_again").count() == 1


def test_it_is_compared_with_what_was_frozen_before(old: Tenant) -> None:
    fill(old)
    september, _ = keep(old, OCTOBER.before, MADE_AT - 31 * DAY, actor="test")
    with scope(old):
        Alert.objects.filter(ingested_at__lt=OCTOBER.since).delete()
    october, _ = keep(old, OCTOBER, MADE_AT, actor="test")
    assert october.before == september.figures
    assert september.before is None  # the tenant came later


def test_what_goes_on_is_not_kept(old: Tenant) -> None:
    with pytest.raises(NotOver):
        keep(old, this_month(MADE_AT, ZONE), MADE_AT - INSTANT, actor="test")
    keep(old, OCTOBER, OCTOBER.until, actor="test")  # its last instant is over


def test_what_was_asked_for_is_bounded_and_months_stay(report: Report, old: Tenant) -> None:
    with scope(old):
        Report.objects.bulk_create(
            Report(
                since=MADE_AT - (number + 2) * DAY, until=MADE_AT - (number + 1) * DAY, zone=ZONE,
                figures={}, made_at=MADE_AT - number * DAY,
            )
            for number in range(1, MOST_ASKED + 5)
        )  # fmt: skip
    keep(old, Period(MADE_AT - DAY, MADE_AT, ZONE), MADE_AT, actor="test")
    kept = reports_of(old)
    assert len(kept) == MOST_ASKED
    with scope(old):
        assert Report.objects.filter(is_month=False).count() == MOST_ASKED
        assert Report.objects.filter(pk=report.pk).exists()


# --- links ----------------------------------------------------------------------------------------


def token_of(tenant: Tenant, link: ReportLink) -> str:
    return address_of(tenant, link).rstrip("/").rpartition("/")[2]


@pytest.fixture
def link(report: Report, old: Tenant) -> ReportLink:
    return make_link(old, report, 7, MADE_AT, actor="lead", actor_id=5)


def test_a_link_opens_its_report_until_it_ends(
    report: Report, link: ReportLink, old: Tenant
) -> None:
    token = token_of(old, link)
    found = open_link(token, MADE_AT + 7 * DAY - INSTANT, actor="x", what="page")
    assert found is not None
    assert (found[0].pk, found[1].pk) == (old.pk, report.pk)
    assert open_link(token, MADE_AT + 7 * DAY, actor="x", what="page") is None
    with scope(old):
        link.refresh_from_db()
    assert link.opened == 1
    entry = audited().get(action="report_opened", tenant=old)
    assert entry.subject == f"report {report.public_id}"
    assert entry.facts == {"link": str(link.public_id), "what": "page"}


def test_a_link_can_be_taken_back(link: ReportLink, old: Tenant) -> None:
    token = token_of(old, link)
    assert revoke(old, link.public_id, MADE_AT, actor="lead")
    assert not revoke(old, link.public_id, MADE_AT, actor="lead")
    assert not revoke(old, uuid.uuid4(), MADE_AT, actor="lead")
    assert open_link(token, MADE_AT, actor="x", what="page") is None
    made = audited().filter(tenant=old, action__startswith="report_link")
    assert sorted(made.values_list("action", flat=True)) == [
        "report_link_made", "report_link_revoked",
    ]  # fmt: skip


def test_a_token_that_was_touched_opens_nothing(
    link: ReportLink, old: Tenant, qatest: Tenant
) -> None:
    token = token_of(old, link)
    other = make_link(
        qatest, keep(qatest, OCTOBER, MADE_AT, actor="t")[0], 7, MADE_AT, actor="t", actor_id=1
    )
    tenant, own, mac = token.split(".")
    theirs = token_of(qatest, other).split(".")
    for wrong in (
        "", ".", "..", token[:-1], token + "A", token.upper(), f"{tenant}.{own}.", f"{own}.{mac}",
        f"{tenant}.{theirs[1]}.{mac}", f"{theirs[0]}.{own}.{mac}", f"{theirs[0]}.{own}.{theirs[2]}",
        f"{tenant}.{own}.{'A' * 43}", "é" * 89, "A" * 5000,
    ):  # fmt: skip
        assert open_link(wrong, MADE_AT, actor="x", what="page") is None, wrong
    assert open_link(token, MADE_AT, actor="x", what="page") is not None


def test_a_customer_that_left_is_opened_to_nobody(link: ReportLink, old: Tenant) -> None:
    token = token_of(old, link)
    Tenant.objects.filter(pk=old.pk).update(state="offboarded")
    assert open_link(token, MADE_AT, actor="x", what="page") is None


def test_links_are_bounded(report: Report, old: Tenant) -> None:
    for _ in range(MOST_LINKS):
        make_link(old, report, 1, MADE_AT, actor="lead", actor_id=5)
    with pytest.raises(TooMany):
        make_link(old, report, 1, MADE_AT, actor="lead", actor_id=5)
    make_link(old, report, 1, MADE_AT + DAY, actor="lead", actor_id=5)  # the others have ended


# --- tickets --------------------------------------------------------------------------------------


def state(tenant: Tenant, report: Report) -> tuple[str, int, str]:
    with scope(tenant):
        report.refresh_from_db()
    return report.delivery, report.attempts, report.ticket_ref


def test_a_ticket_is_opened_once(report: Report, old: Tenant, settings: Any) -> None:
    settings.PORTAL_URL = "https://portal.example"
    desk = Desk()
    assert send(old, report.pk, desk, 30, MADE_AT) == ""  # type: ignore[arg-type]
    assert desk.created == 0, "nobody asked for it"
    assert ask_for_ticket(old, report, MADE_AT, actor="lead")
    assert not ask_for_ticket(old, report, MADE_AT, actor="lead")
    assert send(old, report.pk, desk, 30, MADE_AT) == ""  # type: ignore[arg-type]
    assert send(old, report.pk, desk, 30, MADE_AT) == ""  # type: ignore[arg-type]
    assert not ask_for_ticket(old, report, MADE_AT, actor="lead")
    assert (desk.created, state(old, report)) == (1, ("sent", 1, "7"))
    draft = desk.tickets[reference_of(report)]
    assert draft.subject == "Security report October 2026: QA"
    with scope(old):
        link = report.links.get()
    assert f'href="{address_of(old, link)}"' in draft.html


@pytest.mark.parametrize("step", ["before", "after", "saved"])
def test_killed_at_any_step_it_is_one_ticket(
    step: str, report: Report, old: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    ask_for_ticket(old, report, MADE_AT, actor="lead")
    desk = Desk()
    with monkeypatch.context() as killed:
        if step == "before":
            killed.setattr(delivery, "_send", die)
        elif step == "after":
            desk.dies_after = True
        else:
            killed.setattr(delivery.logger, "info", die)
        with pytest.raises(KeyboardInterrupt):
            send(old, report.pk, desk, 30, MADE_AT)  # type: ignore[arg-type]
    desk.dies_after = False
    assert send(old, report.pk, desk, 30, MADE_AT) == ""  # type: ignore[arg-type]
    assert desk.created == 1
    assert state(old, report) == ("sent", 2, "7")
    with scope(old):
        assert report.links.count() == 1


def test_what_fails_is_tried_again_and_what_is_refused_is_shown(
    report: Report, old: Tenant
) -> None:
    ask_for_ticket(old, report, MADE_AT, actor="lead")
    desk = Desk()
    desk.fault = Unavailable("The desk is away.")
    assert send(old, report.pk, desk, 30, MADE_AT) == "The desk is away."  # type: ignore[arg-type]
    assert state(old, report)[0] == "pending"
    desk.fault = Rejected("The desk does not want it.", status=422)
    send(old, report.pk, desk, 30, MADE_AT)  # type: ignore[arg-type]
    assert state(old, report)[0] == "failed"
    desk.fault = None
    send(old, report.pk, desk, 30, MADE_AT)  # type: ignore[arg-type]
    assert desk.created == 0, "a refused one waits for people"
    assert ask_for_ticket(old, report, MADE_AT, actor="lead")
    send(old, report.pk, desk, 30, MADE_AT)  # type: ignore[arg-type]
    assert (desk.created, state(old, report)[0], report.problem) == (1, "sent", "")


def test_in_a_real_ticket_system_it_is_found_again(
    old: Tenant, simulator: Simulator, settings: Any
) -> None:
    """The ticket is opened, but the answer is lost."""
    settings.PORTAL_URL = "https://portal.example"
    slug = new_slug("report")
    given = simulator.control.add_directory(slug, stories=False, populate=False)
    url = f"{given['ticketing_url']}/freshservice/{slug}"
    TicketConnection.objects.create(
        tenant=old, system="freshservice", url=url, secret_name=given["ticketing_secret"]
    )
    Tenant.objects.filter(pk=old.pk).update(report_plan={**old.report_plan, "send": "ticket"})
    simulator.control.fault(
        "status", service="freshservice", method="POST", directory=slug, status=500, body={},
        when="after", count=1,
    )  # fmt: skip
    for _ in range(3):
        run_reports(Tenant.objects.select_related("ticketing").get(pk=old.pk), MADE_AT)
    [ticket] = simulator.control.tickets(slug)
    [report] = reports_of(old)
    assert ticket["subject"].startswith("Security report October 2026: QA")
    assert ticket["tags"] == ["csc-portal", "report", reference_of(report)]
    assert "https://portal.example/r/" in ticket["description"]
    assert (report.delivery, report.ticket_ref) == ("sent", str(ticket["id"]))


# --- the monthly turn -----------------------------------------------------------------------------


def turn(tenant: Tenant) -> Any:
    return Plan.of(tenant.report_plan).last_at(MADE_AT, 0) + timedelta(
        seconds=phase_of(tenant) % 10_800
    )


def test_each_month_is_made_once(old: Tenant) -> None:
    at = turn(old)
    run_reports(old, at)
    run_reports(Tenant.objects.get(pk=old.pk), at + DAY)
    assert [one.period for one in reports_of(old)] == [OCTOBER]
    old.refresh_from_db()
    assert old.report_standing["period"] == "October 2026"
    assert old.next_report_at == Plan.of(old.report_plan).next_at(at + DAY, phase_of(old))
    assert last_month(old.next_report_at, ZONE).since == OCTOBER.until


def test_what_lies_before_the_plan_or_the_tenant_is_not_made(old: Tenant) -> None:
    at = turn(old)
    old.report_plan = {**old.report_plan, "since": (at + INSTANT).isoformat()}
    assert due_month(old, Plan.of(old.report_plan), at + DAY) is None
    old.report_plan = {"day": 0}
    assert due_month(old, Plan.of(old.report_plan), at + DAY) is None
    old.report_plan, old.created_at = {"day": 2, "zone": ZONE}, OCTOBER.until
    assert due_month(old, Plan.of(old.report_plan), at + DAY) is None
    old.created_at = OCTOBER.until - INSTANT
    assert due_month(old, Plan.of(old.report_plan), at + DAY) == OCTOBER


def test_a_plan_by_ticket_without_a_ticket_system_waits_and_says_so(old: Tenant) -> None:
    old.report_plan = {**old.report_plan, "send": "ticket"}
    old.save(update_fields=["report_plan"])
    run_reports(old, MADE_AT)
    old.refresh_from_db()
    assert old.report_standing["problem"] == "There is no ticket system to send it to."
    assert old.next_report_at is not None
    assert old.next_report_at - MADE_AT <= timedelta(hours=1)
    [report] = reports_of(old)
    assert report.delivery == "pending"


def test_a_plan_by_link_makes_one_link(old: Tenant) -> None:
    old.report_plan = {**old.report_plan, "send": "link", "link_days": 30}
    for _ in range(2):
        run_reports(old, MADE_AT)
    with scope(old):
        link = ReportLink.objects.get()
    assert (link.actor_id, link.expires_at) == (None, MADE_AT + 30 * DAY)


def test_a_turn_is_claimed_once(old: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int]] = []
    monkeypatch.setattr(
        "csc_portal.report_due.make_report.apply_async", lambda args, **_: asked.append(args)
    )
    start_reports()
    start_reports()
    assert asked.count((old.pk,)) == 1
