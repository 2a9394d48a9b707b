"""The application permissions that the portal's app asks for, what each is for, and how to give it.

Ids: https://learn.microsoft.com/graph/permissions-reference
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permission:
    """An application permission of an API. `sources`: what a probe reads by it."""

    name: str
    id: str
    purpose: str
    sources: tuple[str, ...] = ()
    licence: str = ""
    is_required: bool = False
    api: str = "Microsoft Graph"


PERMISSIONS = (
    Permission(
        "SecurityAlert.Read.All",
        "472e4a4d-bb4a-4026-98d1-0b0d74cb74a5",
        "Alerts: without it nothing comes at all",
        ("alerts",),
        "a Microsoft Defender product",
        is_required=True,
    ),
    Permission(
        "SecurityIncident.Read.All",
        "45cc0394-e837-488b-a098-1918f48d186c",
        "Incidents: which alerts Microsoft holds together",
        ("incidents",),
        "a Microsoft Defender product",
    ),
    Permission(
        "AuditLog.Read.All",
        "b0afded3-3588-46d8-8b3d-9842eff778da",
        "Sign-ins and changes: proof of MFA, and what followed an odd sign-in",
        ("sign-ins", "audits"),
        "Entra ID P1 or P2",
    ),
    Permission(
        "User.Read.All",
        "df021288-bdef-4463-88db-98f22de89214",
        "People: names on demand, VIPs by title and department",
        ("users",),
    ),
    Permission(
        "GroupMember.Read.All",
        "98830695-27a2-44f7-8c18-0c3ebc9698f6",
        "Groups: a VIP list kept in Entra ID",
        ("groups",),
    ),
    Permission(
        "RoleManagement.Read.Directory",
        "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
        "Roles: who is an administrator",
        ("roles",),
    ),
    Permission(
        "IdentityRiskEvent.Read.All",
        "6e472fd1-ad78-48da-a0f0-97ab2c6b769e",
        "Risk detections: what Entra ID Protection saw",
        ("risks",),
        "Entra ID P2",
    ),
    Permission(
        "IdentityRiskyUser.Read.All",
        "dc5007c0-2d7d-4c42-879c-2dab87571379",
        "Risky users: how risky Entra ID Protection holds a user to be",
        ("risky-users",),
        "Entra ID P2",
    ),
    Permission(
        "SecurityEvents.Read.All",
        "bf394140-e372-4bf9-a898-299cfc7564e5",
        "Secure Score and its controls",
        ("secure-score",),
    ),
    Permission(
        "Vulnerability.Read.All",
        "41269fc5-d04d-4bfd-bce7-43a51cea049a",
        "Weaknesses of devices, and whether attackers use them now",
        ("weaknesses",),
        "Microsoft Defender for Endpoint Plan 2 or Defender Vulnerability Management",
        api="WindowsDefenderATP",
    ),
    Permission(
        "Organization.Read.All",
        "498476ce-e0fe-48b0-b801-37ba7e2685c6",
        "The directory itself: proves the consent",
        ("organization",),
    ),
)
"""In the order of the pages: the most important first."""


def how_to_grant(permission: Permission, client_id: str) -> str:
    """What an administrator does about a missing permission, to the letter."""
    place = permission.api
    if place != "Microsoft Graph":
        place = f"APIs my organization uses > {place}"
    return (
        f"In the provider's Entra admin center open App registrations > {client_id} > API "
        f"permissions. If {permission.name} is not there, add it: Add a permission > {place} > "
        f"Application permissions (its id is {permission.id}). Then let a Privileged Role "
        "Administrator or Global Administrator of the customer open the consent link again: "
        "consent covers only what the registration asked for at that moment."
    )


def how_to_license(permission: Permission) -> str:
    """What to say about a source that the directory's licences do not cover."""
    return (
        f"The directory's licences do not cover this; it takes {permission.licence or 'another'}. "
        "Nothing has to be changed here: the portal reads it as soon as it is there."
    )
