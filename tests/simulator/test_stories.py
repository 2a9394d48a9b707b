"""Stories: all evidence types and products, truth that fits, the same from the same seed."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import Simulator
from simulator.control import wait_for
from tests.simulator.conftest import Caller

PROVIDERS = {
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForIdentity",
    "microsoftDefenderForOffice365",
    "microsoftDefenderForCloudApps",
    "azureAdIdentityProtection",
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "dataLossPrevention",
}


@pytest.fixture(scope="module")
def alerts(sim: Simulator, graph: Caller) -> list[dict[str, Any]]:
    return graph.values("/v1.0/security/alerts_v2")


def truth_of(sim: Simulator, slug: str) -> dict[str, Any]:
    return next(one for one in sim.truth()["directories"].values() if one["slug"] == slug)


def test_a_first_look(alerts: list[dict[str, Any]]) -> None:
    assert 40 <= len(alerts) <= 75
    assert {row["serviceSource"] for row in alerts} >= PROVIDERS
    kinds = {item["@odata.type"] for row in alerts for item in row["evidence"]}
    assert len(kinds) == 48
    titles = " ".join(row["title"] for row in alerts)
    for part in ("Unfamiliar sign-in properties", "involving one user", " on ", "<", "="):
        assert part in titles
    names = {ord(letter) > 0x17F for row in alerts for letter in str(row["evidence"])}
    assert names == {True, False}


def test_dates_have_seven_digits_and_lie_in_order(alerts: list[dict[str, Any]]) -> None:
    now = datetime.now(UTC) + timedelta(minutes=1)
    for row in alerts:
        assert len(row["createdDateTime"]) == len("2026-11-20T08:00:00.1234567Z")
        assert row["firstActivityDateTime"] <= row["createdDateTime"] <= row["lastUpdateDateTime"]
        assert row["lastUpdateDateTime"] < f"{now:%Y-%m-%dT%H:%M:%S}"
        oldest = datetime.now(UTC) - timedelta(hours=53)
        assert row["createdDateTime"] > f"{oldest:%Y-%m-%dT%H:%M:%S}"


def test_truth_knows_every_alert(
    sim: Simulator, graph: Caller, alerts: list[dict[str, Any]]
) -> None:
    truth = truth_of(sim, graph.directory)
    assert {row["id"] for row in alerts} <= set(truth["alerts"])
    kinds = Counter(row["kind"] for row in truth["alerts"].values())
    assert kinds["attack"] > 20
    assert kinds["benign"] >= 2
    assert truth["same_event"]
    assert truth["belongs_together"]
    sources = {row["id"]: row["serviceSource"] for row in alerts}
    pairs = [{sources.get(key) for key in ids} for ids in truth["same_event"]]
    assert {"azureAdIdentityProtection", "microsoftDefenderForCloudApps"} in pairs


def test_harmless_alerts_have_a_sign_in_with_real_mfa(
    sim: Simulator, graph: Caller, alerts: list[dict[str, Any]]
) -> None:
    sign_ins = graph.values("/beta/auditLogs/signIns")
    truth = truth_of(sim, graph.directory)
    for row in alerts:
        if not truth["alerts"][row["id"]]["harmless"]:
            continue
        person = next(
            item["userAccount"]["azureAdUserId"]
            for item in row["evidence"]
            if "userAccount" in item
        )
        addresses = {item["ipAddress"] for item in row["evidence"] if "ipAddress" in item}
        proofs = [
            step["succeeded"]
            for record in sign_ins
            if record["userId"] == person and record["ipAddress"] in addresses
            for step in record["authenticationDetails"]
            if step["authenticationStepResultDetail"] == "MFA completed in Azure AD"
        ]
        assert proofs
        assert all(proofs)


def test_the_same_seed_tells_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = []
    for seed in (3, 3, 4):
        with Simulator(tmp_path_factory.mktemp("seed"), directories=1, seed=seed) as sim:
            truth = truth_of(sim, "contoso-bank")
            found.append((sim.tenants[0]["directory"], set(truth["alerts"])))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_every_story_can_be_told_at_once(sim: Simulator, empty: Caller) -> None:
    began = datetime.now(UTC)
    for name in sim.control.story_names(empty.directory):
        sim.control.tell(empty.directory, name)
    rows = empty.values("/v1.0/security/alerts_v2")
    assert len(rows) > 60
    late = f"{began - timedelta(seconds=5):%Y-%m-%dT%H:%M:%S}"
    assert min(row["lastUpdateDateTime"] for row in rows) > late
    incidents = {row["id"] for row in empty.values("/v1.0/security/incidents")}
    assert {row["incidentId"] for row in rows} == incidents


def test_a_paced_story_goes_on_by_itself(sim: Simulator, empty: Caller) -> None:
    sim.control.settings(live_scale=0.004)
    told = sim.control.tell(empty.directory, "repeated_detection", paced=True)
    sim.control.settings(live_scale=0.04)
    key = told["alerts"][0]["id"]

    def shown() -> bool:
        return key in {row["id"] for row in sim.control.alerts(empty.directory)}

    wait_for(shown, 60)
    first = sim.control.alert(empty.directory, key)
    wait_for(
        lambda: (
            sim.control.alert(empty.directory, key)["lastUpdateDateTime"]
            > first["lastUpdateDateTime"]
        ),
        60,
    )
