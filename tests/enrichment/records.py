"""Sign-ins and audits as Graph sends them, made to measure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
OID = "0c1ab52d-1111-4222-8333-944455556666"
DEVICE = "1d2bc63e-1111-4222-8333-944455556666"
REQUEST = "66ea54eb-6301-4ee5-be62-ff5a759b0100"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "1Z"


def step(
    method: str, detail: str, second: bool = True, fine: bool | None = True, at: datetime = AT
) -> dict[str, Any]:
    requirement = "Multi-factor authentication" if second else "Primary authentication"
    return {
        "authenticationStepDateTime": stamp(at),
        "authenticationMethod": method,
        "authenticationMethodDetail": "",
        "succeeded": fine,
        "authenticationStepResultDetail": detail,
        "authenticationStepRequirement": requirement,
    }


PASSWORD = step("Password", "Correct password", second=False)
APP = step("Mobile app notification", "MFA completed in Azure AD")
CLAIM = step("Previously satisfied", "MFA requirement satisfied by claim in the token")
DENIED = step("Mobile app notification", "MFA denied; user declined the authentication", fine=False)
SILENT = step(
    "Mobile app notification", "MFA denied; user did not respond to mobile app notification",
    fine=False,
)  # fmt: skip


def record(key: str = REQUEST, minutes: float = 0, **more: Any) -> dict[str, Any]:
    """A sign-in with MFA by app, `minutes` after AT."""
    at = AT + timedelta(minutes=minutes)
    steps = more.pop("steps", [PASSWORD, APP])
    error = more.pop("error", 0)
    return {
        "id": key,
        "createdDateTime": stamp(at),
        "userId": OID,
        "userPrincipalName": "anna@contoso.com",
        "userDisplayName": "Anna Example",
        "correlationId": f"c-{key}",
        "appId": "4765445b-32c6-49b0-83e6-1d93765276ca",
        "appDisplayName": "OfficeHome",
        "ipAddress": "203.0.113.7",
        "isInteractive": True,
        "signInEventTypes": ["interactiveUser"],
        "authenticationRequirement": "multiFactorAuthentication",
        "authenticationDetails": [
            {**one, "authenticationStepDateTime": stamp(at)} for one in steps
        ],
        "sessionId": f"s-{key}",
        "uniqueTokenIdentifier": f"T{key}",
        "riskLevelDuringSignIn": "low",
        "status": {"errorCode": error, "failureReason": "Other.", "additionalDetails": None},
        "deviceDetail": {"deviceId": DEVICE, "displayName": "PC-1", "isManaged": True},
        "location": {"city": "Bonn", "countryOrRegion": "DE"},
        **more,
    }


def audit(name: str, minutes: float = 5, key: str = "", **more: Any) -> dict[str, Any]:
    return {
        "id": key or f"Directory_{name}_{minutes}",
        "activityDisplayName": name,
        "activityDateTime": stamp(AT + timedelta(minutes=minutes)),
        "result": "success",
        "category": "UserManagement",
        "initiatedBy": {"app": None, "user": {"id": OID, "userPrincipalName": "anna@contoso.com"}},
        "targetResources": [{"id": OID, "type": "User", "modifiedProperties": []}],
        **more,
    }
