"""Which two alerts report one thing, and the classes that say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.overlap import BadClass, Classifier, Report, as_body, match, read_class, squeezed
from alerts.overlap_defaults import DEFAULTS

NOW = datetime(2026, 11, 20, tzinfo=UTC)
USER = frozenset({"user"})
CLASSIFIER = Classifier(DEFAULTS)
IDP, MDCA, MDE = (
    "azureAdIdentityProtection", "microsoftDefenderForCloudApps", "microsoftDefenderForEndpoint"
)  # fmt: skip


def report(key: int, source: str = IDP, title: str = "Atypical travel", **more: object) -> Report:
    values: dict[str, object] = {
        "provider_id": f"p{key}",
        "detector": "",
        "created_at": NOW + timedelta(minutes=key),
        "severity": 3,
        "classes": CLASSIFIER.classes_of(source, "", "", title),
        "names": frozenset({1}),
    }
    return Report(key=key, source=source, title=title, **{**values, **more})  # type: ignore[arg-type]


def found(one: Report, other: Report, minutes: float = 5, kinds: frozenset[str] = USER):
    return match(one, other, timedelta(minutes=minutes), kinds, CLASSIFIER.classes)


@pytest.mark.parametrize(
    ("source", "detection", "detector", "title", "name"),
    [
        (IDP, "", "", "Unfamiliar sign-in properties", "odd_sign_in"),
        (IDP, "", "", "Unfamiliar sign-in properties involving one user", "odd_sign_in"),
        ("microsoftSentinel", "", "unfamiliarFeatures", "My rule", "odd_sign_in"),
        (MDCA, "cloudAppSecurity", "", "Activity from infrequent country", "odd_sign_in"),
        ("unknown", "cloudAppSecurity", "", "Impossible travel activity", "odd_sign_in"),
        (MDE, "", "", "Sensitive credential memory read", "credential_dump"),
        (IDP, "", "anomalousToken", "Anomalous Token", "stolen_token"),
    ],
)
def test_detections_are_found_by_product_and_name(source, detection, detector, title, name) -> None:
    assert name in CLASSIFIER.classes_of(source, detection, detector, title)


def test_the_same_words_of_another_product_are_no_member() -> None:
    assert "odd_sign_in" not in CLASSIFIER.classes_of(MDE, "", "", "Atypical travel")


def test_two_products_about_one_person_are_one_report() -> None:
    one, other = report(1), report(2, MDCA, "Impossible travel activity")
    told = found(one, other)
    assert told
    assert (told.first, told.later, told.how, told.name) == (1, 2, "class", "odd_sign_in")
    assert found(other, one) == told
    assert not told.is_certain


def test_not_with_another_person_time_class_or_product() -> None:
    one, other = report(1), report(2, MDCA, "Impossible travel activity")
    assert found(one, other, kinds=frozenset({"ip"})) is None
    assert found(one, other, minutes=121) is None
    assert found(one, report(2, MDCA, "Mass download")) is None
    assert found(one, report(2, IDP, "New country")) is None


def test_addresses_that_differ_are_two_sign_ins() -> None:
    one = report(1, places=frozenset({7}))
    other = report(2, MDCA, "Impossible travel activity", places=frozenset({8}))
    assert found(one, other) is None
    both = frozenset({"user", "ip"})
    same = report(2, MDCA, "Impossible travel activity", places=frozenset({7, 8}))
    assert found(one, same, kinds=both).is_certain


def test_an_alert_issued_again_under_a_new_id() -> None:
    assert found(report(1), report(2)).how == "reissued"
    assert found(report(1), report(2), minutes=31) is None
    assert found(report(1), report(2, names=frozenset({1, 2}))) is None
    assert found(report(1, names=frozenset()), report(2, names=frozenset())) is None


def test_one_alert_under_the_ids_of_two_products() -> None:
    number = "637578509832103450_-1894372919"
    one = report(1, provider_id="daabcdef0123456789abcdef_1")
    other = report(2, MDE, "Something", provider_id="caabcdef0123456789abcdef_1")
    assert found(one, other, minutes=9999, kinds=frozenset()).how == "same_id"
    assert found(one, report(2, MDE, "Something", provider_id=f"da{number}")) is None


def test_a_worse_report_says_so() -> None:
    assert found(report(1), report(2, severity=4)).is_worse
    assert not found(report(1), report(2)).is_worse


@given(st.integers(0, 300), st.integers(1, 4), st.integers(1, 4), st.sampled_from([IDP, MDCA]))
def test_the_order_of_the_two_does_not_matter(
    minutes, one_severity, other_severity, source
) -> None:
    one = report(1, severity=one_severity)
    other = report(2, source, "Impossible travel activity", severity=other_severity)
    assert found(one, other, minutes) == found(other, one, minutes)


@pytest.mark.parametrize("kind", DEFAULTS.values(), ids=lambda kind: kind.name)
def test_our_defaults_are_valid_and_come_back_from_their_document(kind) -> None:
    assert read_class(kind.name, as_body(kind)) == kind
    assert kind.label.strip()
    assert len({source for group in kind.members for source in group.sources}) > 1


GOOD = as_body(DEFAULTS["dcsync"])


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("Bad Name", GOOD, "small letters"),
        ("good", [], "object"),
        ("good", {**GOOD, "extra": 1}, "no field 'extra'"),
        ("good", {**GOOD, "label": ""}, "label"),
        ("good", {**GOOD, "window_min": 0}, "minutes"),
        ("good", {**GOOD, "window_min": True}, "minutes"),
        ("good", {**GOOD, "window_min": 5000}, "minutes"),
        ("good", {**GOOD, "ties": ["ip"]}, "can't tie"),
        ("good", {**GOOD, "ties": []}, "ties"),
        ("good", {**GOOD, "members": []}, "groups of detections"),
        ("good", {**GOOD, "members": [{"sources": ["x"]}]}, "sources and names"),
        ("good", {**GOOD, "members": [{"sources": ["x"], "names": ["*"]}]}, "too much"),
        ("good", {**GOOD, "members": [{"sources": ["x"], "names": ["a*b*c*d*efgh"]}]}, "stars"),
        ("good", {**GOOD, "members": [{"sources": [7], "names": ["abcdef"]}]}, "text"),
        ("good", {**GOOD, "is_active": "yes"}, "true or false"),
    ],
)
def test_what_a_class_can_not_be_is_said_in_a_sentence(name, body, sentence) -> None:
    with pytest.raises(BadClass, match=sentence):
        read_class(name, body)


def test_a_class_that_is_off_holds_nothing() -> None:
    off = read_class("dcsync", {**GOOD, "is_active": False})
    source, title = "microsoftDefenderForIdentity", "Suspected DCSync attack (replication)"
    assert "dcsync" in CLASSIFIER.classes_of(source, "", "", title)
    assert not Classifier({"dcsync": off}).classes_of(source, "", "", title)


def test_squeezed() -> None:
    assert squeezed("Unfamiliar sign-in *") == "unfamiliarsignin*"
