"""The document on paper: one page first, the same bytes again, and no text that becomes markup."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

from pypdf import PdfReader

from reports.blocks import Document
from reports.brand import Brand
from reports.figures import (
    Action,
    Automatic,
    Coverage,
    Exploited,
    Figures,
    Handled,
    News,
    ScoreTrend,
    Times,
    Weaknesses,
    figures_of,
)
from reports.pdf import pdf
from reports.summary import document
from tests.reports.lab import MADE_AT, OCTOBER
from tests.reports.test_brand import png

HOSTILE = '#eval("1+1") #include("/etc/passwd") *b* _i_ `c` $x^2$ @ref <tag> \\ // /* [x](y) ```'
FULL = Figures(
    Handled(
        cases={"high": 4, "medium": 11}, alerts={"high": 21, "low": 391}, repeated=12,
        case_pillars={"identity": 15}, alert_products={"azureAdIdentityProtection": 412},
        days={"2026-10-01": 400, "2026-10-02": 0, "2026-10-03": 12}, still_open=3,
        verdicts={"truePositive": 5, "falsePositive": 7},
    ),
    Automatic(proof=6, rule=1, methods={"app": 6}),
    (Times("high", 4, 30, 3, 1, 11.5, 480, 4, 0, 210.0), Times("medium", 11, 120, 11, 0, 44.0)),
    ScoreTrend({"2026-10-01": 58.0, "2026-10-31": 62.0}, 57.0,
               (Action("Require MFA", "Entra ID", 9, 3.2, "Low", "Low"),), 41),
    Coverage({"watched": 90, "unwatched": 10}, {"microsoft.compute": 10}, ("Blind.",)),
    Weaknesses(
        {"critical": 1}, (Exploited("CVE-2026-1", "A flaw", "critical", 3, "2026-10-01", True),), 1
    ),
    (News("Patch now", "A feed", "2026-10-14", "Windows"),),
)  # fmt: skip


def made(figures: Figures, before: Figures | None = None, tenant: str = "Contoso") -> Document:
    return document(tenant, OCTOBER, figures, before, MADE_AT)


def texts(data: bytes) -> list[str]:
    """What each page says, without its line breaks."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(data)).pages]


def test_the_first_page_says_it_all() -> None:
    found = texts(pdf(made(FULL, Figures()), Brand("Example Security", "#0b5d4e", png())))
    first = found[0]
    for words in (
        "Security report", "Contoso", "October 2026", "Example Security", "412 alerts came in",
        "15 cases were opened, 4 of high severity", "7 cases were closed automatically",
        "6 proven harmless", "The Secure Score is 62.0 % (+5.0", "90 % of the Azure resources",
        "1 weakness that attackers use now is on your devices", "For you to decide",
        "Update what CVE-2026-1 is about", "2026-10-01 00:00 to before 2026-11-01 00:00",
        "made 2 November 2026, 07:30 Europe/Vienna", "Page 1 of",
    ):  # fmt: skip
        assert words in first, words
    assert "What was handled" in found[1]
    whole = " ".join(found)
    for words in (
        "Entra ID Protection", "Authenticator app", "100.0 %", "75.0 %", "12 min", "3 h 30 min",
        "no promise", "Next best actions, of 41 open ones", "microsoft.compute", "Blind.",
        "A flaw (ransomware)", "Patch now", "Share = in time / (in time + late)",
        "Most on 2026-10-01: 400",
    ):  # fmt: skip
        assert words in whole, words


def test_the_same_report_is_the_same_file() -> None:
    brand = Brand("Example Security", "#0b5d4e", png())
    assert pdf(made(FULL), brand) == pdf(made(FULL), brand)
    assert pdf(made(FULL), brand) != pdf(made(FULL), replace(brand, colour="#000000"))


def test_no_text_becomes_markup() -> None:
    hostile = Figures(
        replace(FULL.handled, alert_products={HOSTILE: 3}, days={HOSTILE: 1, "b": 2}),
        Automatic(proof=1, methods={HOSTILE: 1}),
        score=ScoreTrend(
            {"2026-10-01": 1.0}, None, (Action(HOSTILE, HOSTILE, 1, 1, HOSTILE, ""),), 1
        ),
        coverage=Coverage({"watched": 1, "unwatched": 1}, {HOSTILE: 1}, (HOSTILE,)),
        weaknesses=Weaknesses({}, (Exploited(HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE, False),), 1),
        news=(News(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
    )  # fmt: skip
    found = texts(pdf(made(hostile, tenant=HOSTILE), Brand(HOSTILE)))
    first = found[0]
    assert HOSTILE.removesuffix(" ```") in first
    assert "root:" not in " ".join(found)


def test_letters_that_the_fonts_lack_stop_no_report() -> None:
    action = Action("漢字 \x01 🔥 Require MFA", "", 1, 1, "", "")
    odd = replace(FULL, score=ScoreTrend({"2026-10-01": 1.0}, None, (action,), 1))
    found = " ".join(texts(pdf(made(odd, tenant="東京 Contoso"), Brand("🔥"))))
    assert "Contoso" in found
    assert "Require MFA" in found


def test_the_first_page_stays_one_whatever_is_said() -> None:
    long = "Turn on what has a very long name and then some more words that say why " * 8
    hostile = replace(
        FULL,
        score=ScoreTrend({"2026-10-01": 1.0}, None, (Action(long, "", 1, 1, "", ""),) * 8, 8),
        coverage=Coverage({"watched": 1, "unwatched": 1}, {}, (long[:300],)),
        weaknesses=Weaknesses({}, (Exploited("CVE-2026-1", long, "high", 1, "", True),) * 9, 9),
    )  # fmt: skip
    found = texts(pdf(made(hostile, FULL, tenant="T" * 100), Brand("P" * 60)))
    assert "What was handled" in found[1]


def test_a_month_without_anything_says_so() -> None:
    found = " ".join(texts(pdf(made(Figures()), Brand())))
    assert "No alert came in, and no case was opened." in found
    assert "For you to decide" not in found


def test_numbers_come_back_from_what_is_frozen() -> None:
    assert figures_of(FULL.as_json()) == FULL
    assert figures_of(Figures().as_json()) == Figures()
    assert figures_of({}) == Figures()
    older = FULL.as_json()
    older["handled"].pop("repeated")
    older["handled"]["forgotten"] = 1
    assert figures_of(older) == replace(FULL, handled=replace(FULL.handled, repeated=0))


def test_a_period_that_goes_on_is_called_so() -> None:
    going_on = document("C", OCTOBER, Figures(), None, datetime(2026, 10, 20, tzinfo=UTC))
    assert going_on.period == "October 2026, so far"
    assert made(Figures()).period == "October 2026"
