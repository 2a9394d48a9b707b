"""Sign-ins (with the fields of /beta), directory audits and risk detections."""

import base64
import json
from datetime import datetime, timedelta
from random import Random

from simulator.moments import seconds_stamp, stamp
from simulator.store import Document
from simulator.stories.estate import Agent, App, Estate, Person, Place, guid

REASONS = {
    0: "Other.",
    50126: "Error validating credentials due to invalid username or password.",
    50053: "The account is locked, you've tried to sign in too many times with an incorrect user "
    "ID or password.",
    50074: "Strong Authentication is required.",
    50076: "Due to a configuration change made by your administrator, or because you moved to a "
    "new location, you must use multi-factor authentication to access the resource.",
    500121: "Authentication failed during strong authentication request.",
    53003: "Access has been blocked by Conditional Access policies.",
}
CLOUD_APPS = {
    "OfficeHome": (
        "4765445b-32c6-49b0-83e6-1d93765276ca",
        "Microsoft Graph",
        "00000003-0000-0000-c000-000000000000",
    ),
    "Azure Portal": (
        "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
        "Windows Azure Service Management API",
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    ),
    "Office 365 Exchange Online": (
        "00000002-0000-0ff1-ce00-000000000000",
        "Office 365 Exchange Online",
        "00000002-0000-0ff1-ce00-000000000000",
    ),
}


def sign_in(
    estate: Estate,
    rng: Random,
    person: Person,
    at: datetime,
    address: str,
    place: Place,
    agent: Agent,
    *,
    mfa: str = "none",
    error: int = 0,
    app: str = "OfficeHome",
    risk: str = "none",
    risk_types: tuple[str, ...] = (),
    interactive: bool = True,
    device_id: str = "",
) -> Document:
    """`mfa`: fresh (done in this very sign-in), fido2, claim (satisfied by a claim in the token),
    failed (asked for and denied), none."""
    request_id, correlation = guid(rng), guid(rng)
    details, requirement = _authentication(at, mfa, error)
    policies = [_policy(mfa, error)] if mfa != "none" else []
    applied = "failure" if error else "success"
    event = "interactiveUser" if interactive else "nonInteractiveUser"
    return {
        "id": request_id,
        "createdDateTime": seconds_stamp(at),
        **_who_and_where(estate, rng, person, address, place, agent, device_id),
        **_application(rng, app),
        "correlationId": correlation,
        "conditionalAccessStatus": applied if policies else "notApplied",
        "appliedConditionalAccessPolicies": policies,
        "incomingTokenType": "primaryRefreshToken" if mfa == "claim" else "none",
        "originalRequestId": guid(rng) if mfa == "claim" else "",
        "isInteractive": interactive,
        "signInEventTypes": [event],
        "riskDetail": "none",
        "riskLevelAggregated": risk,
        "riskLevelDuringSignIn": risk,
        "riskState": "none" if risk == "none" else "atRisk",
        "riskEventTypes_v2": list(risk_types),
        "authenticationRequirement": requirement,
        "authenticationDetails": details,
        "authenticationMethodsUsed": [],
        "mfaDetail": MFA_DETAIL if mfa == "fresh" else None,
        "sessionId": guid(rng),
        "uniqueTokenIdentifier": base64.b64encode(rng.randbytes(16)).decode(),
        "processingTimeInMilliseconds": rng.randrange(80, 900),
        "status": {
            "errorCode": error,
            "failureReason": REASONS.get(error, "Other."),
            "additionalDetails": _additional(mfa, error),
        },
        **UNCHANGING,
    }


MFA_DETAIL = {"authMethod": "Mobile app notification", "authDetail": ""}
UNCHANGING: Document = {
    "authenticationContextClassReferences": [],
    "authenticationProcessingDetails": [{"key": "Login Hint Present", "value": "True"}],
    "authenticationProtocol": "none",
    "authenticationRequirementPolicies": [],
    "clientAppUsed": "Browser",
    "clientCredentialType": "none",
    "crossTenantAccessType": "none",
    "flaggedForReview": False,
    "homeTenantName": "",
    "isTenantRestricted": False,
    "networkLocationDetails": [],
    "servicePrincipalId": "",
    "servicePrincipalName": None,
    "sessionLifetimePolicies": [],
    "tokenIssuerName": "",
    "tokenIssuerType": "AzureAD",
    "userType": "member",
}


def _who_and_where(
    estate: Estate,
    rng: Random,
    person: Person,
    address: str,
    place: Place,
    agent: Agent,
    device_id: str,
) -> Document:
    city, state, country, _, latitude, longitude = place
    return {
        "userDisplayName": person.name,
        "userPrincipalName": person.upn,
        "userId": person.oid,
        "signInIdentifier": person.upn,
        "homeTenantId": estate.guid,
        "resourceTenantId": estate.guid,
        "ipAddress": address,
        "autonomousSystemNumber": rng.choice((3303, 9009, 13335, 16509, 64496)),
        "userAgent": agent[2],
        "location": {
            "city": city,
            "state": state,
            "countryOrRegion": country,
            "geoCoordinates": {"altitude": None, "latitude": latitude, "longitude": longitude},
        },
        "deviceDetail": {
            "deviceId": device_id,
            "displayName": "",
            "operatingSystem": agent[0],
            "browser": agent[1],
            "isCompliant": bool(device_id),
            "isManaged": bool(device_id),
            "trustType": "Azure AD joined" if device_id else "",
        },
    }


def _application(rng: Random, app: str) -> Document:
    app_id, resource, resource_id = CLOUD_APPS[app]
    return {
        "appId": app_id,
        "appDisplayName": app,
        "resourceDisplayName": resource,
        "resourceId": resource_id,
        "resourceServicePrincipalId": guid(rng),
    }


def _step(
    at: datetime, method: str, detail: str, result: str, requirement: str, fine: bool
) -> Document:
    return {
        "authenticationStepDateTime": seconds_stamp(at),
        "authenticationMethod": method,
        "authenticationMethodDetail": detail,
        "succeeded": fine,
        "authenticationStepResultDetail": result,
        "authenticationStepRequirement": requirement,
    }


def _authentication(at: datetime, mfa: str, error: int) -> tuple[list[Document], str]:
    """(authenticationDetails, authenticationRequirement)"""
    primary, second = "Primary authentication", "Multi-factor authentication"
    if error in {50126, 50053}:
        reason = "Invalid username or password or Invalid on-premise username or password."
        return [
            _step(at, "Password", "Password in the cloud", reason, primary, False)
        ], "singleFactorAuthentication"
    right = _step(at, "Password", "Password in the cloud", "Correct password", primary, True)
    later = at + timedelta(seconds=14)
    if mfa == "fresh":
        done = _step(
            later, "Mobile app notification", "", "MFA completed in Azure AD", second, True
        )
        return [right, done], "multiFactorAuthentication"
    if mfa == "fido2":
        done = _step(
            at,
            "Passkey (device-bound)",
            "Microsoft Authenticator",
            "MFA completed in Azure AD",
            second,
            True,
        )
        return [done], "multiFactorAuthentication"
    if mfa == "claim":
        kept = _step(
            at,
            "Previously satisfied",
            "",
            "MFA requirement satisfied by claim in the token",
            second,
            True,
        )
        return [kept], "multiFactorAuthentication"
    if mfa == "failed":
        denied = _step(
            later,
            "Mobile app notification",
            "",
            "MFA denied; user declined the authentication",
            second,
            False,
        )
        return [right, denied], "multiFactorAuthentication"
    return [right], "singleFactorAuthentication"


def _additional(mfa: str, error: int) -> str | None:
    if error == 500121:
        return "MFA denied; user declined the authentication"
    if mfa == "claim":
        return "MFA requirement satisfied by claim in the token"
    return "MFA completed in Azure AD" if mfa in {"fresh", "fido2"} else None


def _policy(mfa: str, error: int) -> Document:
    return {
        "id": "6551c58c-e5a4-4a4e-a0b9-2d2b2c7bb2a9",
        "displayName": "Require MFA for all users",
        "enforcedGrantControls": ["Mfa"],
        "enforcedSessionControls": [],
        "result": "failure" if error or mfa == "failed" else "success",
    }


def audit(
    estate: Estate,
    rng: Random,
    activity: str,
    category: str,
    at: datetime,
    by: Person | None,
    *,
    address: str | None = None,
    target: Person | App | None = None,
    app: App | None = None,
    changed: tuple[tuple[str, str, str], ...] = (),
    operation: str = "Update",
    result: str = "success",
) -> Document:
    """`changed`: (property, old, new) with values that are JSON texts, as the service has them."""
    user = None
    if by is not None:
        user = {
            "id": by.oid,
            "displayName": by.name,
            "userPrincipalName": by.upn,
            "ipAddress": address,
            "userType": "Member",
            "homeTenantId": None,
            "homeTenantName": None,
        }
    initiator = None
    if app is not None:
        initiator = {
            "appId": app.app_id,
            "displayName": app.name,
            "servicePrincipalId": app.object_id,
            "servicePrincipalName": None,
        }
    correlation = guid(rng)
    return {
        "id": f"Directory_{correlation}_{rng.randrange(10**8)}",
        "category": category,
        "correlationId": correlation,
        "result": result,
        "resultReason": "",
        "activityDisplayName": activity,
        "activityDateTime": stamp(at),
        "loggedByService": "Authentication Methods"
        if "security info" in activity
        else "Core Directory",
        "operationType": operation,
        "initiatedBy": {"app": initiator, "user": user},
        "targetResources": [_target(target, changed)] if target is not None else [],
        "additionalDetails": [{"key": "User-Agent", "value": "Mozilla/5.0"}],
    }


def _target(target: Person | App, changed: tuple[tuple[str, str, str], ...]) -> Document:
    rows = [{"displayName": name, "oldValue": old, "newValue": new} for name, old, new in changed]
    person = isinstance(target, Person)
    return {
        "id": target.oid if isinstance(target, Person) else target.object_id,
        "displayName": target.name,
        "type": "User" if person else "ServicePrincipal",
        "userPrincipalName": target.upn if isinstance(target, Person) else None,
        "groupType": None,
        "modifiedProperties": rows,
    }


def risk_detection(rng: Random, event_type: str, record: Document, level: str) -> Document:
    details = [{"Key": "userAgent", "Value": record["userAgent"]}]
    return {
        "id": f"{rng.getrandbits(256):064x}",
        "requestId": record["id"],
        "correlationId": record["correlationId"],
        "riskEventType": event_type,
        "riskState": "atRisk",
        "riskLevel": level,
        "riskDetail": "none",
        "source": "IdentityProtection",
        "detectionTimingType": "realtime",
        "activity": "signin",
        "tokenIssuerType": "AzureAD",
        "ipAddress": record["ipAddress"],
        "location": record["location"],
        "activityDateTime": record["createdDateTime"],
        "detectedDateTime": record["createdDateTime"],
        "lastUpdatedDateTime": record["createdDateTime"],
        "userId": record["userId"],
        "userDisplayName": record["userDisplayName"],
        "userPrincipalName": record["userPrincipalName"],
        "additionalInfo": json.dumps(details, separators=(",", ":")),
    }
