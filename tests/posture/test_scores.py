"""The arithmetic of the Secure Score against Microsoft's example documents, computed by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from posture.score_documents import read_profile, read_score
from posture.scores import (
    Points,
    Profile,
    Score,
    band,
    band_of,
    change,
    compare,
    find_drop,
    recommendations,
    steps,
)
from posture.standing import standing
from tests import payloads

DAY = date(2026, 11, 20)


def example() -> tuple[Score, dict[str, Profile]]:
    listed = payloads.load("microsoft/securescorecontrolprofiles-list")["value"]
    documents = [*listed, payloads.load("microsoft/securescorecontrolprofile-update-response")]
    profiles = {one.name: one for one in map(read_profile, documents) if one}
    most = {one.name: one.most for one in profiles.values()}
    score = read_score(payloads.load("microsoft/securescore-get"), most)
    assert score is not None
    return score, profiles


def score(back: int, controls: dict[str, float], most: float = 100, **tops: float) -> Score:
    """A day so long ago; the current score is what the controls give."""
    points = {name: Points(given, tops.get(name)) for name, given in controls.items()}
    return Score(DAY - timedelta(days=back), sum(controls.values()), most, points)


def test_the_example_day() -> None:
    found, _ = example()
    assert (found.day, found.current, found.most) == (date(2019, 3, 19), 387.0, 697.0)
    assert found.percent == 55.52  # 387 / 697 = 0.555236...
    assert found.licensed_users == 100
    assert found.controls == {"AdminMFA": Points(35.0), "DLPEnabled": Points(20.0, 20.0)}


def test_averages_in_points_become_percent() -> None:
    # 109 can be no percentage: so all three are points of 697.
    assert example()[0].averages == {"AllTenants": 5.31, "TotalSeats": 6.6, "IndustryTypes": 15.64}


def test_averages_in_percent_stay() -> None:
    document = payloads.load("microsoft/securescore-get")
    rows = [{"basis": "AllTenants", "averageScore": 46.21}, {"basis": "New", "averageScore": 48.9}]
    found = read_score({**document, "averageComparativeScores": rows}, {})
    assert found is not None
    assert found.averages == {"AllTenants": 46.21, "New": 48.9}


def test_the_example_profiles() -> None:
    _, profiles = example()
    dlp, owner = profiles["DLPEnabled"], profiles["NonOwnerAccess"]
    assert (dlp.most, dlp.cost, dlp.impact, dlp.tier) == (20.0, "Moderate", "Moderate", "Advanced")
    assert dlp.effort == 6  # 2 + 2 + 2
    assert owner.effort == 2  # 1 + 1 + 0
    assert (dlp.state, owner.state) == ("Default", "Reviewed")
    assert dlp.threats == ("Data Exfiltration", "Data Spillage")


def test_gaps_and_gains() -> None:
    found, profiles = example()
    lacking = Score(
        found.day, 375.0, 697.0, {"DLPEnabled": Points(8.0), "NonOwnerAccess": Points(0)}
    )
    first, second = steps(lacking, profiles)
    # 5 points for an effort of 2 are worth more than 12 for one of 6.
    assert (first.profile.name, first.gap, first.gain, first.worth) == (
        "NonOwnerAccess", 5.0, 0.72, 2.5,
    )  # fmt: skip
    assert (second.profile.name, second.gap, second.gain, second.worth) == (
        "DLPEnabled", 12.0, 1.72, 2.0,
    )  # fmt: skip


def test_what_is_reached_unknown_or_over_the_top_has_no_gap() -> None:
    found, profiles = example()
    assert [(one.profile.name, one.gap) for one in steps(found, profiles)] == [("DLPEnabled", 0.0)]
    over = Score(DAY, 1, 10, {"DLPEnabled": Points(21.5)})
    assert steps(over, profiles)[0].gap == 0
    assert recommendations(found, profiles) == []


@pytest.mark.parametrize(
    ("details", "is_open"),
    [
        ({}, True),
        ({"state": "Reviewed"}, True),
        ({"state": "SomethingNew"}, True),
        ({"state": "Ignored"}, False),
        ({"state": "ThirdParty"}, False),
        ({"is_deprecated": True}, False),
    ],
)
def test_what_somebody_decided_against_is_not_recommended(details, is_open: bool) -> None:
    profile = Profile("one", most=5, **details)
    found = recommendations(Score(DAY, 0, 10, {"one": Points(0)}), {"one": profile})
    assert bool(found) == is_open


def test_equal_worth_is_ordered_by_gap_then_microsofts_rank() -> None:
    profiles = {
        "a": Profile("a", most=4, cost="Low", impact="Low", tier="Core", rank=9),
        "b": Profile("b", most=4, cost="Low", impact="Low", tier="Core", rank=2),
        "c": Profile("c", most=8, cost="Moderate", impact="Moderate", tier="Core"),
    }
    found = steps(Score(DAY, 0, 16, dict.fromkeys("abc", Points(0))), profiles)
    assert [one.profile.name for one in found] == ["c", "b", "a"]


def test_nothing_to_reach_is_not_zero_percent() -> None:
    assert Score(DAY, 0, 0).percent is None
    assert change([Score(DAY, 0, 0), score(7, {"a": 50})], 7) is None


@pytest.mark.parametrize(
    ("back", "expected"), [(7, 10.0), (30, -5.0), (90, None)]
)  # 60 now; 50 a week ago; 65 thirty-two days ago; nothing within 9 days of the 90th
def test_change(back: int, expected: float | None) -> None:
    days = [score(0, {"a": 60}), score(7, {"a": 50}), score(32, {"a": 65}), score(79, {"a": 1})]
    assert change(days, back) == expected


def test_change_of_a_single_day_is_unknown() -> None:
    assert change([score(0, {"a": 60})], 7) is None
    assert change([], 7) is None


def test_compare_tells_own_from_microsofts() -> None:
    before = score(1, {"a": 40, "b": 20, "gone": 4}, most=100, b=20)
    now = score(0, {"a": 34, "b": 25, "new": 0}, most=120, b=30)
    found = compare(before, now)
    # 64/100 = 64 percent; 59/120 = 49.17. Own: a lost 6 of 100 points. b's most changed.
    assert (found.total, found.own, found.microsofts) == (-14.83, -6.0, -8.83)
    assert [(one.name, one.points) for one in found.lost] == [("a", -6.0)]
    assert [(one.name, one.points) for one in found.most_changed] == [("b", 10.0)]
    assert (found.came, found.went) == (("new",), ("gone",))


def test_compare_needs_percentages() -> None:
    with pytest.raises(ValueError, match="no percentage"):
        compare(Score(DAY, 0, 0), score(0, {"a": 1}))


def test_a_drop_names_the_controls_that_caused_it_worst_first() -> None:
    drop = find_drop([score(3, {"a": 40, "b": 30, "c": 5}), score(0, {"a": 38, "b": 26, "c": 6})])
    assert drop is not None
    assert (drop.since, drop.before, drop.now, drop.change.own) == (
        DAY - timedelta(days=3), 75.0, 70.0, -5.0,
    )  # fmt: skip
    assert [(one.name, one.points) for one in drop.change.lost] == [("b", -4.0), ("a", -2.0)]
    assert drop.severity == 3


@pytest.mark.parametrize(("points", "severity"), [(48.1, None), (48, 2), (45, 3), (40, 4)])
def test_the_size_of_a_drop(points: float, severity: int | None) -> None:
    drop = find_drop([score(1, {"a": 50}), score(0, {"a": points})])
    assert (drop.severity if drop else None) == severity


def test_new_controls_alone_are_no_drop() -> None:
    before, now = score(1, {"a": 50}), score(0, {"a": 50, "new": 0}, most=200)
    assert compare(before, now).total == -25.0
    assert find_drop([before, now]) is None


def test_an_old_high_is_no_drop_unless_it_is_open() -> None:
    days = [score(20, {"a": 60}), score(6, {"a": 50}), score(0, {"a": 50})]
    assert find_drop(days) is None
    still = find_drop(days, DAY - timedelta(days=20))
    assert still is not None
    assert still.change.own == -10.0


def test_the_larger_of_two_drops_is_told() -> None:
    days = [score(20, {"a": 55}), score(3, {"a": 70}), score(0, {"a": 50})]
    drop = find_drop(days, DAY - timedelta(days=20))
    assert drop is not None
    assert (drop.since, drop.change.own) == (DAY - timedelta(days=3), -20.0)


def test_a_drop_ends_when_the_points_are_back() -> None:
    since = DAY - timedelta(days=2)
    fallen = score(1, {"a": 50})
    assert find_drop([score(2, {"a": 60}), fallen, score(0, {"a": 59.4})], since) is not None
    assert find_drop([score(2, {"a": 60}), fallen, score(0, {"a": 59.6})], since) is None


def test_one_day_or_none_has_not_fallen() -> None:
    assert find_drop([]) is None
    assert find_drop([score(0, {"a": 1})]) is None


def test_a_band_tells_of_ten_at_least() -> None:
    assert band("x", [50.0] * 9) is None
    found = band("x", [float(number) for number in range(10, 120, 10)])  # 10 ... 110, eleven
    assert found is not None
    # thirds of three: 10, 20, 30 and 90, 100, 110; all: 60
    assert (found.lower, found.middle, found.upper, found.members) == (20, 60, 100, 10)


def test_no_value_of_one_tenant_can_be_read_from_a_band() -> None:
    values = [31.37, 32.41, 40.11, 44.97, 47.03, 52.59, 58.83, 61.17, 77.77, 93.31]
    found = band("x", values)
    assert found is not None
    told = {found.lower, found.middle, found.upper}
    assert told == {35, 54, 77}  # 34.63, 53.956, 77.4166...
    assert told & {round(one) for one in (values[0], values[-1])} == set()


@pytest.mark.parametrize(
    ("users", "name"),
    [(None, ""), (0, ""), (-3, ""), (1, "1 to 50"), (50, "1 to 50"), (51, "51 to 300"),
     (1000, "301 to 1,000"), (5000, "1,001 to 5,000"), (5001, "over 5,000")],
)  # fmt: skip
def test_sizes(users: int | None, name: str) -> None:
    assert band_of(users) == name


def test_the_standing_of_a_tenant() -> None:
    profiles = {name: Profile(name, f"Title {name}", most=20) for name in "abcd"}
    days = [score(7, {"a": 10}), score(0, {"a": 12, "b": 1, "c": 20, "d": 3})]
    found = standing(days, profiles)
    assert (found["day"], found["change_7"], found["change_30"]) == ("2026-11-20", 26.0, None)
    assert [(one["name"], one["points"]) for one in found["gaps"]] == [
        ("b", 19.0), ("d", 17.0), ("a", 8.0),
    ]  # fmt: skip
    assert found["open"] == 3
    assert standing([], profiles) == {}
