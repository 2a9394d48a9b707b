"""Documents as Microsoft sends them, made to measure. Names are invented."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

DAY = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PREFIX = "#microsoft.graph.security."


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def user(name: str) -> dict[str, object]:
    return {
        "@odata.type": PREFIX + "userEvidence",
        "verdict": "suspicious",
        "remediationStatus": "none",
        "roles": ["compromised"],
        "userAccount": {
            "accountName": name,
            "userPrincipalName": f"{name}@contoso.com",
            "displayName": f"{name.title()} Example",
        },
    }


def device(name: str) -> dict[str, object]:
    return {
        "@odata.type": PREFIX + "deviceEvidence",
        "verdict": "unknown",
        "roles": [],
        "mdeDeviceId": name.encode().hex().ljust(40, "0"),
        "deviceDnsName": f"{name}.corp.contoso.com",
        "hostName": name,
    }


def address(ip: str) -> dict[str, object]:
    return {"@odata.type": PREFIX + "ipEvidence", "ipAddress": ip, "roles": ["source"]}


def alert(
    key: str,
    *evidence: dict[str, object],
    hours: float = 0,
    incident: str | None = None,
    updated_hours: float | None = None,
    **more: object,
) -> dict[str, object]:
    """An alert `hours` after DAY; `updated_hours` is its lastUpdateDateTime, likewise."""
    at = DAY + timedelta(hours=hours)
    updated = DAY + timedelta(hours=hours if updated_hours is None else updated_hours)
    return {
        "id": key,
        "providerAlertId": key,
        "incidentId": incident,
        "status": "new",
        "severity": "medium",
        "serviceSource": "azureAdIdentityProtection",
        "detectionSource": "azureAdIdentityProtection",
        "productName": "Microsoft Entra ID Protection",
        "title": "Unfamiliar sign-in properties",
        "category": "InitialAccess",
        "createdDateTime": stamp(at),
        "lastUpdateDateTime": stamp(updated),
        "firstActivityDateTime": stamp(at),
        "lastActivityDateTime": stamp(at),
        "evidence": list(evidence),
        **more,
    }
