"""Pages of reports: a customer sees their own, the provider sends; links open one report."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from clients.errors import Unavailable
from csc_portal.ingress.urls import urlpatterns
from csc_portal.web import throttle
from reports.kept import keep
from reports.links import address_of, make_link
from reports.models import Report, ReportLink
from reports.periods import last_month
from tenants.models import Branding, Tenant, User
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.reports.test_brand import part, png


@pytest.fixture
def qa_then(world: World) -> Tenant:
    """A tenant that has been there for months, so that its last month is known."""
    then = timezone.now() - timedelta(days=100)
    Tenant.objects.filter(slug="qa").update(created_at=then)
    return Tenant.objects.get(slug="qa")


@pytest.fixture
def report(qa_then: Tenant) -> Report:
    """Of the month before that in which its cases came, also if a month ended since."""
    assert qa_then.lake_until is not None
    period = last_month(qa_then.lake_until, "UTC")
    return keep(qa_then, period, timezone.now(), actor="test")[0]


def text_of(data: bytes) -> str:
    pages = PdfReader(io.BytesIO(data)).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


# --- a customer -----------------------------------------------------------------------------------


def test_a_sign_in_leads_a_customer_to_the_report(sign_in: Any, world: World) -> None:
    qa = world.tenants["qa"]
    ciso = sign_in("customer_ciso", qa)
    assert ciso.get("/home/").headers["Location"] == "/reports/"
    assert ciso.get("/reports/").headers["Location"] == "/reports/qa/"
    assert sign_in("analyst", qa).get("/home/").headers["Location"] == "/"
    assert sign_in("viewer").get("/reports/").status_code == 200
    assert Client().get("/home/").headers["Location"].startswith("/account/login/")


def test_the_month_so_far_is_live(sign_in: Any, world: World) -> None:
    page = sign_in("customer_ciso", world.tenants["qa"]).get("/reports/qa/").content.decode()
    assert "so far" in page
    assert "3 alerts came in; 3 cases were opened, 1 of high severity." in page
    assert "Schedule" not in page
    assert "THIRD" not in page


def test_the_page_and_the_pdf_say_the_same(sign_in: Any, report: Report) -> None:
    ciso = sign_in("customer_ciso", Tenant.objects.get(slug="qa"))
    address = f"/reports/qa/{report.public_id}/"
    page = re.sub(r"<[^>]+>", " ", ciso.get(address).content.decode())
    answer = ciso.get(f"{address}report.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.search(r'filename="qa-\d{4}-\d\d\.pdf"', answer.headers["Content-Disposition"])
    printed = text_of(answer.content)
    assert "No alert came in, and no case was opened." in page
    assert "No alert came in, and no case was opened." in printed
    for title in ("What was handled", "Times against what was promised", "In short"):
        assert title in page
        assert title in printed
    assert audited().filter(action="report_downloaded").count() == 1


def test_any_days_can_be_shown_and_kept(sign_in: Any, qa_then: Tenant) -> None:
    ciso = sign_in("customer_ciso", qa_then)
    days = {"first": "2026-09-03", "last": "2026-09-09"}
    assert "3 to 9 September 2026" in ciso.get("/reports/qa/", days).content.decode()
    assert ciso.get("/reports/qa/live.pdf", days).status_code == 200
    kept = ciso.post("/reports/qa/make/", days)
    again = ciso.post("/reports/qa/make/", days)
    assert kept.headers["Location"] == again.headers["Location"]
    with scope(qa_then):
        assert Report.objects.count() == 1
    for wrong in ({"first": "x", "last": "2026-09-09"}, {"first": "2026-09-09"},
                  {"first": "2026-09-09", "last": "2026-09-03"},
                  {"first": "2026-09-01", "last": "2999-01-01"}):  # fmt: skip
        assert ciso.get("/reports/qa/", wrong).status_code == 422, wrong
        assert ciso.get("/reports/qa/live.pdf", wrong).status_code == 404, wrong
        ciso.post("/reports/qa/make/", wrong)
    with scope(qa_then):
        assert Report.objects.count() == 1


def test_a_customer_sends_nothing(sign_in: Any, report: Report) -> None:
    ciso = sign_in("customer_ciso", Tenant.objects.get(slug="qa"))
    address = f"/reports/qa/{report.public_id}/"
    assert "Make a link" not in ciso.get(address).content.decode()
    for do in ("again", "send", "link", "revoke"):
        assert ciso.post(f"{address}do/", {"do": do}).status_code == 404
    assert ciso.get("/tenants/qa/setup/reports/").status_code == 404


def test_who_asked_for_the_root_begins_at_home(
    simulator: Any, db: None, client: Client, quick_passwords: None
) -> None:
    User.objects.create_user("ciso", password="correct horse battery")
    fields = {"username": "ciso", "password": "correct horse battery"}
    for asked, lands in (("/", "/home/"), ("/chain/", "/chain/"), ("//x", "/home/")):
        answer = client.post(f"/account/login/?next={asked}", fields)
        assert answer.headers["Location"] == lands, asked
        client.logout()


# --- the provider ---------------------------------------------------------------------------------


def test_links_are_made_and_taken_back(sign_in: Any, report: Report, qa_then: Tenant) -> None:
    lead = sign_in("lead", qa_then)
    address = f"/reports/qa/{report.public_id}/"
    lead.post(f"{address}do/", {"do": "link", "days": "7"})
    with scope(qa_then):
        link = ReportLink.objects.get()
    shown = address_of(qa_then, link)
    assert shown in lead.get(address).content.decode()
    assert Client().get(shown).status_code == 200
    lead.post(f"{address}do/", {"do": "revoke", "link": str(link.public_id)})
    assert shown not in lead.get(address).content.decode()
    assert Client().get(shown).status_code == 404
    assert lead.post(f"{address}do/", {"do": "revoke", "link": "x"}).status_code == 404
    assert lead.post(f"{address}do/", {"do": "x"}).status_code == 404


def test_a_ticket_needs_a_ticket_system(sign_in: Any, report: Report, qa_then: Tenant) -> None:
    lead = sign_in("lead", qa_then)
    lead.post(f"/reports/qa/{report.public_id}/do/", {"do": "send"})
    with scope(qa_then):
        assert Report.objects.get().delivery == "none"


def test_the_schedule(sign_in: Any, qa_then: Tenant) -> None:
    lead = sign_in("lead", qa_then)
    form = {"day": "5", "zone": "Europe/Vienna", "send": "link", "link_days": "30"}
    assert lead.post("/tenants/qa/setup/reports/", form).status_code == 302
    tenant = Tenant.objects.get(slug="qa")
    assert tenant.report_plan["zone"] == "Europe/Vienna"
    assert tenant.next_report_at is not None
    assert tenant.next_report_at > timezone.now()
    assert tenant.next_report_at.day == 5
    for wrong in ({"day": "31"}, {"zone": "Mars/Base"}, {"send": "pigeon"}, {"link_days": "9999"}):
        assert lead.post("/tenants/qa/setup/reports/", {**form, **wrong}).status_code == 422
    listed = sign_in("viewer").get("/reports/").content.decode()
    assert "On day 5, Europe/Vienna, with a link" in listed


def test_last_month_is_made_at_once(sign_in: Any, qa_then: Tenant) -> None:
    lead = sign_in("lead", qa_then)
    answer = lead.post("/reports/qa/make/")
    assert answer.headers["Location"].startswith("/reports/qa/")
    listed = lead.get("/reports/?tenant=qa", follow=True).content.decode()
    assert answer.headers["Location"] in listed


# --- links ----------------------------------------------------------------------------------------


@pytest.fixture
def link(report: Report, qa_then: Tenant) -> str:
    now = timezone.now()
    return address_of(qa_then, make_link(qa_then, report, 7, now, actor="t", actor_id=None))


@pytest.fixture
def _nobody_tried(simulator: Any) -> None:
    """The limits count by address, and all tests come from one."""
    for limiter in (throttle._shared(), throttle._own()):
        limiter.storage.reset()


@pytest.mark.usefixtures("_nobody_tried")
class TestLinks:
    def test_it_opens_without_signing_in(self, link: str, client: Client) -> None:
        for address in (link, f"{link}report.pdf"):
            answer = client.get(address)
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "no-store"
            assert "noindex" in answer.headers["X-Robots-Tag"]
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert not answer.cookies
        page = client.get(link).content.decode()
        assert "QA" in page
        assert "/reports/" not in page, "nothing leads further in"
        entries = audited().filter(action="report_opened")
        assert set(entries.values_list("actor", flat=True)) == {"somebody with the link"}
        assert sorted(one.facts["what"] for one in entries) == ["page", "page", "pdf"]

    def test_who_is_signed_in_is_named(self, link: str, sign_in: Any, world: World) -> None:
        other = sign_in("viewer", world.tenants["third"])
        assert other.get(link).status_code == 200
        assert audited().get(action="report_opened").actor == other.person.username

    def test_it_gives_no_session(self, link: str, client: Client) -> None:
        client.get(link)
        assert client.get("/reports/qa/").status_code == 302
        assert client.post(link).status_code == 405

    def test_guessing_is_slowed_down(self, link: str, client: Client) -> None:
        wrong = link[:-5] + "AAAA/"
        answers = [client.get(wrong).status_code for _ in range(7)]
        assert answers == [404] * 5 + [429] * 2
        assert client.get(link).status_code == 429

    def test_opening_is_slowed_down(self, link: str, client: Client) -> None:
        answers = [client.get(f"{link}report.pdf").status_code for _ in range(32)]
        assert answers.count(200) == throttle.OPENINGS.amount
        assert answers[-1] == 429

    def test_a_vault_that_is_away_is_said(
        self, link: str, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> None:
            raise Unavailable("The vault is away.")

        monkeypatch.setattr("reports.links.master_keys", away)
        assert client.get(link).status_code == 503


def test_the_ingress_has_none_of_it() -> None:
    assert not [one for one in urlpatterns if "report" in str(one.name) or "r/" in str(one.pattern)]


# --- branding -------------------------------------------------------------------------------------


def test_branding(sign_in: Any, world: World, report: Report, client: Client) -> None:
    admin = sign_in("admin")
    assert client.get("/branding/logo.png").status_code == 404
    dirty = png(more=part(b"tEXt", b"Author\0Anna"))
    form = {"name": "Example Security", "colour": "#0B5D4E", "without": ""}
    sent = {**form, "logo": SimpleUploadedFile("x.png", dirty, "image/png")}
    assert admin.post("/settings/branding/", sent).status_code == 302
    row = Branding.objects.get()
    assert (row.name, row.colour, bytes(row.logo)) == ("Example Security", "#0b5d4e", png())
    logo = client.get("/branding/logo.png")
    assert (logo.content, logo.headers["Content-Type"]) == (png(), "image/png")
    page = admin.get(f"/reports/qa/{report.public_id}/").content.decode()
    assert "Example Security" in page
    assert 'fill="#0b5d4e"' in page
    printed = text_of(admin.get(f"/reports/qa/{report.public_id}/report.pdf").content)
    assert "Example Security" in printed
    assert admin.post("/settings/branding/", form).status_code == 302
    assert Branding.objects.get().logo is not None, "no new one: the old one stays"
    no_palette = png(header=(8, 3, 0, 0, 0), pixels=bytes(31 * 8))
    for wrong in ({"colour": "#ffff00"}, {"colour": "red"},
                  {"logo": SimpleUploadedFile("x.png", b"<svg/>", "image/png")},
                  {"logo": SimpleUploadedFile("x.png", no_palette, "image/png")}):  # fmt: skip
        assert admin.post("/settings/branding/", {**form, **wrong}).status_code == 422
    admin.post("/settings/branding/", {**form, "without": "on"})
    assert Branding.objects.get().logo is None
    assert sign_in("lead").get("/settings/branding/").status_code == 404
