"""CEF, JSON lines and CSV of hostile texts: nothing starts a field, a line or a formula."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csc_portal.audit_formats import COLUMNS, Line, as_cef, as_csv, as_json, heading

NOW = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)
PLAIN = Line(7, NOW, "ada", "names_shown", "qa", "case 1", {"names": 3}, 12)
KEY = re.compile(r"(?:^| )([a-zA-Z0-9]+)=")


def read_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Header and extension, as a SIEM reads them."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line.rstrip("\n"), maxsplit=7)
    found: dict[str, str] = {}
    pieces = re.split(r"(?:^| )([a-zA-Z0-9]+)(?<!\\)=", parts[7])
    for name, value in zip(pieces[1::2], pieces[2::2], strict=True):
        assert name not in found, "a field twice: the later one would win"
        found[name] = re.sub(r"\\(.)", r"\1", value)
    return parts[:7], found


def test_a_plain_entry() -> None:
    header, told = read_cef(as_cef(PLAIN))
    assert header == ["CEF:0", "Cloud Security Center", "CSC Portal", "1", "names_shown",
                      "Names shown", "3"]  # fmt: skip
    assert told == {
        "rt": "1795161600123", "externalId": "7", "suser": "ada", "act": "names_shown",
        "cs1Label": "tenant", "cs1": "qa", "cs2Label": "subject", "cs2": "case 1",
        "cs3Label": "facts", "cs3": '{"names": 3}', "cn1Label": "seq", "cn1": "12",
    }  # fmt: skip
    assert json.loads(as_json(PLAIN)) == {
        "id": 7, "at": "2026-11-20T08:00:00.123456Z", "actor": "ada", "action": "names_shown",
        "tenant": "qa", "subject": "case 1", "facts": {"names": 3}, "seq": 12,
    }  # fmt: skip
    head, row = csv.reader(io.StringIO(heading("csv") + as_csv(PLAIN)))
    assert (head, row[2]) == (list(COLUMNS), "ada")


@pytest.mark.parametrize(
    "text",
    ["a|b", "a=b", "a\\", "a\\=b", "a\nCEF:0|x", "a\r\nb", "a suser=root", "\u2028x", "a\0b",
     "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\x85next", "act=deleted rt=1"],
)  # fmt: skip
def test_hostile_texts_stay_in_their_field(text: str) -> None:
    line = Line(1, NOW, text, "tested", text, text, {"a": text, text: 1}, 2)
    said = as_cef(line)
    assert said.count("\n") == 1
    assert "\r" not in said
    header, told = read_cef(said)
    assert header[:6] == ["CEF:0", "Cloud Security Center", "CSC Portal", "1", "tested", "Tested"]
    assert (told["act"], told["externalId"], told["cn1"]) == ("tested", "1", "2")
    assert told["suser"][0] not in "=+-@"
    assert json.loads(as_json(line))["actor"] == text
    assert as_json(line).count("\n") == 1
    (row,) = csv.reader(io.StringIO(as_csv(line)))
    assert not any(cell[:1] in "=+-@\t\r" for cell in row if cell)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_gives_one_line_with_the_same_fields(actor: str, subject: str) -> None:
    said = as_cef(Line(1, NOW, f"x{actor}", "tested", "qa", f"x{subject}"))
    assert len(said.splitlines()) == 1
    names = [name for name, value in read_cef(said)[1].items() if value]
    assert names == ["rt", "externalId", "suser", "act", "cs1Label", "cs1", "cs2Label", "cs2"]
