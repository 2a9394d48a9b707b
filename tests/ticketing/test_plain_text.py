import json

import pytest

from ticketing.adapters import adf
from ticketing.adapters.plain_text import has_mark, marked_subject, shortened, to_text

HTML = (
    "<table><tr><td>Case</td><td>7</td></tr><tr><td>Customer</td><td>A &amp; B</td></tr></table>"
    '<p><a href="https://portal.test/c/1/" rel="noopener">Open</a></p><h3>Alerts</h3>'
    '<p><b>Sign-in</b> <a href="https://m.test/">at</a> night<br>&lt;script&gt;</p>'
    '<p></p><a href="javascript:x">bad</a>'
)


def test_html_as_lines() -> None:
    assert to_text(HTML, 1000).splitlines() == [
        "Case: 7",
        "Customer: A & B",
        "Open <https://portal.test/c/1/>",
        "",
        "Alerts",
        "Sign-in at <https://m.test/> night",
        "<script>",
        "bad",
    ]


@pytest.mark.parametrize("html", ["", "<p", "</p></p>", "<b>x", "&#0;x", "<!-- x", "<td>a<td>b"])
def test_odd_html_is_no_fault(html: str) -> None:
    assert len(to_text(html, 100)) <= 100
    assert adf.document(html)["type"] == "doc"


def test_what_is_cut_says_so() -> None:
    assert shortened("x" * 500, 500) == "x" * 500
    cut = shortened("x" * 501, 500)
    assert len(cut) == 500
    assert "was cut" in cut


def test_subjects_keep_their_reference() -> None:
    assert marked_subject("a\nb [CSC-1]", "CSC-1", 160) == "a b [CSC-1]"
    long = marked_subject("x" * 400, "CSC-1", 160)
    assert len(long) == 160
    assert long.endswith("… [CSC-1]")
    foreign = marked_subject("漢" * 90, "CSC-1", 80, in_bytes=True)
    assert foreign == f"{'漢' * 23}… [CSC-1]"
    assert len(foreign.encode()) == 80


def test_marks_are_compared_as_a_whole() -> None:
    assert has_mark("re: a [csc-1]", "CSC-1")
    for other in (None, 7, "[CSC-12]", "CSC-1", "[XCSC-1]"):
        assert not has_mark(other, "CSC-1")


def test_a_document_has_links_headings_and_an_end() -> None:
    document = adf.document(HTML, "[CSC-1/2]")
    assert [node["type"] for node in document["content"]].count("heading") == 1
    assert '"href": "https://portal.test/c/1/"' in json.dumps(document)
    assert "javascript" not in json.dumps(document)
    assert adf.text_of(document).endswith("[CSC-1/2]")


def test_a_large_document_is_cut_before_its_end() -> None:
    document = adf.document("<p>line</p>" * 9_000, "[CSC-1/2]")
    assert len(json.dumps(document)) < 32_767
    assert adf.text_of(document).endswith("everything.[CSC-1/2]")
