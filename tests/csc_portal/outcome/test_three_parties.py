"""Whatever three parties do in whatever order, they agree in the end."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Simulator
from tests.csc_portal.outcome.conftest import OPEN, RESOLVED, Flow

STEPS = {
    "we resolve": lambda f: f.decide("resolve", verdict="truePositive"),
    "we reopen": lambda f: f.decide("reopen"),
    "we start": lambda f: f.decide("start"),
    "Defender resolves": lambda f: [f.change(one, status="resolved") for one in ("a1", "a2")],
    "Defender opens one": lambda f: f.change("a1", status="inProgress"),
    "the desk closes": lambda f: f.change_ticket(status=RESOLVED),
    "the desk opens": lambda f: f.change_ticket(status=OPEN),
    "poll": lambda f: f.poll(),
    "carry": lambda f: f.carry(),
    "an answer of Microsoft is lost": lambda f: f.lose("graph", "PATCH"),
    "an answer of the desk is lost": lambda f: f.lose("freshservice", "PUT"),
}
_numbers = itertools.count()


@settings(max_examples=4, deadline=None, derandomize=True, database=None, print_blob=False)
@given(names=st.lists(st.sampled_from(sorted(STEPS)), min_size=3, max_size=7))
def test_three_parties_agree_in_the_end_and_then_are_quiet(
    simulator: Simulator, slug: str, django_db_blocker: Any, names: list[str]
) -> None:
    """Nothing goes round in circles, whoever does what when, and whatever answer is lost."""
    with django_db_blocker.unblock():
        flow = Flow(simulator, slug, f"any{next(_numbers)}")
        flow.open()
        for name in names:
            STEPS[name](flow)
        for _ in range(3):
            flow.poll()
            flow.carry()
        is_open = flow.case.is_open
        assert (flow.ticket()["status"] == OPEN) == is_open
        statuses = {flow.theirs(one)[0] for one in ("a1", "a2")}
        assert ("resolved" not in statuses) if is_open else (statuses == {"resolved"})
        flow.is_quiet()
