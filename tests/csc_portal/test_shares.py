"""Intervals and medians against numbers from elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csc_portal.shares import median_of_steps, wilson

ENDS = (1.0, 5.0, 60.0)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        # As printed by R: prop.test(part, whole, correct = FALSE)$conf.int
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_known_one(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_everything_may_be_true() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.data())
def test_the_interval_holds_the_share_and_more_verdicts_narrow_it(whole: int, data) -> None:
    part = data.draw(st.integers(0, whole))
    low, high = wilson(part, whole)
    assert 0 <= low <= part / whole <= high <= 1
    more = wilson(part * 4, whole * 4)
    assert more[1] - more[0] < high - low


@pytest.mark.parametrize(
    ("counts", "median"),
    [
        ({}, None),
        ({0: 4}, 0.5),
        ({1: 2}, 3.0),
        ({0: 1, 2: 1}, 1.0),
        ({0: 1, 1: 2, 2: 1}, 3.0),
        ({3: 5}, 60.0),
        ({0: 1, 3: 9}, 60.0),
    ],
)
def test_medians_of_steps(counts: dict[int, int], median: float | None) -> None:
    assert median_of_steps(counts, ENDS) == median


@given(st.lists(st.floats(0, 59.9), min_size=1, max_size=200))
def test_the_median_lies_in_the_step_of_the_true_one(values: list[float]) -> None:
    counts: dict[int, int] = {}
    for value in values:
        step = sum(end <= value for end in ENDS)
        counts[step] = counts.get(step, 0) + 1
    found = median_of_steps(counts, ENDS)
    lower = sorted(values)[(len(values) - 1) // 2]
    step = sum(end <= lower for end in ENDS)
    assert (ENDS[step - 1] if step else 0) <= found <= ENDS[step]
