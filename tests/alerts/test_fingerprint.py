"""A fingerprint changes with what matters and with nothing else."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.fingerprint import fingerprint
from alerts.normalise import normalise
from tests.payloads import load

ALERT = load("microsoft/incidents-list-expand-alerts")["value"][0]["alerts"][0]


def of(document: dict[str, Any], key: bytes = b"") -> bytes:
    return fingerprint(normalise(document), key)


def test_it_has_16_bytes_and_is_stable() -> None:
    assert len(of(ALERT)) == 16
    assert of(ALERT) == of(deepcopy(ALERT))


@given(order=st.permutations(range(len(ALERT["evidence"]))))
def test_the_order_of_evidence_does_not_matter(order: list[int]) -> None:
    shuffled = ALERT | {"evidence": [ALERT["evidence"][index] for index in order]}
    assert of(shuffled) == of(ALERT)
    assert of(shuffled, b"key") == of(ALERT, b"key")


@pytest.mark.parametrize(
    "echo",
    [
        {"lastUpdateDateTime": "2026-03-01T00:00:00Z"},
        {"assignedTo": "soc@provider.example"},
        {"comments": [{"comment": "closed by the portal"}]},
        {"customDetails": {"csc": "1"}},
        {"description": "reworded"},
    ],
)
def test_the_echo_of_a_write_back_changes_nothing(echo: dict[str, Any]) -> None:
    assert of(ALERT | echo) == of(ALERT)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "resolved"},
        {"severity": "high"},
        {"classification": "falsePositive"},
        {"incidentId": "30"},
        {"mitreTechniques": ["T1001"]},
        {"evidence": ALERT["evidence"][:2]},
        {"resolvedDateTime": "2026-03-01T00:00:00Z"},
    ],
)
def test_news_change_it(change: dict[str, Any]) -> None:
    assert of(ALERT | change) != of(ALERT)


def test_names_count_only_under_a_key() -> None:
    other = deepcopy(ALERT)
    other["evidence"][1]["userAccount"]["userSid"] = "S-1-5-21-9-9-9-9"
    other["evidence"][1]["userAccount"]["accountName"] = "someoneelse"
    for process in other["evidence"][3:]:
        process["userAccount"] = other["evidence"][1]["userAccount"]
    assert of(other) == of(ALERT)
    assert of(other, b"k" * 80) != of(ALERT, b"k" * 80)
    assert of(ALERT, b"one") != of(ALERT, b"two")
