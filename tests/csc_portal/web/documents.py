"""Alerts as Microsoft sends them, made for the tests of the pages."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
GRAPH = "#microsoft.graph.security."


def user(name: str, domain: str = "contoso.com") -> dict[str, Any]:
    mail = f"{name.lower().replace(' ', '.')}@{domain}"
    account = {
        "accountName": mail.partition("@")[0],
        "displayName": name,
        "userPrincipalName": mail,
        "azureAdUserId": str(uuid.uuid5(uuid.NAMESPACE_DNS, mail)),
    }
    return {"@odata.type": f"{GRAPH}userEvidence", "roles": ["compromised"], "userAccount": account}


def device(host: str, domain: str = "contoso.com") -> dict[str, Any]:
    dns = f"{host}.{domain}"
    return {
        "@odata.type": f"{GRAPH}deviceEvidence",
        "mdeDeviceId": uuid.uuid5(uuid.NAMESPACE_DNS, dns).hex + "00000000",
        "deviceDnsName": dns,
        "hostName": host,
        "verdict": "suspicious",
    }


def address(ip: str) -> dict[str, Any]:
    return {"@odata.type": f"{GRAPH}ipEvidence", "ipAddress": ip, "roles": ["attacker"]}


def mailbox(name: str, domain: str = "contoso.com") -> dict[str, Any]:
    mail = f"{name.lower().replace(' ', '.')}@{domain}"
    kind = f"{GRAPH}mailboxEvidence"
    return {"@odata.type": kind, "displayName": name, "primaryAddress": mail, "upn": mail}


def cloud_app(name: str, number: int) -> dict[str, Any]:
    kind = f"{GRAPH}cloudApplicationEvidence"
    return {"@odata.type": kind, "displayName": name, "appId": number}


def resource(name: str) -> dict[str, Any]:
    place = f"/subscriptions/{uuid.uuid5(uuid.NAMESPACE_DNS, name)}/resourceGroups/rg-prod"
    return {
        "@odata.type": f"{GRAPH}azureResourceEvidence",
        "resourceId": f"{place}/providers/Microsoft.Storage/storageAccounts/{name}",
        "resourceName": name,
        "resourceType": "storageAccounts",
    }


def alert(
    key: str,
    *evidence: dict[str, Any],
    title: str = "Suspicious sign-in",
    severity: str = "medium",
    source: str = "microsoftDefenderXDR",
    at: datetime = START,
    incident: str | None = None,
    status: str = "new",
    category: str = "InitialAccess",
) -> dict[str, Any]:
    """One document of alerts_v2."""
    return {
        "@odata.type": f"{GRAPH}alert",
        "id": key,
        "providerAlertId": key,
        "incidentId": incident,
        "status": status,
        "severity": severity,
        "classification": None,
        "determination": None,
        "serviceSource": source,
        "detectionSource": source,
        "title": title,
        "description": "Something happened.",
        "category": category,
        "mitreTechniques": ["T1078.004"],
        "createdDateTime": at.isoformat(),
        "lastUpdateDateTime": (at + timedelta(minutes=1)).isoformat(),
        "firstActivityDateTime": at.isoformat(),
        "lastActivityDateTime": at.isoformat(),
        "evidence": list(evidence),
    }
