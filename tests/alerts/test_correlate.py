"""Grouping of alerts: the same groups whatever the order and the pages."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.correlate import Member, components

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = timedelta(hours=24)


def member(key: str, hours: float = 0, incident: str = "", ties: str = "") -> Member:
    return Member(key, START + timedelta(hours=hours), incident, frozenset(ties.split()))


def groups(*members: Member) -> set[frozenset[object]]:
    return set(components(members, WINDOW))


def test_nothing_shared_stays_apart() -> None:
    assert components([], WINDOW) == []
    assert groups(member("a"), member("b", ties="anna")) == {frozenset("a"), frozenset("b")}


def test_one_incident_is_one_group_at_any_distance_in_time() -> None:
    assert groups(member("a", 0, "29"), member("b", 9000, "29")) == {frozenset("ab")}


def test_a_shared_entity_joins_within_the_window_only() -> None:
    near = groups(member("a", 0, ties="anna"), member("b", 24, ties="anna"))
    far = groups(member("a", 0, ties="anna"), member("b", 24.01, ties="anna"))
    assert (near, far) == ({frozenset("ab")}, {frozenset("a"), frozenset("b")})


def test_a_chain_joins_beyond_the_window() -> None:
    chain = [member(key, 20 * n, ties="anna") for n, key in enumerate("abc")]
    assert groups(*chain) == {frozenset("abc")}


def test_incidents_and_entities_join_through_each_other() -> None:
    assert groups(
        member("a", 0, "1"), member("b", 0, "1", "srv01"), member("c", 5, "", "srv01"), member("d")
    ) == {frozenset("abc"), frozenset("d")}


def test_two_versions_of_one_alert_are_one_member() -> None:
    assert groups(
        member("a", 0, ties="x"), member("a", 50, ties="y"), member("b", 51, ties="y")
    ) == {frozenset("ab")}


def test_an_empty_incident_joins_nothing() -> None:
    assert groups(member("a"), member("b")) == {frozenset("a"), frozenset("b")}


members = st.lists(
    st.builds(
        member,
        st.sampled_from("abcdefghijkl"),
        st.integers(0, 200),
        st.sampled_from(["", "", "", "1", "2"]),
        st.sampled_from(["", "x", "y", "z", "x y", "y z"]),
    ),
    max_size=14,
)


@given(members=members, data=st.data())
def test_the_order_of_arrival_does_not_matter(members: list[Member], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(members))
    assert components(members, WINDOW) == components(shuffled, WINDOW)


@given(members=members, data=st.data())
def test_pages_that_arrive_one_by_one_end_in_the_same_groups(
    members: list[Member], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(members))
    stored: list[Member] = []
    found: list[frozenset[object]] = []
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        stored, shuffled = [*stored, *shuffled[:size]], shuffled[size:]
        found = components(stored, WINDOW)
    assert found == components(members, WINDOW)


@given(members=members)
def test_groups_are_what_a_naive_search_finds(members: list[Member]) -> None:
    def joined(one: Member, other: Member) -> bool:
        same = one.key == other.key or (one.incident and one.incident == other.incident)
        return bool(same or (one.ties & other.ties and abs(one.at - other.at) <= WINDOW))

    left = list(members)
    expected = set()
    while left:
        group = [left.pop()]
        for known in group:
            near = [other for other in left if joined(known, other)]
            group += near
            left = [other for other in left if other not in near]
        expected.add(frozenset(one.key for one in group))
    assert groups(*members) == expected


def test_many_members_take_little_time() -> None:
    many = [member(str(n), n / 100, ties=f"t{n % 500}") for n in range(20_000)]
    assert sum(map(len, components(many, WINDOW))) == 20_000
