"""Alerts, incidents and Secure Score of a directory, over Microsoft Graph.

Fields and filters: https://learn.microsoft.com/graph/api/resources/security-api-overview
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from clients.errors import ApiError, Rejected
from clients.microsoft.batch import BatchRequest, Results
from clients.microsoft.graph import Graph
from clients.microsoft.odata import time_literal

ALERTS = "/security/alerts_v2"
INCIDENTS = "/security/incidents"
MAX_ALERTS_A_PAGE = 100
MAX_INCIDENTS_A_PAGE = 50

# The update page and the metadata spell these differently; services know one or the other.
_OTHER_SPELLING = {
    "compromisedAccount": "compromisedUser",
    "notMalicious": "clean",
    "notEnoughDataToValidate": "insufficientData",
    "confirmedActivity": "confirmedUserActivity",
}


def alert_pages(
    graph: Graph,
    *,
    since: datetime,
    until: datetime | None = None,
    page_size: int = MAX_ALERTS_A_PAGE,
) -> Iterator[list[object]]:
    """Alerts by last update in [since, until), in no promised order. SecurityAlert.Read.All.

    https://learn.microsoft.com/graph/api/security-list-alerts_v2
    """
    top = min(page_size, MAX_ALERTS_A_PAGE)
    return _updated_pages(graph, ALERTS, since, until, top, family="alerts")


def incident_pages(
    graph: Graph,
    *,
    since: datetime,
    until: datetime | None = None,
    page_size: int = MAX_INCIDENTS_A_PAGE,
) -> Iterator[list[object]]:
    """Incidents by last update in [since, until), without their alerts. SecurityIncident.Read.All.

    https://learn.microsoft.com/graph/api/security-list-incidents
    """
    top = min(page_size, MAX_INCIDENTS_A_PAGE)
    return _updated_pages(graph, INCIDENTS, since, until, top, family="incidents")


def _updated_pages(
    graph: Graph, path: str, since: datetime, until: datetime | None, top: int, *, family: str
) -> Iterator[list[object]]:
    condition = f"lastUpdateDateTime ge {time_literal(since)}"
    if until is not None:
        condition += f" and lastUpdateDateTime lt {time_literal(until)}"
    try:
        return graph.pages(path, {"$filter": condition, "$top": str(top)}, family=family)
    except Rejected as err:
        if err.status != 400:
            raise
    # The largest page is not documented: let the server choose.
    return graph.pages(path, {"$filter": condition}, family=family)


def count_alerts(graph: Graph, since: datetime, until: datetime) -> int | None:
    """How many alerts have their last update in [since, until); None if the server does not say.

    One request. SecurityAlert.Read.All. https://learn.microsoft.com/graph/query-parameters
    """
    params = {
        "$filter": f"lastUpdateDateTime ge {time_literal(since)} "
        f"and lastUpdateDateTime lt {time_literal(until)}",
        "$count": "true",
        "$top": "1",
    }
    count = graph.get(ALERTS, params, family="alerts").get("@odata.count")
    return count if isinstance(count, int) else None


def alerts_by_id(graph: Graph, ids: Iterable[str]) -> Results:
    """The alert or the error for each id, read by $batch. SecurityAlert.Read.All.

    https://learn.microsoft.com/graph/api/security-alert-get
    """
    requests = [BatchRequest(alert_id, _alert(alert_id)) for alert_id in dict.fromkeys(ids)]
    return graph.batch(requests, family="alerts")


def incidents_by_id(graph: Graph, ids: Iterable[str]) -> Results:
    """The incident with its alerts, or the error, for each id. SecurityIncident.Read.All.

    https://learn.microsoft.com/graph/api/security-incident-get
    """
    requests = [BatchRequest(one, f"{_incident(one)}?$expand=alerts") for one in dict.fromkeys(ids)]
    return graph.batch(requests, family="incidents")


def update_alerts(graph: Graph, changes: Mapping[str, Mapping[str, object]]) -> Results:
    """Set status, classification, determination, assignedTo or customDetails; the alert or error.

    Send changed fields only: there is no ETag, the last writer wins. SecurityAlert.ReadWrite.All.
    https://learn.microsoft.com/graph/api/security-alert-update
    """
    return _update(graph, {key: (_alert(key), fields) for key, fields in changes.items()}, "alerts")


def update_incidents(graph: Graph, changes: Mapping[str, Mapping[str, object]]) -> Results:
    """Set status, classification, determination, assignedTo, and more; the incident or the error.

    Resolving one resolves its alerts, too. SecurityIncident.ReadWrite.All.
    https://learn.microsoft.com/graph/api/security-incident-update
    """
    wanted = {key: (_incident(key), fields) for key, fields in changes.items()}
    return _update(graph, wanted, "incidents")


def _update(
    graph: Graph, changes: Mapping[str, tuple[str, Mapping[str, object]]], family: str
) -> Results:
    """What is refused for its determination is sent once more in the other spelling."""
    requests = [BatchRequest(key, url, fields) for key, (url, fields) in changes.items()]
    results = graph.batch(requests, family=family)
    again = []
    for key, answer in results.items():
        url, fields = changes[key]
        other = _OTHER_SPELLING.get(str(fields.get("determination")))
        if isinstance(answer, Rejected) and answer.status == 400 and other is not None:
            again.append(BatchRequest(key, url, {**fields, "determination": other}))
    return {**results, **(graph.batch(again, family=family) if again else {})}


def comment_alert(graph: Graph, alert_id: str, comment: str) -> None:
    """Add a comment. Not repeated after a fault: read the comments first.
    SecurityAlert.ReadWrite.All.

    https://learn.microsoft.com/graph/api/security-alert-post-comments
    """
    _comment(graph, _alert(alert_id), comment, "alerts")


def comment_incident(graph: Graph, incident_id: str, comment: str) -> None:
    """Add a comment. Not repeated after a fault: read the comments first.
    SecurityIncident.ReadWrite.All.

    https://learn.microsoft.com/graph/api/security-incident-post-comments
    """
    _comment(graph, _incident(incident_id), comment, "incidents")


def _comment(graph: Graph, path: str, comment: str, family: str) -> None:
    body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": comment}
    graph.send("POST", graph.url(f"{path}/comments", "v1.0"), json=body, family=family)


def secure_scores(graph: Graph, days: int = 1) -> list[object]:
    """The newest daily scores (90 days are kept), newest first. SecurityEvents.Read.All.

    https://learn.microsoft.com/graph/api/security-list-securescores
    """
    params = {"$top": str(days)}
    pages = graph.pages("/security/secureScores", params, family="secure_score")
    found: list[object] = []
    for page in pages:
        found += page
        if len(found) >= days:
            break
    return found[:days]


def control_profile_pages(graph: Graph) -> Iterator[list[object]]:
    """All Secure Score controls. SecurityEvents.Read.All.

    https://learn.microsoft.com/graph/api/security-list-securescorecontrolprofiles
    """
    return graph.pages("/security/secureScoreControlProfiles", family="secure_score")


def control_profile(graph: Graph, name: str) -> dict[str, object]:
    """One Secure Score control, with its texts (HTML) and people. SecurityEvents.Read.All.

    https://learn.microsoft.com/graph/api/securescorecontrolprofile-get
    """
    return graph.get(_control(name), family="secure_score")


CONTROL_STATES = ("Default", "Ignored", "ThirdParty", "Reviewed")


def set_control_state(graph: Graph, name: str, state: str, comment: str) -> dict[str, object]:
    """Say that a control is ignored, done by another product, or reviewed; or none of it.

    SecurityEvents.ReadWrite.All.
    https://learn.microsoft.com/graph/api/securescorecontrolprofile-update
    """
    body: dict[str, object] = {
        "assignedTo": "",
        "comment": comment,
        "state": state,
        "vendorInformation": {
            "provider": "SecureScore",
            "providerVersion": None,
            "subProvider": None,
            "vendor": "Microsoft",
        },
    }
    return graph.patch(_control(name), body, family="secure_score")


def _control(name: str) -> str:
    return f"/security/secureScoreControlProfiles/{quote(name, safe='')}"


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether a source can be read. `error` says what to do if not, None if it can."""

    source: str
    permission: str
    error: ApiError | None

    @property
    def is_there(self) -> bool:
        """Whether reading works."""
        return self.error is None


_PROBES = (
    ("organization", "Organization.Read.All", "/organization", "v1.0", "directory"),
    ("alerts", "SecurityAlert.Read.All", ALERTS, "v1.0", "alerts"),
    ("incidents", "SecurityIncident.Read.All", INCIDENTS, "v1.0", "incidents"),
    (
        "secure-score",
        "SecurityEvents.Read.All",
        "/security/secureScores",
        "v1.0",
        "secure_score",
    ),
    ("sign-ins", "AuditLog.Read.All", "/auditLogs/signIns", "beta", "audit_logs"),
    ("audits", "AuditLog.Read.All", "/auditLogs/directoryAudits", "v1.0", "audit_logs"),
    ("users", "User.Read.All", "/users", "v1.0", "directory"),
    ("groups", "GroupMember.Read.All", "/groups", "v1.0", "directory"),
    ("roles", "RoleManagement.Read.Directory", "/directoryRoles", "v1.0", "directory"),
    (
        "risks",
        "IdentityRiskEvent.Read.All",
        "/identityProtection/riskDetections",
        "v1.0",
        "identity_protection",
    ),
    (
        "risky-users",
        "IdentityRiskyUser.Read.All",
        "/identityProtection/riskyUsers",
        "v1.0",
        "identity_protection",
    ),
)
_WITHOUT_TOP = frozenset({"organization", "roles"})


def probe(graph: Graph) -> list[Ability]:
    """Read one item of each source. Raises only if there is no token at all.

    A token is issued whatever was consented, so permissions and licences show in these reads.
    """
    found: list[Ability] = []
    for source, permission, path, version, family in _PROBES:
        params = {} if source in _WITHOUT_TOP else {"$top": "1"}
        error: ApiError | None = None
        try:
            next(graph.pages(path, params, version=version, family=family))
        except ApiError as err:
            if err.code.startswith("AADSTS"):
                raise
            error = err
        found.append(Ability(source, permission, error))
    return found


def _alert(alert_id: str) -> str:
    return f"{ALERTS}/{quote(alert_id, safe='')}"


def _incident(incident_id: str) -> str:
    return f"{INCIDENTS}/{quote(incident_id, safe='')}"
