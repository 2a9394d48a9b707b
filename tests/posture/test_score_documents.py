"""Hostile documents: nothing raises, and only numbers and short words come through."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.score_documents import plain, read_profile, read_score, read_state
from tests import payloads

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
SCORE = payloads.load("microsoft/securescore-get")
PROFILE = payloads.load("microsoft/securescorecontrolprofile-get")


@given(st.dictionaries(st.sampled_from(sorted(SCORE)), JUNK))
def test_no_score_document_raises(changes: dict[str, object]) -> None:
    found = read_score({**SCORE, **changes}, {})
    assert found is None or found.current >= 0


@given(st.dictionaries(st.sampled_from(sorted(PROFILE)), JUNK))
def test_no_profile_raises(changes: dict[str, object]) -> None:
    found = read_profile({**PROFILE, **changes})
    assert found is None or found.name


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"createdDateTime": "2026-11-20"}])
def test_what_is_no_document_is_nothing(value: object) -> None:
    assert read_score(value, {}) is None
    assert read_profile(value) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 1e9, "12", True, None, [3]])
def test_what_is_no_number_of_points(value: object) -> None:
    assert read_score({**SCORE, "currentScore": value}, {}) is None
    rows = [{"controlName": "AdminMFA", "score": value}]
    found = read_score({**SCORE, "controlScores": rows}, {})
    assert found is not None
    assert found.controls == {}


def test_unknown_words_pass_and_texts_do_not() -> None:
    found = read_profile(
        {**PROFILE, "tier": "Quantum", "userImpact": "Huge", "service": "anna@contoso.example",
         "implementationCost": "<b>Low</b>", "threats": ["New Threat", "x" * 61, None]}
    )  # fmt: skip
    assert found is not None
    assert (found.tier, found.impact, found.service, found.cost) == ("Quantum", "Huge", "", "")
    assert found.threats == ("New Threat",)
    assert found.effort == 5  # all three unknown


def test_titles_are_plain_and_name_nobody() -> None:
    title = "Restrict <b>public</b> &lt;script&gt;x access of anna@contoso.example"
    found = read_profile({**PROFILE, "title": title})
    assert found is not None
    assert found.title == "Restrict public x access of …"


def test_the_last_state_counts() -> None:
    rows = [
        {"state": "Ignored", "updatedDateTime": "2026-11-20T08:00:00Z", "comment": "x"},
        {"state": "Default", "updatedDateTime": "2026-11-19T08:00:00Z"},
        {"state": "", "updatedDateTime": "2026-11-21T08:00:00Z"},
    ]
    assert read_state({"controlStateUpdates": rows})[0] == "Ignored"
    assert read_state({"controlStateUpdates": [*rows, {"state": "Reviewed"}]})[0] == "Reviewed"
    assert read_state({}) == ("Default", None)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("Open <b>All</b> or <i>some</i>", "Open All or some"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("a<br/>b  c", "a\nb c"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "alert(1)"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("5 &gt; 3 &amp; 2", "5 > 3 & 2"),
        ('<a href="javascript:x">here</a>', "here"),
        ("<" * 50_000, "<" * 4_000),
    ],
)
def test_plain(markup: str, expected: str) -> None:
    assert plain(markup) == expected


def test_a_profile_knows_nothing_of_people() -> None:
    marked = {
        **PROFILE,
        "controlStateUpdates": [
            {"state": "Reviewed", **dict.fromkeys(("assignedTo", "comment", "updatedBy"), "canary")}
        ],
        "remediation": "canary", "remediationImpact": "canary", "actionUrl": "canary",
    }  # fmt: skip
    found = read_profile(marked)
    assert found is not None
    assert "canary" not in repr(replace(found))
