"""Microsoft's incidents: made and kept up to date from the alerts that name them."""

from simulator import moments
from simulator.directory import Directory
from simulator.store import Document

SEVERITIES = ("informational", "low", "medium", "high")


def refreshed_incident(directory: Directory, number: str) -> Document:
    """The incident as it should be now; what people wrote into it stays."""
    alerts = [row for row in directory.alerts.values() if row.get("incidentId") == number]
    alerts.sort(key=lambda row: moments.ticks_or_zero(row["createdDateTime"]))
    kept = directory.incidents.get(number)
    newest = max(row["lastUpdateDateTime"] for row in alerts)
    severity = max(
        (row["severity"] for row in alerts),
        key=lambda one: SEVERITIES.index(one) if one in SEVERITIES else 0,
    )
    products = sorted({row["productName"] for row in alerts})
    categories = sorted({row["category"] for row in alerts if row.get("category")})
    title = alerts[0]["title"]
    if len(alerts) > 1:
        title = (
            f"Multi-stage incident involving {' & '.join(categories[:2])} reported by multiple "
            "sources"
            if len(products) > 1
            else f"{alerts[0]['title']} and {len(alerts) - 1} more"
        )
    base: Document = kept or {
        "id": number,
        "tenantId": directory.guid,
        "status": "active",
        "redirectIncidentId": None,
        "incidentWebUrl": f"https://security.microsoft.com/incident2/{number}/overview?tid={directory.guid}",
        "createdDateTime": alerts[0]["createdDateTime"],
        "assignedTo": None,
        "classification": None,
        "determination": None,
        "customTags": [],
        "systemTags": [],
        "description": "",
        "lastModifiedBy": "Microsoft 365 Defender-AlertCorrelation",
        "resolvingComment": None,
        "summary": "",
        "comments": [],
    }
    return {
        **base,
        "displayName": title,
        "severity": severity,
        "lastUpdateDateTime": newest,
        "priorityScore": 20 + 20 * SEVERITIES.index(severity) + min(20, 3 * len(alerts)),
    }
