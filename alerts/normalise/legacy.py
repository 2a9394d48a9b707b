"""The retired Graph `/security/alerts` document to AlertRecord, for old exports."""

from collections.abc import Mapping

from alerts.normalise.entities import Entities
from alerts.normalise.enums import HARMLESS_VALUES, SEVERITIES, members
from alerts.normalise.fields import (
    Unreadable,
    enum_value,
    https_url,
    incident_id,
    leaves,
    paragraphs,
    provider_id,
    without,
)
from alerts.records import AlertRecord, Severity
from alerts.scrub import clean_metadata
from tenants.documents import instant, objects, raw, strings, text

_STATES = {
    "userStates": "userState",
    "hostStates": "hostState",
    "fileStates": "fileState",
    "cloudAppStates": "cloudAppState",
    "networkConnections": "networkConnection",
    "processes": "process",
    "malwareStates": "malwareState",
    "registryKeyStates": "registryKeyState",
    "securityResources": "securityResource",
    "messageSecurityStates": "messageSecurityState",
    "uriClickSecurityStates": "uriClickSecurityState",
    "vulnerabilityStates": "vulnerabilityState",
}
_STATUSES = members("new", "inProgress", "resolved", newAlert="new", dismissed="resolved")
_FEEDBACK = members("truePositive", "falsePositive", benignPositive="informationalExpectedActivity")
# vendorInformation.provider -> serviceSource of alerts_v2 and product name
_PROVIDERS = {
    "ipc": ("azureAdIdentityProtection", "Microsoft Entra ID Protection"),
    "mcas": ("microsoftDefenderForCloudApps", "Microsoft Defender for Cloud Apps"),
    "asc": ("microsoftDefenderForCloud", "Microsoft Defender for Cloud"),
    "azure sentinel": ("microsoftSentinel", "Microsoft Sentinel"),
    "microsoft defender atp": ("microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint"),
    "windowsdefenderatp": ("microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint"),
    "azure advanced threat protection": (
        "microsoftDefenderForIdentity",
        "Microsoft Defender for Identity",
    ),
    "office 365 security and compliance": (
        "microsoftDefenderForOffice365",
        "Microsoft Defender for Office 365",
    ),
    "microsoft 365 defender": ("microsoft365Defender", "Microsoft Defender XDR"),
}
_HARMLESS_FIELDS = frozenset({
    "@odata.type", "@odata.context", "id", "title", "description", "recommendedActions",
    "category", "severity", "status", "feedback", "confidence", "createdDateTime",
    "eventDateTime", "lastEventDateTime", "lastModifiedDateTime", "closedDateTime",
    "vendorInformation", "sourceMaterials", "incidentIds",
})  # fmt: skip


def normalise_legacy(document: Mapping[str, object]) -> AlertRecord:
    """Read one legacy alert. Unreadable if its id or all its times are missing or malformed."""
    given_id = provider_id(document.get("id"))
    happened = instant(document.get("eventDateTime"))
    created = instant(document.get("createdDateTime")) or happened
    updated = instant(document.get("lastModifiedDateTime")) or created
    if updated is None:
        raise Unreadable("lastModifiedDateTime", "is missing or no time, and so is createdDateTime")
    entities = Entities()
    for field, expected in _STATES.items():
        for state in objects(document.get(field)):
            plain = {key: value for key, value in state.items() if key != "@odata.type"}
            entities.add(plain, expected)
    sensitive = leaves(without(document, _HARMLESS_FIELDS), HARMLESS_VALUES)
    vendor = next(iter(objects(document.get("vendorInformation"))), {})
    provider = text(vendor.get("provider"))
    service, product = _PROVIDERS.get(provider.casefold(), ("unknown", provider))
    stored = clean_metadata(
        {
            "product": [product],
            "detection": [text(vendor.get("subProvider"))],
            "categories": strings(document.get("category")),
            "unread": list(entities.unread),
        },
        sensitive,
    )
    return AlertRecord(
        provider_id=given_id,
        source="legacy",
        title=text(document.get("title")),
        description=raw(document.get("description")),
        recommended_actions=paragraphs(document.get("recommendedActions")),
        severity=Severity(enum_value(document.get("severity"), SEVERITIES)),
        status=enum_value(document.get("status"), _STATUSES),
        classification=_classification(document),
        determination="unknown",
        service_source=service,
        detection_source="".join(stored["detection"]),
        product="".join(stored["product"]),
        detector_id="",
        categories=stored["categories"],
        techniques=(),
        incident_id=incident_id(next(iter(strings(document.get("incidentIds"))), ""), sensitive),
        incident_url="",
        alert_url=next(filter(None, map(https_url, strings(document.get("sourceMaterials")))), ""),
        assigned_to=text(document.get("assignedTo")),
        created_at=created or updated,
        updated_at=updated,
        first_activity_at=happened,
        last_activity_at=instant(document.get("lastEventDateTime")) or happened,
        resolved_at=instant(document.get("closedDateTime")),
        entities=entities.records(),
        sensitive=sensitive,
        unread=stored["unread"],
    )


def _classification(document: Mapping[str, object]) -> str:
    """The feedback; a dismissed alert without any was a false positive."""
    found = enum_value(document.get("feedback"), _FEEDBACK)
    dismissed = text(document.get("status")).casefold() == "dismissed"
    return "falsePositive" if dismissed and found == "unknown" else found
