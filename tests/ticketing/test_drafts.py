"""What tickets say: everything, escaped, in bounds."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.normalise import normalise
from alerts.records import AlertRecord
from tests.payloads import load
from ticketing.drafts import (
    LARGEST_HTML,
    LONGEST_SUBJECT,
    CaseFacts,
    draft_merge_note,
    draft_note,
    draft_ticket,
)

DOCUMENT = load("microsoft/incidents-list-expand-alerts")["value"][0]["alerts"][0]
EVERY_TYPE = load("microsoft/alerts_v2-all-48-evidence-types-constructed")["value"][0]
ALERT = normalise(DOCUMENT)
AT = datetime(2026, 1, 22, 12, 0, tzinfo=UTC)
CASE = CaseFacts(7, "Contoso", "Scrubbed title", 3, 70, "Persistence", 1, AT, None)
PORTAL = "https://portal.example/cases/1/"
REFERENCE = "CSC-0123456789AB"
TAGS = {"h3", "p", "table", "tr", "td", "b", "a", "br"}


class Reader(HTMLParser):
    """Collects tags, links and text; fails on what isn't closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"href", "rel"}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def read(*alerts: AlertRecord, case: CaseFacts = CASE) -> Reader:
    return Reader(draft_ticket(case, alerts, REFERENCE, PORTAL).html)


def test_a_ticket_says_everything_by_pillar() -> None:
    draft = draft_ticket(CASE, [ALERT], REFERENCE, PORTAL)
    assert (draft.reference, draft.priority) == (REFERENCE, 3)
    assert draft.subject == "A WMI event filter was bound to a suspicious event consumer"
    assert draft.tags == ("csc-portal", "severity-medium")
    found = Reader(draft.html)
    assert found.tags <= TAGS
    headings = re.findall("<h3>(.*?)</h3>", draft.html)
    assert headings == [
        "Alerts",
        "Identity",
        "Devices",
        "Data",
        "Infrastructure",
        "Description",
        "Recommended actions",
    ]
    for text in (
        "adminlocal",
        "S-1-5-21-2144799004-2815524614-4183675894-1001",
        "w11pro-test",
        "fe80::8505:87aa:de7a:4c9f",
        "Process command line",
        "Microsoft Defender for Endpoint",
        "T1546.003",
        "2026-01-22 12:08:16 UTC",
        "truePositive",
        "admin@contoso.com",
        "An event consumer represents",
        "1. Find the propagation entry point",
        "OS platform",
        "Windows11",
    ):
        assert text.casefold() in found.text.casefold()
    assert found.links == [PORTAL, ALERT.alert_url, ALERT.incident_url]


def test_all_evidence_types_fit_and_are_named() -> None:
    record = normalise(EVERY_TYPE)
    found = read(record)
    assert all(entity.name in found.text for entity in record.entities)
    assert {"Identity", "Devices", "Apps", "Data", "Infrastructure"} <= set(found.text.split("\n"))


HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>\u202e&\x00"


def poisoned(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: v if k == "@odata.type" or "DateTime" in k else poisoned(v) for k, v in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_text_is_only_text() -> None:
    alert = normalise(poisoned(EVERY_TYPE) | {"id": "1", "alertWebUrl": "javascript:x"})
    draft = draft_ticket(
        replace(CASE, tenant=HOSTILE, category=HOSTILE), [alert], REFERENCE, PORTAL
    )
    found = Reader(draft.html)
    assert found.tags <= TAGS
    assert found.links == [PORTAL]
    assert "\x00" not in draft.html + draft.subject
    assert "<script>" in found.text


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://security.microsoft.com/alerts/1?tid=2", True),
        ("https://portal.azure.us/x", True),
        ("https://microsoft.com.evil.example/", False),
        ("https://evilmicrosoft.com/", False),
        ("https://security.microsoft.com@evil.example/", False),
        ("https://evil.example\\.microsoft.com/", False),
        ("http://security.microsoft.com/", False),
        ("https://[::1/", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_only_microsofts_pages_are_linked(url: str, linked: bool) -> None:
    found = read(replace(ALERT, alert_url=url, incident_url=""))
    assert (url in found.links) is linked
    assert len(found.links) == 1 + linked


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("=HYPERLINK(1)", "HYPERLINK(1)"),
        ("+-@ =x", "x"),
        ("\t@SUM(1)", "SUM(1)"),
        ("two\r\nlines\u2028more", "two lines more"),
        ("\u200b=1+1", "1+1"),
        ("\uff1dx", "x"),
        ("", "Scrubbed title"),
        ("===", "Security alert"),
    ],
)
def test_subjects_are_no_formulas(title: str, subject: str) -> None:
    assert draft_ticket(CASE, [replace(ALERT, title=title)], REFERENCE, "").subject == subject


@given(title=st.text(max_size=600))
def test_any_title_gives_a_subject(title: str) -> None:
    subject = draft_ticket(CASE, [replace(ALERT, title=title)], REFERENCE, "").subject
    assert 0 < len(subject) <= LONGEST_SUBJECT - len(REFERENCE) - 3
    assert subject[0] not in "=+-@\t\r\n"
    assert len(subject.splitlines()) == 1


@pytest.mark.parametrize(
    ("priority", "expected"), [(0, 1), (29, 1), (30, 2), (60, 3), (85, 4), (100, 4)]
)
def test_priorities(priority: int, expected: int) -> None:
    assert draft_ticket(replace(CASE, priority=priority), [], REFERENCE, "").priority == expected


@pytest.mark.parametrize("count", [5, 40])
def test_large_cases_are_cut_with_a_word_on_it(count: int) -> None:
    addresses = [
        {"@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": f"10.0.{n}.1"}
        for n in range(99)
    ]
    long = EVERY_TYPE | {"evidence": [*EVERY_TYPE["evidence"], *addresses]}
    many = [normalise(long | {"id": f"a{n}", "description": f"{n} " * 5000}) for n in range(count)]
    draft = draft_ticket(replace(CASE, alert_count=99), many, REFERENCE, PORTAL)
    assert len(draft.html) <= LARGEST_HTML
    found = Reader(draft.html)
    assert f"{count} of 99 alerts are listed here." in found.text
    assert "left out" in found.text


def test_without_content_the_ticket_says_so() -> None:
    draft = draft_ticket(CASE, [], REFERENCE, "")
    assert draft.subject == "Scrubbed title"
    assert "could not be read" in Reader(draft.html).text
    assert "href" not in draft.html


def test_notes() -> None:
    note = Reader(draft_note(CASE, [ALERT, replace(ALERT, provider_id="2")], PORTAL))
    assert "grown by 2 further alerts" in note.text
    assert "adminlocal" in note.text
    merged = Reader(draft_merge_note(REFERENCE, "https://x.freshservice.com/a/tickets/5"))
    assert merged.links == ["https://x.freshservice.com/a/tickets/5"]
    assert REFERENCE in merged.text
    assert "href" not in draft_merge_note("<b>", "javascript:x")
    assert "<b>" not in draft_merge_note("<b>", "")
    assert draft_merge_note("", "")
