"""What a customer wants its tickets to be like."""

from __future__ import annotations

import pytest

from clients.errors import Rejected
from ticketing.mapping import first_pillar, options_by_pillar, priority_for, read_mapping


def test_the_priority_follows_the_severity_where_it_is_said() -> None:
    mapping = read_mapping({"priorities": {"high": 4, "low": 1}})
    assert priority_for(mapping, "high", 2) == 4
    assert priority_for(mapping, "medium", 2) == 2
    assert priority_for({}, "high", 3) == 3


def test_options_differ_by_pillar() -> None:
    mapping = read_mapping({"pillars": {"device": {"group_id": "7"}}})
    options = {"group_id": "1", "workspace_id": "2"}
    assert options_by_pillar(options, mapping) == {"device": {"group_id": "7", "workspace_id": "2"}}
    assert options_by_pillar(options, {}) == {}


@pytest.mark.parametrize(
    ("bits", "name"), [(0, ""), (1, "identity"), (6, "device"), (16, "infrastructure")]
)
def test_the_first_pillar_counts(bits: int, name: str) -> None:
    assert first_pillar(bits) == name


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"x": 1}, "x is not known"),
        ({"priorities": {"high": 5}}, "priorities.high has to be 1, 2, 3 or 4"),
        ({"priorities": {"high": True}}, "priorities.high has to be"),
        ({"priorities": {"urgent": 1}}, "priorities.urgent is not known"),
        ({"priorities": [1]}, "priorities has to hold names"),
        ({"pillars": {"device": 3}}, "pillars.device has to hold options"),
        (
            {"pillars": {"device": {"workspace_id": "1"}}},
            "pillars.device.workspace_id can't differ",
        ),
    ],
)
def test_mistakes_are_told_by_their_place(given: dict[str, object], told: str) -> None:
    with pytest.raises(Rejected, match=told):
        read_mapping(given)
