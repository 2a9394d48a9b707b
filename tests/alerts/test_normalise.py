"""alerts_v2 documents, as the vendor sends them and as nobody should."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.normalise import Unreadable, alerts_in, normalise
from alerts.normalise.shapes import SHAPES
from alerts.records import Kind, Severity
from tenants.documents import instant
from tests.payloads import load

EVERY_TYPE = load("microsoft/alerts_v2-all-48-evidence-types-constructed")["value"][0]
MDE = load("microsoft/alerts_v2-get-mde")
TIME = "2026-11-20T08:00:00Z"
INCIDENT = load("microsoft/incidents-list-expand-alerts")["value"][0]["alerts"][0]
SENTINEL = load("microsoft/alerts_v2-list-sentinel")["value"][0]
SAMPLES = [EVERY_TYPE, MDE, INCIDENT, SENTINEL]
ENUMS = load("microsoft/enums-v1.0-csdl")


def test_the_fields_of_an_alert() -> None:
    record = normalise(INCIDENT)
    assert record.provider_id == "da09e47ccc-b74a-45bb-985f-8d6c077b70b6_1"
    assert record.source == "alerts_v2"
    assert (record.severity, record.status) == (Severity.MEDIUM, "new")
    assert (record.classification, record.determination) == ("truePositive", "multiStagedAttack")
    assert record.service_source == record.detection_source == "microsoftDefenderForEndpoint"
    assert record.product == "Microsoft Defender for Endpoint"
    assert record.detector_id == "da88ec89-31c5-4864-8609-dce36e65bbc4"
    assert (record.categories, record.techniques) == (("Persistence",), ("T1546.003",))
    assert (record.incident_id, record.assigned_to) == ("29", "admin@contoso.com")
    assert record.updated_at == datetime(2026, 2, 25, 16, 29, 33, 100000, tzinfo=UTC)
    assert record.first_activity_at == datetime(2026, 1, 22, 12, 8, 16, 140401, tzinfo=UTC)
    assert record.resolved_at is None
    assert record.unread == ()


@pytest.mark.parametrize("field", ["status", "classification", "determination"])
def test_every_enum_member_is_kept(field: str) -> None:
    for member in ENUMS[f"microsoft.graph.security.alert{field.capitalize()}"]:
        expected = "unknown" if member == "unknownFutureValue" else member
        assert getattr(normalise(INCIDENT | {field: member.upper()}), field) == expected


@pytest.mark.parametrize("field", ["serviceSource", "detectionSource"])
def test_every_source_is_kept(field: str) -> None:
    for member in [*ENUMS[f"microsoft.graph.security.{field}"], "microsoftDefenderForTheMoon"]:
        record = normalise(INCIDENT | {field: member})
        assert member in (record.service_source, record.detection_source)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("severity", "catastrophic", Severity.UNKNOWN),
        ("severity", None, Severity.UNKNOWN),
        ("severity", ["high"], Severity.UNKNOWN),
        ("severity", " High ", Severity.HIGH),
        ("status", "unknownFutureValue", "unknown"),
        ("status", 7, "unknown"),
        ("determination", "clean", "notMalicious"),
        ("determination", "compromisedUser", "compromisedAccount"),
        ("determination", "", "unknown"),
        ("classification", None, "unknown"),
        ("title", None, ""),
        ("title", ["x"], ""),
        ("title", "a\u200bb\x00c", "abc"),
        ("title", 5, "5"),
        ("recommendedActions", ["one", None, "two"], "one\ntwo"),
        ("mitreTechniques", "t1546.003", ("T1546.003",)),
        ("mitreTechniques", ["T1", "anna@contoso.com", "T1003", "T1003", None], ("T1003",)),
        ("mitreTechniques", {}, ()),
        ("category", ["A", "B"], ("A", "B")),
        ("categories", [], ("Persistence",)),
        ("category", "anna@contoso.com", ()),
        ("category", "W11PRO-TEST stuff", ()),
        ("category", "x" * 200, ()),
        ("incidentId", 31, "31"),
        ("incidentId", "anna smith", ""),
        ("detectorId", "335b3ef544f5d3690b6c75c776dc3e52bb3485c4", ""),
        ("detectorId", "adminlocal", ""),
        ("productName", "<b>", ""),
        ("alertWebUrl", "javascript:alert(1)", ""),
        ("alertWebUrl", "http://security.microsoft.com", ""),
        ("evidence", None, ()),
        ("evidence", "text", ()),
        ("evidence", [None, 5, "x", []], ()),
    ],
)
def test_odd_values_are_taken_as_far_as_possible(field: str, value: Any, expected: Any) -> None:
    attribute = {
        "recommendedActions": "recommended_actions",
        "mitreTechniques": "techniques",
        "category": "categories",
        "incidentId": "incident_id",
        "detectorId": "detector_id",
        "productName": "product",
        "alertWebUrl": "alert_url",
        "evidence": "entities",
    }.get(field, field)
    assert getattr(normalise(INCIDENT | {field: value}), attribute) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T08:00:00Z", (8, 0, 0, 0)),
        ("2026-11-20T08:00:00.1Z", (8, 0, 0, 100000)),
        ("2026-11-20T08:00:00.1234567Z", (8, 0, 0, 123456)),
        ("2026-11-20T08:00:00.123456789Z", (8, 0, 0, 123456)),
        ("2026-11-20T08:00:00.0000000+00:00", (8, 0, 0, 0)),
        ("2026-11-20T10:30:00+02:30", (8, 0, 0, 0)),
        ("2026-11-20T00:00:00-0800", (8, 0, 0, 0)),
        ("2026-11-20t08:00:00z", (8, 0, 0, 0)),
        (" 2026-11-20 08:00 ", (8, 0, 0, 0)),
        ("2026-11-20", (0, 0, 0, 0)),
    ],
)
def test_times(text: str, expected: tuple[int, int, int, int]) -> None:
    hour, minute, second, micro = expected
    assert instant(text) == datetime(2026, 11, 20, hour, minute, second, micro, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [None, "", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
     "NaN", 1700000000, 1.5, float("nan"), [], {}, True, "2026-11-20T08:00:00Z" * 9,
     "2000-01-01T00:00:00+23:59", "\u0662\u0660\u0662\u0666-11-20T08:00:00Z"],
)  # fmt: skip
def test_malformed_times_are_no_times(value: Any) -> None:
    assert instant(value) is None
    assert normalise(INCIDENT | {"resolvedDateTime": value}).resolved_at is None


def test_one_usable_time_is_enough() -> None:
    record = normalise(INCIDENT | {"lastUpdateDateTime": "soon"})
    assert record.updated_at == record.created_at
    record = normalise(INCIDENT | {"createdDateTime": None})
    assert record.created_at == record.updated_at


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (None, "document"),
        ([INCIDENT], "document"),
        ({}, "id"),
        (INCIDENT | {"id": None}, "id"),
        (INCIDENT | {"id": " \u200b"}, "id"),
        (INCIDENT | {"id": {"a": 1}}, "id"),
        (INCIDENT | {"id": "anna@contoso.com"}, "id"),
        (INCIDENT | {"id": "a b"}, "id"),
        (INCIDENT | {"id": "/subscriptions/1/resourceGroups/anna/providers/x"}, "id"),
        ({"id": "7", "displayName": "of anna", "lastUpdateDateTime": TIME}, "document"),
        ({"id": "7", "alerts": [INCIDENT], "lastUpdateDateTime": TIME}, "document"),
        (INCIDENT | {"id": "x" * 201}, "id"),
        (INCIDENT | {"createdDateTime": "x", "lastUpdateDateTime": None}, "lastUpdateDateTime"),
    ],
)
def test_unreadable_documents_say_which_field_and_no_value(document: Any, field: str) -> None:
    with pytest.raises(Unreadable) as caught:
        normalise(document)
    assert caught.value.field == field
    assert "anna" not in str(caught.value)


def test_an_incident_gives_its_alerts() -> None:
    alone = {key: value for key, value in INCIDENT.items() if key != "incidentId"}
    given = {"id": "7", "displayName": "x"}
    assert alerts_in({**given, "alerts": [alone, INCIDENT]}) == [
        {**alone, "incidentId": "7"}, INCIDENT,
    ]  # fmt: skip
    assert alerts_in({**given, "alerts": alone}) == [{**alone, "incidentId": "7"}]
    for as_it_is in (given, {**given, "alerts": None}, INCIDENT, None, [INCIDENT]):
        assert alerts_in(as_it_is) == [as_it_is]


def test_all_48_types_are_understood() -> None:
    record = normalise(EVERY_TYPE)
    assert record.unread == ()
    kinds = {entity.kind for entity in record.entities}
    assert kinds >= set(Kind) - {Kind.UNKNOWN, Kind.VULNERABILITY}
    assert Kind.UNKNOWN not in kinds


@pytest.mark.parametrize("evidence", EVERY_TYPE["evidence"], ids=lambda e: e["@odata.type"][26:])
def test_each_type_by_itself(evidence: dict[str, Any]) -> None:
    assert evidence["@odata.type"].removeprefix("#microsoft.graph.security.") in SHAPES
    (first, *_) = normalise(SENTINEL | {"evidence": [evidence]}).entities
    assert (first.verdict, first.remediation) == ("suspicious", "active")
    assert first.roles == ("compromised",)
    assert first.name
    assert all(":" in key for key in first.identity)
    # the single object where a list is expected, and other letter case of the type
    odd = evidence | {"@odata.type": evidence["@odata.type"].lower()}
    assert normalise(SENTINEL | {"evidence": odd}).entities[0] == first


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(data=st.data(), sample=st.sampled_from(SAMPLES))
def test_any_change_of_a_document_is_read_or_refused(data: st.DataObject, sample: Any) -> None:
    """Swap values anywhere in a real document for anything that JSON can hold."""
    document = deepcopy(sample)
    if document["evidence"]:
        document["evidence"] = [data.draw(st.sampled_from(document["evidence"]))]
    for _ in range(data.draw(st.integers(1, 4))):
        place: Any = document
        while isinstance(place, (dict, list)) and place:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], (dict, list)) or data.draw(st.booleans()):
                place[key] = data.draw(json_values)
                break
            place = place[key]
    try:
        record = normalise(document)
    except Unreadable:
        return
    assert all(entity.identity for entity in record.entities)
    assert record.updated_at.tzinfo is UTC
