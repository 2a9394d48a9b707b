"""Documents in open schemas, held against what the schemas say: attributes, types, enumerations."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csc_portal.api.formats.documents import AlertDocument, CaseDocument, Thing
from csc_portal.api.formats.ecs import alert_document, case_document
from csc_portal.api.formats.ocsf import detection_finding, incident_finding

# Attribute -> (type, is required, allowed numbers). From the published schema of OCSF 1.3.0:
# base_event, finding, detection_finding, incident_finding, the profile incident, and the objects.
ACTIVITY = {0, 1, 2, 3, 99}
BASE: dict[str, tuple[type, bool, set[int] | None]] = {
    "activity_id": (int, True, ACTIVITY),
    "activity_name": (str, False, None),
    "category_uid": (int, True, {2}),
    "category_name": (str, False, None),
    "class_name": (str, False, None),
    "severity_id": (int, True, {0, 1, 2, 3, 4, 5, 6, 99}),
    "severity": (str, False, None),
    "type_uid": (int, True, None),
    "time": (int, True, None),
    "metadata": (dict, True, None),
    "message": (str, False, None),
    "status": (str, False, None),
    "start_time": (int, False, None),
    "end_time": (int, False, None),
    "observables": (list, False, None),
}
INCIDENT_PROFILE: dict[str, tuple[type, bool, set[int] | None]] = {
    "verdict_id": (int, False, {*range(11), 99}),
    "verdict": (str, False, None),
}
CLASSES: dict[int, dict[str, tuple[type, bool, set[int] | None]]] = {
    2004: BASE
    | INCIDENT_PROFILE
    | {
        "class_uid": (int, True, {2004}),
        "finding_info": (dict, True, None),
        "status_id": (int, False, {0, 1, 2, 3, 4, 5, 6, 99}),
    },
    2005: BASE
    | INCIDENT_PROFILE
    | {
        "class_uid": (int, True, {2005}),
        "finding_info_list": (list, True, None),
        "status_id": (int, True, {0, 1, 2, 3, 4, 5, 99}),
        "desc": (str, False, None),
        "priority_id": (int, False, {0, 1, 2, 3, 4, 99}),
        "priority": (str, False, None),
        "assignee_group": (dict, False, None),
        "ticket": (dict, False, None),
    },
}
OBJECTS: dict[str, dict[str, tuple[type, bool, set[int] | None]]] = {
    "metadata": {
        "version": (str, True, None),
        "product": (dict, True, None),
        "profiles": (list, False, None),
        "tenant_uid": (str, False, None),
        "correlation_uid": (str, False, None),
    },
    "product": {"vendor_name": (str, True, None), "name": (str, False, None)},
    "finding_info": {
        "uid": (str, True, None),
        "title": (str, True, None),
        "types": (list, False, None),
        "attacks": (list, False, None),
        "data_sources": (list, False, None),
        "related_events_count": (int, False, None),
        "product": (dict, False, None),
        "analytic": (dict, False, None),
        "created_time": (int, False, None),
        "modified_time": (int, False, None),
        "first_seen_time": (int, False, None),
        "last_seen_time": (int, False, None),
    },
    "analytic": {
        "type_id": (int, True, {0, 1, 2, 3, 4, 5, 6, 7, 8, 99}),
        "type": (str, False, None),
        "uid": (str, False, None),
    },
    "observable": {
        "name": (str, True, None),
        "type_id": (int, True, {*range(48), 99}),
        "type": (str, False, None),
        "value": (str, False, None),
    },
    "attack": {
        "tactic": (dict, False, None),
        "technique": (dict, False, None),
        "sub_technique": (dict, False, None),
    },
    "mitre": {"uid": (str, True, None), "name": (str, False, None), "src_url": (str, False, None)},
}


def meets(document: dict[str, Any], facts: dict[str, tuple[type, bool, set[int] | None]]) -> None:
    assert document.keys() <= facts.keys(), document.keys() - facts.keys()
    for name, (kind, required, numbers) in facts.items():
        assert name in document or not required, name
        if name in document:
            assert type(document[name]) is kind, name
            assert numbers is None or document[name] in numbers, name


def check_ocsf(event: dict[str, Any]) -> None:
    meets(event, CLASSES[event["class_uid"]])
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["time"] > 1e12, "milliseconds"
    meets(event["metadata"], OBJECTS["metadata"])
    meets(event["metadata"]["product"], OBJECTS["product"])
    if event["class_uid"] == 2005:
        assert event["assignee_group"]["name"], "at least one of assignee, assignee_group"
    elif "verdict_id" in event:
        assert event["metadata"]["profiles"] == ["incident"]
    for info in event.get("finding_info_list") or [event["finding_info"]]:
        meets(info, OBJECTS["finding_info"])
        if "product" in info:
            meets(info["product"], OBJECTS["product"])
        if "analytic" in info:
            meets(info["analytic"], OBJECTS["analytic"])
        for attack in info["attacks"]:
            assert attack, "at least one of tactic, technique, sub_technique"
            meets(attack, OBJECTS["attack"])
            for part in attack.values():
                meets(part, OBJECTS["mitre"])
    for one in event["observables"]:
        meets(one, OBJECTS["observable"])


TIMES = st.datetimes(
    datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip
WORDS = st.text(max_size=20)
THINGS = st.lists(
    st.builds(Thing, st.sampled_from(["user", "ip", "device", "file", "unknown"]), st.uuids()),
    max_size=3,
)
CATEGORIES = st.sampled_from(["InitialAccess", "Lateral movement", "Malware", ""])
VERDICTS = st.sampled_from(
    ["", "truePositive", "falsePositive", "informationalExpectedActivity", "new word"]
)
CASES = st.builds(
    CaseDocument, st.uuids(), st.integers(1), WORDS, WORDS, CATEGORIES, WORDS, st.integers(0, 2),
    st.integers(0, 4), st.integers(0, 100), VERDICTS, WORDS, st.integers(0, 150), THINGS, TIMES,
    TIMES, TIMES, TIMES,
)  # fmt: skip
TECHNIQUES = st.lists(st.sampled_from(["T1078", "T1078.004", "T1110"]), max_size=3, unique=True)
ALERTS = st.builds(
    AlertDocument, WORDS, st.none() | st.uuids(), WORDS, WORDS, CATEGORIES, TECHNIQUES, WORDS,
    WORDS, WORDS, st.integers(0, 4), st.sampled_from(["new", "inProgress", "resolved", "odd"]),
    VERDICTS, THINGS, TIMES, TIMES, TIMES, TIMES,
)  # fmt: skip


@given(CASES)
def test_a_case_is_an_incident_finding(case: CaseDocument) -> None:
    check_ocsf(incident_finding(case))


@given(ALERTS)
def test_an_alert_is_a_detection_finding(alert: AlertDocument) -> None:
    check_ocsf(detection_finding(alert))


# Of ECS 8.11: fields that we set, and what their types and lists of allowed values are.
ECS_KIND = {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"}


def check_ecs(document: dict[str, Any]) -> None:
    assert datetime.fromisoformat(document["@timestamp"]).tzinfo
    assert document["ecs"]["version"].count(".") == 2
    event = document["event"]
    assert event["kind"] in ECS_KIND
    # The only types that ECS expects of the category intrusion_detection.
    assert event["category"] == ["intrusion_detection"]
    assert set(event["type"]) <= {"allowed", "denied", "info"}
    assert type(event["severity"]) is int
    for name in ("created", "start", "end"):
        assert datetime.fromisoformat(event[name])
    assert set(document["related"]) <= {"user", "hosts", "ip", "hash"}
    for address in document["related"].get("ip", ()):
        ip_address(address)
    threat = document.get("threat", {})
    assert set(threat) <= {"framework", "tactic", "technique"}
    for part in ("tactic", "technique"):
        assert all(isinstance(one, str) for one in threat.get(part, {}).get("id", ()))
    assert isinstance(document["message"], str)


@given(CASES)
def test_a_case_is_a_document_of_ecs(case: CaseDocument) -> None:
    document = case_document(case)
    check_ecs(document)
    assert type(document["event"]["risk_score"]) is float  # type: ignore[index]


@given(ALERTS)
def test_an_alert_is_a_document_of_ecs(alert: AlertDocument) -> None:
    document: Any = alert_document(alert)
    check_ecs(document)
    assert isinstance(document["rule"]["name"], str)


AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def a_case(**changes: Any) -> CaseDocument:
    values: dict[str, Any] = {
        "public_id": uuid.UUID(int=7), "number": 7, "tenant": "qa", "title": "Odd sign-in",
        "category": "InitialAccess", "source": "azureAdIdentityProtection", "status": 0,
        "severity": 4, "priority": 80, "verdict": "", "ticket": "", "alert_count": 2,
        "things": [Thing("user", uuid.UUID(int=5 << 98)), Thing("ip", uuid.UUID(int=6 << 98))],
        "first_activity_at": AT, "last_activity_at": AT, "opened_at": AT, "changed_at": AT,
    }  # fmt: skip
    return CaseDocument(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "activity", "status"),
    [
        ({}, 1, 1),
        ({"changed_at": AT + timedelta(hours=1)}, 2, 1),
        ({"status": 1, "changed_at": AT + timedelta(hours=1)}, 2, 2),
        ({"status": 2, "changed_at": AT + timedelta(hours=1)}, 3, 4),
    ],
)
def test_what_happened_to_a_case(changes: dict[str, Any], activity: int, status: int) -> None:
    found = incident_finding(a_case(**changes))
    assert (found["activity_id"], found["type_uid"]) == (activity, 200500 + activity)
    assert found["status_id"] == status


def test_things_are_pseudonyms_of_no_promised_type() -> None:
    case = a_case()
    (person, address), found = case.things, incident_finding(case)
    assert found["observables"] == [
        {"name": "csc.user", "type_id": 99, "type": "Pseudonym", "value": str(person.pseudonym)},
        {"name": "csc.ip", "type_id": 99, "type": "Pseudonym", "value": str(address.pseudonym)},
    ]
    related = case_document(case)["related"]
    assert related == {"user": [str(person.pseudonym)], "hosts": []}


def test_a_tactic_is_told_by_its_id() -> None:
    found: Any = incident_finding(a_case())
    assert found["finding_info_list"][0]["attacks"] == [
        {"tactic": {"uid": "TA0001", "name": "Initial Access"}}
    ]
    assert "threat" not in case_document(a_case(category="Malware"))
