"""Members of the security enums, and which of them show only with a header."""

from collections.abc import Mapping
from typing import Any

SEVERITY = ("unknown", "informational", "low", "medium", "high")
STATUS = ("unknown", "new", "inProgress", "resolved")
INCIDENT_STATUS = ("active", "resolved", "inProgress", "redirected", "awaitingAction")
CLASSIFICATION = ("unknown", "falsePositive", "truePositive", "informationalExpectedActivity")
DETERMINATION = (
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
)
SERVICE_SOURCE = (
    "unknown",
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForIdentity",
    "microsoftDefenderForCloudApps",
    "microsoftDefenderForOffice365",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "microsoftAppGovernance",
    "dataLossPrevention",
    "unknownFutureValue",
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftSecurityForAI",
)
# Members behind unknownFutureValue: sent only with `Prefer: include-unknown-enum-members`.
GATED: dict[str, frozenset[str]] = {
    "serviceSource": frozenset(SERVICE_SOURCE[10:]),
    "detectionSource": frozenset(
        (
            "microsoftDefenderForCloud",
            "microsoftDefenderForIoT",
            "microsoftDefenderForServers",
            "microsoftDefenderForStorage",
            "microsoftDefenderForDNS",
            "microsoftDefenderForDatabases",
            "microsoftDefenderForContainers",
            "microsoftDefenderForNetwork",
            "microsoftDefenderForAppService",
            "microsoftDefenderForKeyVault",
            "microsoftDefenderForResourceManager",
            "microsoftDefenderForApiManagement",
            "nrtAlerts",
            "scheduledAlerts",
            "microsoftDefenderThreatIntelligenceAnalytics",
            "builtInMl",
            "microsoftInsiderRiskManagement",
            "microsoftThreatIntelligence",
            "microsoftDefenderForAIServices",
            "securityCopilot",
            "microsoftSentinel",
        )
    ),
    "remediationStatus": frozenset(
        ("active", "pendingApproval", "declined", "unremediated", "running", "partiallyRemediated")
    ),
    "status": frozenset(("awaitingAction",)),
}
PREFERENCE = "include-unknown-enum-members"


def gated(document: Any) -> Any:
    """A copy in which gated members read `unknownFutureValue`."""
    if isinstance(document, Mapping):
        return {
            key: "unknownFutureValue"
            if isinstance(value, str) and value in GATED.get(key, ())
            else gated(value)
            if isinstance(value, dict | list)
            else value
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [gated(item) for item in document]
    return document


def asks_for_all(prefer: str) -> bool:
    return PREFERENCE in prefer.replace(" ", "").lower().split(",") or PREFERENCE in prefer.lower()


def member(value: Any, members: tuple[str, ...]) -> str | None:
    """The member in its own spelling, whatever the case of `value`; None when there is none."""
    if not isinstance(value, str):
        return None
    return next((one for one in members if one.lower() == value.lower()), None)
