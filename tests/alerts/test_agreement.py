"""Who moved since both were compared: properties over everything that two sides can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import FIELDS, UNTOUCHED, moved, owed, said, said_by_case
from alerts.verdicts import DETERMINATIONS, FALSE_POSITIVE_REASONS, VERDICTS, problem_of
from clients.microsoft import security

sides = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["new", "inProgress", "resolved"]),
        "classification": st.sampled_from(["", *VERDICTS]),
        "determination": st.sampled_from(["", "malware", "other"]),
    }
)


@given(sides, sides)
def test_who_did_not_move_says_nothing(ours: dict, theirs: dict) -> None:
    assert owed(ours, ours, theirs) == {}
    assert moved(theirs, theirs, ours, ()) is None


@given(sides, sides, sides)
def test_what_was_written_is_not_owed_again_and_comes_back_as_an_echo(
    before: dict, now: dict, theirs: dict
) -> None:
    fields = owed(before, now, theirs)
    there = {**theirs, **fields}
    assert owed(before, now, there) == {}
    move = moved(theirs, there, now, list(fields))
    assert move is None if there == theirs else move.is_echo and not move.overrules


@given(sides, sides, sides, sides)
def test_who_was_faster_there_wins(before: dict, now: dict, base: dict, theirs: dict) -> None:
    fields = owed(before, now, base)
    move = moved(base, theirs, now, list(fields))
    for name in fields:
        if move is not None and name in move.changed and theirs[name] != now[name]:
            assert move.overrules
            assert not move.is_echo


@given(sides, sides)
def test_a_case_that_was_never_closed_reopens_nothing(now: dict, theirs: dict) -> None:
    fields = owed({**UNTOUCHED}, now, theirs)
    if theirs["status"] == "resolved":
        assert "status" not in fields


def test_both_sides_speak_alike() -> None:
    assert said_by_case(2, "truePositive", "malware") == said("resolved", "truePositive", "malware")
    assert said_by_case(0, "", "malware") == said("new", "unknown", "unknown")
    assert said("deleted", "", "")["status"] == "resolved"
    assert set(FIELDS) == set(UNTOUCHED)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (("nonsense",), "Choose a verdict"),
        (("truePositive", "notMalicious"), "goes with the verdict"),
        (("", "malware"), "goes with the verdict"),
        (("truePositive", "", "admin_work"), "Choose a reason"),
        (("falsePositive", "", "because"), "Choose a reason"),
    ],
)
def test_choices_that_do_not_fit(choice: tuple[str, ...], words: str) -> None:
    assert words in problem_of(*choice)


def test_choices_that_fit() -> None:
    for verdict, determinations in DETERMINATIONS.items():
        assert not any(problem_of(verdict, one) for one in ("", *determinations))
    assert not any(problem_of("falsePositive", "", one) for one in FALSE_POSITIVE_REASONS)
    assert "why" in problem_of("falsePositive", ask=True)
    assert problem_of("falsePositive", "", "admin_work", ask=True) == ""


def test_every_old_spelling_is_of_a_determination() -> None:
    known = {one for some in DETERMINATIONS.values() for one in some}
    assert set(security._OTHER_SPELLING) <= known
