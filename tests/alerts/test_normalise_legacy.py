"""The retired legacy alert."""

from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.normalise import Unreadable, normalise
from alerts.records import Kind, Severity
from tests.payloads import load

ALERT: dict[str, Any] = {
    "id": "2517530300",
    "azureTenantId": "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c",
    "title": "Unfamiliar sign-in properties",
    "category": "UnfamiliarLocation",
    "severity": "medium",
    "status": "newAlert",
    "feedback": None,
    "createdDateTime": "2021-04-27T12:19:27.7211305Z",
    "eventDateTime": "2021-04-27T12:00:00Z",
    "lastModifiedDateTime": "2021-04-28T00:00:00Z",
    "closedDateTime": None,
    "incidentIds": ["29", "30"],
    "recommendedActions": ["Ask the user.", "Reset the password."],
    "sourceMaterials": ["http://x", "https://portal.azure.com/alert/1"],
    "comments": ["ask Carol"],
    "vendorInformation": {"provider": "IPC", "vendor": "Microsoft", "subProvider": None},
    "userStates": [
        {
            "aadUserId": "22222222-3333-4444-5555-666666666666",
            "accountName": "anna",
            "domainName": "contoso.com",
            "userPrincipalName": "Anna@contoso.com",
            "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-4",
            "logonIp": "198.51.100.7",
        }
    ],
    "hostStates": [{"fqdn": "SRV01.contoso.com", "netBiosName": "SRV01"}],
    "fileStates": [
        {"name": "a.exe", "path": "C:\\x", "fileHash": {"hashType": "sha256", "hashValue": "AB"}}
    ],
    "cloudAppStates": [{"destinationServiceName": "Box", "destinationServiceIp": "198.51.100.9"}],
    "networkConnections": [
        {
            "sourceAddress": "10.0.0.1",
            "destinationAddress": "10.0.0.2",
            "destinationDomain": "evil.example",
            "destinationUrl": "https://evil.example/a",
        }
    ],
    "processes": [{"name": "a.exe", "processId": 4780, "accountName": "CONTOSO\\bob"}],
    "malwareStates": [{"name": "Emotet"}],
    "registryKeyStates": [{"hive": "localMachineSoftware", "key": "Run", "valueName": "x"}],
    "securityResources": [{"resource": "/subscriptions/1/x", "resourceType": "attacked"}],
    "messageSecurityStates": [{"networkMessageId": "M1", "messageSubject": "Hi"}],
    "uriClickSecurityStates": [{"uriDomain": "click.example"}],
    "vulnerabilityStates": [{"cve": "CVE-2021-1"}],
}


def test_the_fields_of_a_legacy_alert() -> None:
    record = normalise(ALERT)
    assert (record.source, record.provider_id) == ("legacy", "2517530300")
    assert (record.severity, record.status) == (Severity.MEDIUM, "new")
    assert record.service_source == "azureAdIdentityProtection"
    assert record.product == "Microsoft Entra ID Protection"
    assert (record.incident_id, record.categories) == ("29", ("UnfamiliarLocation",))
    assert record.recommended_actions == "Ask the user.\nReset the password."
    assert record.alert_url == "https://portal.azure.com/alert/1"
    assert record.updated_at == datetime(2021, 4, 28, tzinfo=UTC)
    assert record.first_activity_at == datetime(2021, 4, 27, 12, tzinfo=UTC)
    assert "ask Carol" in record.sensitive


def test_every_state_collection_is_read() -> None:
    record = normalise(ALERT)
    assert record.unread == ()
    keys = {(entity.kind, entity.identity[0]) for entity in record.entities}
    assert keys >= {
        (Kind.USER, "oid:22222222-3333-4444-5555-666666666666"),
        (Kind.IP, "ip:198.51.100.7"),
        (Kind.DEVICE, "dns:srv01.contoso.com"),
        (Kind.FILE, "sha256:ab"),
        (Kind.CLOUD_APP, "name:box"),
        (Kind.NETWORK_CONNECTION, "connection:|10.0.0.1||10.0.0.2|"),
        (Kind.DOMAIN, "domain:evil.example"),
        (Kind.URL, "url:https://evil.example/a"),
        (Kind.PROCESS, "process:|4780|"),
        (Kind.USER, "ad:contoso\\bob"),
        (Kind.MALWARE, "name:emotet"),
        (Kind.REGISTRY, "registry:localmachinesoftware\\run\\x"),
        (Kind.CLOUD_RESOURCE, "arm:/subscriptions/1/x"),
        (Kind.MAIL, "nmid:m1"),
        (Kind.DOMAIN, "domain:click.example"),
        (Kind.VULNERABILITY, "cve:cve-2021-1"),
    }


@pytest.mark.parametrize(
    ("change", "status", "classification"),
    [
        ({"status": "newAlert"}, "new", "unknown"),
        ({"status": "inProgress"}, "inProgress", "unknown"),
        ({"status": "resolved", "feedback": "truePositive"}, "resolved", "truePositive"),
        (
            {"status": "resolved", "feedback": "benignPositive"},
            "resolved",
            "informationalExpectedActivity",
        ),
        ({"status": "dismissed"}, "resolved", "falsePositive"),
        ({"status": "dismissed", "feedback": "truePositive"}, "resolved", "truePositive"),
        ({"status": "somethingNew", "feedback": "x"}, "unknown", "unknown"),
    ],
)
def test_status_and_feedback(change: Any, status: str, classification: str) -> None:
    record = normalise(ALERT | change)
    assert (record.status, record.classification) == (status, classification)


@pytest.mark.parametrize(
    ("provider", "service"),
    [
        ("MCAS", "microsoftDefenderForCloudApps"),
        ("ASC", "microsoftDefenderForCloud"),
        ("Azure Sentinel", "microsoftSentinel"),
        ("Microsoft Defender ATP", "microsoftDefenderForEndpoint"),
        ("Azure Advanced Threat Protection", "microsoftDefenderForIdentity"),
        ("Office 365 Security and Compliance", "microsoftDefenderForOffice365"),
        ("Palo Alto Networks", "unknown"),
        (None, "unknown"),
    ],
)
def test_providers(provider: Any, service: str) -> None:
    record = normalise(ALERT | {"vendorInformation": {"provider": provider}})
    assert record.service_source == service


@pytest.mark.parametrize("odd", [None, [], {}, "x", [None], [[]], 5, {"provider": []}])
def test_odd_collections_are_no_obstacle(odd: Any) -> None:
    for field, value in ALERT.items():
        if isinstance(value, (list, dict)):
            assert normalise(ALERT | {field: odd}).provider_id == "2517530300"


@pytest.mark.parametrize(
    "name",
    [
        "legacy-alert-get",
        "legacy-alert-get-beta",
        "legacy-alert-list",
        "legacy-alert-schema-skeleton",
    ],
)
def test_documents_with_type_names_for_values_are_unreadable(name: str) -> None:
    document = load(f"microsoft/{name}")
    (first, *_) = document.get("value", [document])
    with pytest.raises(Unreadable):
        normalise(first)
    # With an id it is the times that are missing.
    with pytest.raises(Unreadable, match="lastModifiedDateTime"):
        normalise(first | {"id": "1"})


def test_a_skeleton_with_id_and_time_is_taken_as_far_as_possible() -> None:
    document = load("microsoft/legacy-alert-get") | {
        "id": "1",
        "eventDateTime": "2021-04-27T12:00:00Z",
    }
    record = normalise(document)
    assert (record.severity, record.status) == (Severity.UNKNOWN, "unknown")
    assert record.entities
