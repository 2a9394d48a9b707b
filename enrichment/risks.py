"""Entra ID Protection: what it thinks of a user, and the detections that made it think so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from enrichment.facts import UserRisk
from tenants.canonical import canonical_id, canonical_ip
from tenants.documents import instant, objects, raw, text

NO_RISK = UserRisk(level="none", state="none")
"""Of a user whom Identity Protection has never heard of."""
OTHER = "other"
"""A type, level or state that is not in our lists: Microsoft's may say more than a word."""
LEVELS = frozenset({"low", "medium", "high", "hidden", "none"})
STATES = frozenset(
    {"none", "confirmedSafe", "remediated", "dismissed", "atRisk", "confirmedCompromised"}
)
TYPES = frozenset((
    "unlikelyTravel", "anonymizedIPAddress", "maliciousIPAddress", "unfamiliarFeatures",
    "malwareInfectedIPAddress", "suspiciousIPAddress", "leakedCredentials",
    "investigationsThreatIntelligence", "generic", "adminConfirmedUserCompromised",
    "passwordSpray", "impossibleTravel", "newCountry", "anomalousToken", "tokenIssuerAnomaly",
    "suspiciousBrowser", "riskyIPAddress", "mcasSuspiciousInboxManipulationRules",
    "suspiciousInboxForwarding", "mcasFinSuspiciousFileAccess", "suspiciousAPITraffic",
    "anomalousUserActivity", "attackerinTheMiddle", "nationStateIP",
    "suspiciousSendingPatterns", "userReportedSuspiciousActivity", "mcasImpossibleTravel",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Detection:
    """A riskDetection as it was read, for memory only. `at`: when the activity happened."""

    id: str
    request_id: str
    correlation_id: str
    event_type: str
    level: str
    at: datetime | None
    address: str


def read_detections(documents: Iterable[object]) -> list[Detection]:
    return [
        Detection(
            id=canonical_id(raw(one.get("id"))),
            request_id=canonical_id(raw(one.get("requestId"))),
            correlation_id=canonical_id(raw(one.get("correlationId"))),
            event_type=_word(one.get("riskEventType"), TYPES) or OTHER,
            level=_word(one.get("riskLevel"), LEVELS),
            at=instant(one.get("activityDateTime")),
            address=canonical_ip(raw(one.get("ipAddress"))),
        )
        for document in documents
        for one in objects(document)
    ]


def read_user_risk(
    risky_user: Mapping[str, object] | None, detections: Iterable[Detection]
) -> UserRisk:
    """`risky_user` is None for a user who was never at risk."""
    types = tuple(dict.fromkeys(one.event_type for one in detections))
    if risky_user is None:
        return UserRisk(NO_RISK.level, NO_RISK.state, types)
    level = _word(risky_user.get("riskLevel"), LEVELS)
    return UserRisk(level, _word(risky_user.get("riskState"), STATES), types)


def _word(value: object, known: frozenset[str]) -> str:
    found = text(value)
    return found if found in known or not found else OTHER
