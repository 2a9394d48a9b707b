"""The picture of a case's chain: what it links, and that it fits."""

from __future__ import annotations

import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csc_portal.chain_picture import MOST_EDGES, MOST_NODES, Place, draw

NAMES = ("identity", "device", "app", "data", "infrastructure")


def place(pk: int) -> Place:
    return Place(pk, "user", uuid.UUID(int=pk), "1 alert")


def pairs(picture) -> dict[tuple[int, int], int]:
    return {(edge.start.pk, edge.end.pk): edge.alerts for edge in picture.edges}


def test_links_lead_to_the_next_link_that_is_touched() -> None:
    pillars = [("identity", [place(1)]), ("device", [place(2)]), ("app", []), ("data", [place(3)])]
    assert pairs(draw(pillars, [[1, 2, 3], [1, 2], [1, 3]])) == {(1, 2): 2, (2, 3): 1, (1, 3): 1}


def test_what_no_alert_names_together_is_not_linked() -> None:
    pillars = [("identity", [place(1)]), ("device", [place(2)])]
    assert draw(pillars, [[1], [2]]).edges == ()
    assert draw([(name, []) for name in NAMES], []).is_empty


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.integers(1, 60), max_size=30), max_size=40),
    st.lists(st.integers(0, 15), min_size=5, max_size=5),
)
def test_everything_lies_in_the_picture(alerts: list[list[int]], sizes: list[int]) -> None:
    pillars, pk = [], 0
    for name, size in zip(NAMES, sizes, strict=True):
        pillars.append((name, [place(pk + number) for number in range(1, size + 1)]))
        pk += size
    picture = draw(pillars, alerts)
    assert len(picture.edges) <= MOST_EDGES
    for column, size in zip(picture.columns, sizes, strict=True):
        assert len(column.nodes) + column.more == size
        assert len(column.nodes) <= MOST_NODES
        for node in column.nodes:
            assert 0 <= node.x <= picture.width - 188
            assert 0 <= node.y <= picture.height - 44
    for edge in picture.edges:
        assert edge.alerts >= 1
        assert 1 <= edge.weight <= 3
