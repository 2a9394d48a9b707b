"""Grouping of alerts: by what they share, how near they are, and never by the order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.correlate import (
    INSIDE_ADDRESS,
    RULES,
    Link,
    Member,
    components,
    pairs_of,
    score_of,
)
from alerts.stages import phase_of, step

START = datetime(2026, 11, 20, tzinfo=UTC)
ENTITIES = {
    "anna": (1, "user"), "bert": (2, "user"), "pc1": (3, "device"), "pc2": (4, "device"),
    "ip1": (5, "ip"), "ip2": (6, "ip"), "url1": (7, "url"), "file1": (8, "file"),
    "file2": (9, "file"), "box": (10, "mailbox"), "dom": (11, "domain"),
    "ip3": (12, INSIDE_ADDRESS),
}  # fmt: skip
ENTRY, GOAL = phase_of("InitialAccess"), phase_of("Impact")


def member(
    key: int,
    hours: float = 0,
    incident: str = "",
    ties: str = "",
    phase: int = 0,
    *,
    minor: bool = False,
) -> Member:
    named = dict(ENTITIES[word] for word in ties.split())
    addresses, devices = (
        frozenset(entity for entity, kind in named.items() if kind in kinds)
        for kinds in (("ip", INSIDE_ADDRESS), ("device",))
    )
    at = START + timedelta(hours=hours)
    return Member(key, at, incident, named, phase, addresses, devices, minor)


def groups(*members: Member) -> set[frozenset[int]]:
    return set(components(members))


def tied(*members: Member) -> bool:
    return len(components(members)) == 1


def test_nothing_shared_stays_apart() -> None:
    assert components([]) == []
    assert not tied(member(1), member(2, ties="anna"))


def test_one_incident_is_one_group_at_any_distance_in_time() -> None:
    assert tied(member(1, 0, "29"), member(2, 9000, "29"))


def test_a_shared_person_ties_for_some_hours() -> None:
    assert tied(member(1, 0, ties="anna"), member(2, 1.7, ties="anna"))
    assert not tied(member(1, 0, ties="anna"), member(2, 1.8, ties="anna"))


def test_two_strong_things_tie_for_longer_than_one() -> None:
    assert tied(member(1, 0, ties="anna pc1"), member(2, 12, ties="anna pc1"))
    assert not tied(member(1, 0, ties="anna pc1"), member(2, 13, ties="anna pc1"))


def test_a_user_and_his_mailbox_count_once() -> None:
    assert tied(member(1, 0, ties="anna box"), member(2, 1.7, ties="anna box"))
    assert not tied(member(1, 0, ties="anna box"), member(2, 1.8, ties="anna box"))


def test_a_thing_alone_fades_sooner_than_beside_another() -> None:
    assert not tied(member(1, 0, ties="anna"), member(2, 3, ties="anna"))
    assert tied(member(1, 0, ties="anna ip1"), member(2, 10, ties="anna ip1"))
    assert not tied(member(1, 0, ties="anna file1"), member(2, 6, ties="anna file1"))


def test_two_small_alerts_need_to_be_nearer() -> None:
    one = member(1, 0, ties="anna", minor=True)
    assert tied(one, member(2, 0.9, ties="anna", minor=True))
    assert not tied(one, member(2, 1.5, ties="anna", minor=True))
    assert tied(one, member(2, 1.5, ties="anna"))


def test_the_order_of_an_attack_counts() -> None:
    assert tied(member(1, 0, ties="anna", phase=ENTRY), member(2, 3.9, ties="anna", phase=GOAL))
    assert not tied(member(1, 0, ties="anna", phase=GOAL), member(2, 1, ties="anna", phase=ENTRY))


def test_at_one_moment_either_may_have_been_first() -> None:
    for phases in ((ENTRY, GOAL), (GOAL, ENTRY)):
        one, other = (member(key, 0, ties="ip1", phase=p) for key, p in enumerate(phases, 1))
        found = score_of(one, other, [5])
        assert found is not None
        assert (found.step, found.score) == (1, 1.1 + RULES.onward)


def test_addresses_that_differ_speak_against_it() -> None:
    one, other = member(1, 0, ties="anna ip1"), member(2, 1, ties="anna ip2")
    assert not tied(one, other)
    assert tied(one, member(2, 0.6, ties="anna ip2"))
    assert tied(one, member(2, 1, ties="anna"))


def test_machines_that_differ_speak_against_it() -> None:
    one = member(1, 0, ties="anna pc1")
    assert not tied(one, member(2, 1, ties="anna pc2"))
    assert tied(one, member(2, 0.6, ties="anna pc2"))
    assert tied(one, member(2, 2, ties="anna pc2", phase=GOAL), member(3, 1, ties="anna pc1 pc2"))


def test_an_account_that_looks_into_every_machine_makes_no_case_of_them() -> None:
    def scan(number: int) -> Member:
        machine, at = 20 + number, START + timedelta(hours=number)
        ties = {1: "user", 12: INSIDE_ADDRESS, machine: "device"}
        return Member(number, at, "", ties, 3, frozenset({12}), frozenset({machine}), True)

    assert len(components(map(scan, range(8)))) == 8


def test_an_address_of_a_private_network_only_adds() -> None:
    one = member(1, 0, ties="ip3", phase=ENTRY)
    assert not tied(one, member(2, 0, ties="ip3", phase=GOAL))
    assert tied(member(1, 0, ties="ip3 anna"), member(2, 2, ties="ip3 anna"))
    assert not tied(member(1, 0, ties="ip3 anna"), member(2, 4, ties="ip3 anna"))
    assert tied(member(1, 0, ties="ip1 anna"), member(2, 4, ties="ip1 anna"))


def test_a_file_alone_ties_nothing_but_adds() -> None:
    assert not tied(member(1, 0, ties="file1"), member(2, 0, ties="file1"))
    assert tied(member(1, 0, ties="file1 dom"), member(2, 1, ties="file1 dom"))


def test_an_address_ties_for_hours_and_no_strangers() -> None:
    assert tied(member(1, 0, ties="ip1"), member(2, 3, ties="ip1"))
    assert not tied(member(1, 0, ties="ip1"), member(2, 4, ties="ip1"))
    assert not tied(member(1, 0, ties="ip1 anna"), member(2, 0, ties="ip1 bert"))


def test_a_chain_joins_beyond_the_window() -> None:
    assert tied(*(member(n, 1.5 * n, ties="anna") for n in range(3)))


def test_incidents_and_entities_join_through_each_other() -> None:
    assert groups(
        member(1, 0, "1"), member(2, 0, "1", "pc1"), member(3, 4, "", "pc1"), member(4)
    ) == {frozenset({1, 2, 3}), frozenset({4})}


def test_a_link_says_what_it_is_made_of() -> None:
    a, b = member(1, 0, ties="anna ip1", phase=ENTRY), member(2, 0, ties="anna ip1", phase=GOAL)
    link = score_of(a, b, [1, 5])
    assert link == Link(1, 2, "entities", pytest.approx(3.0), 0.0, ((1, 1.5), (5, 1.1)), 1)


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [("InitialAccess", "Impact", 1), ("Ransomware", "Phishing", -1), ("Impact", "Exfiltration", 0),
     ("None", "Impact", 0), ("impact", "", 0), ("Collection", "Execution", -1)],
)  # fmt: skip
def test_stages(earlier: str, later: str, expected: int) -> None:
    assert step(phase_of(earlier), phase_of(later)) == expected


members = st.lists(
    st.builds(
        lambda hours, incident, ties, phase: (hours, incident, " ".join(sorted(ties)), phase),
        st.integers(0, 150),
        st.sampled_from(["", "", "", "1", "2"]),
        st.sets(st.sampled_from(sorted(ENTITIES)), max_size=3),
        st.integers(0, 4),
    ),
    max_size=14,
).map(lambda rows: [member(key, *row) for key, row in enumerate(rows)])


@given(members=members, data=st.data())
def test_the_order_of_arrival_does_not_matter(members: list[Member], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(members))
    assert components(members) == components(shuffled)


@given(members=members)
def test_groups_are_what_a_naive_search_finds(members: list[Member]) -> None:
    def joined(one: Member, other: Member) -> bool:
        shared = one.ties.keys() & other.ties.keys()
        same = bool(one.incident) and one.incident == other.incident
        return same or score_of(one, other, shared) is not None

    left = list(members)
    expected = set()
    while left:
        found = [left.pop()]
        for known in found:
            near = [other for other in left if joined(known, other)]
            found += near
            left = [other for other in left if other not in near]
        expected.add(frozenset(one.key for one in found))
    assert groups(*members) == expected


@given(members=members)
def test_a_score_never_rises_with_the_distance(members: list[Member]) -> None:
    for one in members[:4]:
        for other in members[:4]:
            shared = one.ties.keys() & other.ties.keys()
            if one.key == other.key or score_of(one, other, shared) is None:
                continue
            middle = one.at + (other.at - one.at) / 2
            nearer = Member(other.key, middle, "", other.ties, other.phase, other.addresses)
            if (one.at, one.key) < (other.at, other.key) and middle > one.at:
                assert score_of(one, nearer, shared) is not None


def test_a_flood_about_one_machine_compares_few_pairs() -> None:
    flood = {key: member(key, key / 1000, ties="pc1") for key in range(2000)}
    pairs = pairs_of(flood.values(), flood)
    assert len(pairs) <= 2000 * RULES.most_compared
    assert tied(*flood.values())
