"""Microsoft's enums: what a field may hold, after the Graph v1.0 metadata of August 2026."""

from collections.abc import Mapping

from alerts.records import Severity


def members(*names: str, **old: str) -> dict[str, str]:
    """Lower case -> member. Keyword arguments are older spellings of members."""
    return {name.casefold(): name for name in names} | {k.casefold(): v for k, v in old.items()}


SEVERITIES = members(*Severity)
STATUSES = members("new", "inProgress", "resolved")
CLASSIFICATIONS = members("falsePositive", "truePositive", "informationalExpectedActivity")
DETERMINATIONS = members(
    "apt", "malware", "securityPersonnel", "securityTesting", "unwantedSoftware", "other",
    "multiStagedAttack", "compromisedAccount", "phishing", "maliciousUserActivity",
    "notMalicious", "notEnoughDataToValidate", "confirmedActivity", "lineOfBusinessApplication",
    compromisedUser="compromisedAccount",
    clean="notMalicious",
    insufficientData="notEnoughDataToValidate",
    confirmedUserActivity="confirmedActivity",
)  # fmt: skip
VERDICTS = members("unknown", "suspicious", "malicious", "noThreatsFound")
REMEDIATIONS = members(
    "none", "remediated", "prevented", "blocked", "notFound", "active", "pendingApproval",
    "declined", "unremediated", "running", "partiallyRemediated",
)  # fmt: skip
ROLES = members(
    "contextual", "scanned", "source", "destination", "created", "added", "compromised", "edited",
    "attacked", "attacker", "commandAndControl", "loaded", "suspicious", "policyViolator",
    "recipient", "sender",
)  # fmt: skip


def _lower(names: str) -> frozenset[str]:
    return frozenset(f"{names} unknown unknownFutureValue none".casefold().split())


_LEVELS = _lower(" ".join(Severity))
_DIRECTIONS = _lower("inbound outbound intraorg")

_TIMES = (
    "access closed created domainRegistered endUtc event expiry firstActivity firstSeen"
    " lastActivity lastModified lastUpdate logon parentProcessCreated parentProcessCreation"
    " previousLogon processCreation received resolved start startUtc submission updated"
)

# Fields of an enum or a time: a member or a time names nobody, any other value may.
HARMLESS_VALUES: Mapping[str, frozenset[str]] = {
    "@odata.type": frozenset(),
    **{f"{name}DateTime": frozenset() for name in _TIMES.split()},
    "verdict": _lower(" ".join(VERDICTS)),
    "remediationStatus": _lower(" ".join(REMEDIATIONS)),
    "roles": _lower(" ".join(ROLES)),
    "healthStatus": _lower(
        "active inactive impairedCommunication noSensorData noSensorDataImpairedCommunication"
    ),
    "defenderAvStatus": _lower("notReporting disabled notUpdated updated notSupported"),
    "onboardingStatus": _lower("insufficientInfo onboarded canBeOnboarded unsupported"),
    "riskScore": _LEVELS,
    "importance": _LEVELS | {"normal"},
    "detectionStatus": _lower("detected blocked prevented"),
    "osPlatform": _lower(
        "Windows7 Windows8 Windows10 Windows11 WindowsServer2012R2 WindowsServer2016"
        " WindowsServer2019 WindowsServer2022 WindowsServer2025 Linux macOS iOS Android"
    ),
    "version": _lower("Other"),
    "cloudProvider": _lower("azure amazon aws google gcp"),
    "algorithm": _lower("md5 sha1 sha256 sha256ac"),
    "protocol": _lower("tcp udp icmp http https"),
    "servicePrincipalType": _lower("application managedIdentity legacy"),
    "configurationType": _lower(
        "mailForwardingRule owaSettings ewsSettings mailDelegation userInboxRule"
    ),
    "hostingPlatformType": _lower("azureAIFoundry copilotStudio copilot"),
    "platform": _lower("aks eks gke arc"),
    "deliveryAction": _lower("deliveredAsSpam delivered blocked replaced junked"),
    "deliveryLocation": _lower("teams inbox junkFolder quarantine deletedFolder"),
    "antiSpamDirection": _DIRECTIONS,
    "messageDirection": _DIRECTIONS,
    "serviceType": _lower("clusterIP externalName nodePort loadBalancer"),
    "locationType": _lower("regional zonal global"),
}
