"""Graph sign-ins, directory audits, registration report and Identity Protection."""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator import moments, odata
from simulator.answers import graph_error
from simulator.directory import Directory
from simulator.graph import gate
from simulator.graph.query import Listing, listed
from simulator.store import Document

# Fields that only /beta has (fact sheet 3.1).
BETA_ONLY = (
    "authenticationRequirement", "authenticationDetails", "authenticationMethodsUsed",
    "authenticationRequirementPolicies", "authenticationProcessingDetails", "mfaDetail",
    "signInEventTypes", "incomingTokenType", "originalRequestId", "sessionId",
    "uniqueTokenIdentifier", "autonomousSystemNumber", "crossTenantAccessType", "userType",
    "networkLocationDetails", "tokenIssuerType", "tokenIssuerName", "sessionLifetimePolicies",
    "authenticationContextClassReferences", "flaggedForReview", "isTenantRestricted",
    "authenticationProtocol", "clientCredentialType", "processingTimeInMilliseconds",
    "signInIdentifier", "homeTenantName", "resourceServicePrincipalId",
)  # fmt: skip
_RISK_FIELDS = ("riskDetail", "riskLevelAggregated", "riskLevelDuringSignIn")

_SIGN_IN_SCHEMA = {
    "id": "string", "createdDateTime": "date", "userId": "string", "userPrincipalName": "string",
    "userDisplayName": "string", "appId": "string", "appDisplayName": "string",
    "ipAddress": "string", "clientAppUsed": "string", "correlationId": "string",
    "conditionalAccessStatus": "string", "status/errorCode": "number", "location/city": "string",
    "location/state": "string", "location/countryOrRegion": "string",
    "deviceDetail/browser": "string", "deviceDetail/operatingSystem": "string",
    "resourceId": "string", "resourceDisplayName": "string", "riskLevelDuringSignIn": "string",
    "riskLevelAggregated": "string", "riskState": "string", "riskDetail": "string",
    "riskEventTypes_v2": "collection",
}  # fmt: skip
SIGN_INS = Listing(
    name="auditLogs/signIns",
    type_name="microsoft.graph.signIn",
    table=lambda directory: directory.sign_ins,
    order="createdDateTime",
    schema=_SIGN_IN_SCHEMA,
    options=frozenset(("$filter", "$top", "$orderby", "$count")),
    page=1000,
)
SIGN_INS_BETA = Listing(
    name="auditLogs/signIns",
    type_name="microsoft.graph.signIn",
    table=lambda directory: directory.sign_ins,
    order="createdDateTime",
    schema={
        **_SIGN_IN_SCHEMA,
        "authenticationRequirement": "string",
        "signInEventTypes": "collection",
    },
    options=frozenset(("$filter", "$top", "$orderby", "$count")),
    page=1000,
)
AUDITS = Listing(
    name="auditLogs/directoryAudits",
    type_name="microsoft.graph.directoryAudit",
    table=lambda directory: directory.audits,
    order="activityDateTime",
    schema={
        "id": "string", "activityDateTime": "date", "activityDisplayName": "string",
        "category": "string", "correlationId": "string", "result": "string",
        "loggedByService": "string", "operationType": "string", "initiatedBy/user/id": "string",
        "initiatedBy/user/displayName": "string", "initiatedBy/user/userPrincipalName": "string",
        "initiatedBy/app/appId": "string", "initiatedBy/app/displayName": "string",
        "targetResources": "collection",
    },
    options=frozenset(("$filter", "$top", "$orderby", "$count", "$select")),
    page=1000,
)  # fmt: skip
RISK_DETECTIONS = Listing(
    name="identityProtection/riskDetections",
    type_name="microsoft.graph.riskDetection",
    table=lambda directory: directory.risk_detections,
    order="detectedDateTime",
    schema={
        "id": "string", "requestId": "string", "correlationId": "string", "userId": "string",
        "userPrincipalName": "string", "riskEventType": "string", "riskLevel": "string",
        "riskState": "string", "ipAddress": "string", "activityDateTime": "date",
        "detectedDateTime": "date", "lastUpdatedDateTime": "date",
    },
    options=frozenset(("$filter", "$top", "$skip", "$select", "$orderby", "$count")),
    most=500,
)  # fmt: skip
RISKY_USERS = Listing(
    name="identityProtection/riskyUsers",
    type_name="microsoft.graph.riskyUser",
    table=lambda directory: directory.risky_users,
    order="riskLastUpdatedDateTime",
    schema={
        "id": "string", "riskLevel": "string", "riskState": "string", "riskDetail": "string",
        "userPrincipalName": "string", "riskLastUpdatedDateTime": "date",
    },
    options=frozenset(("$filter", "$top", "$skip", "$select", "$count")),
    most=500,
)  # fmt: skip


def _licensed(request: Request, directory: Directory, licence: str) -> None:
    if directory.config["licences"].get(licence):
        return
    text = "Neither tenant is B2C or tenant doesn't have premium license"
    raise graph_error(request, 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", text)


def _arrived(request: Request, field: str) -> odata.Predicate:
    """Records younger than the set lag are not visible yet."""
    lag = timedelta(seconds=float(request.app.state.world.settings["sign_in_lag_s"]))
    border = moments.ticks(moments.stamp(moments.now() - lag))
    return lambda row: moments.ticks_or_zero(row.get(field)) <= border


def _is_beta(request: Request) -> bool:
    return request.url.path.startswith("/beta/")


async def list_sign_ins(request: Request) -> Response:
    directory = gate.enter(request, "AuditLog.Read.All", "Directory.Read.All")
    _licensed(request, directory, "entra_id_p1")
    beta = _is_beta(request)
    listing = SIGN_INS_BETA if beta else SIGN_INS
    return listed(
        request, directory, listing, lambda row: _sign_in(directory, row, beta),
        visible=_visible_sign_in(request),
    )  # fmt: skip


def _visible_sign_in(request: Request) -> odata.Predicate:
    """v1.0, and beta unless it asks for other kinds, lists interactive sign-ins only."""
    arrived = _arrived(request, "createdDateTime")
    if _is_beta(request) and "signInEventTypes" in request.query_params.get("$filter", ""):
        return arrived
    return lambda row: row.get("signInEventTypes") == ["interactiveUser"] and arrived(row)


def _sign_in(directory: Directory, row: Document, beta: bool) -> Any:
    shown = row if beta else {key: value for key, value in row.items() if key not in BETA_ONLY}
    if directory.config["licences"].get("entra_id_p2"):
        return shown
    return {**shown, **dict.fromkeys(_RISK_FIELDS, "hidden")}


async def get_sign_in(request: Request) -> Response:
    directory = gate.enter(request, "AuditLog.Read.All", "Directory.Read.All")
    _licensed(request, directory, "entra_id_p1")
    row = directory.sign_ins.get(request.path_params["id"])
    if row is None or not _arrived(request, "createdDateTime")(row):
        raise gate.not_found(request)
    return gate.reply(request, _sign_in(directory, row, _is_beta(request)))


async def list_audits(request: Request) -> Response:
    directory = gate.enter(request, "AuditLog.Read.All", "Directory.Read.All")
    return listed(request, directory, AUDITS, visible=_arrived(request, "activityDateTime"))


async def list_risk_detections(request: Request) -> Response:
    directory = gate.enter(request, "IdentityRiskEvent.Read.All", "IdentityRiskEvent.ReadWrite.All")
    _licensed(request, directory, "entra_id_p1")
    return listed(request, directory, RISK_DETECTIONS, lambda row: _detection(directory, row))


def _detection(directory: Directory, row: Document) -> Document:
    """Below P2 the type and the level of a detection are not told."""
    if directory.config["licences"].get("entra_id_p2"):
        return row
    return {**row, "riskEventType": "generic", "riskLevel": "hidden", "riskDetail": "hidden"}


async def get_risky_user(request: Request) -> Response:
    directory = gate.enter(request, "IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All")
    _licensed(request, directory, "entra_id_p2")
    row = directory.risky_users.get(request.path_params["id"])
    if row is None:
        raise gate.not_found(request)
    return gate.reply(request, row)


async def list_risky_users(request: Request) -> Response:
    directory = gate.enter(request, "IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All")
    _licensed(request, directory, "entra_id_p2")
    return listed(request, directory, RISKY_USERS)


async def registration_details(request: Request) -> Response:
    directory = gate.enter(request, "AuditLog.Read.All")
    _licensed(request, directory, "entra_id_p1")
    rows = [user["_registration"] for user in directory.users.values() if "_registration" in user]
    return gate.reply(request, {"value": rows})
