"""Directory audits: which of them are worth knowing, in a closed list of words of our own.

Names after https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities;
they are compared without case, and any dash is a dash.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from enrichment.facts import AuditFact
from tenants.canonical import canonical_id
from tenants.documents import instant, objects, raw, text
from tenants.pseudonyms import Pseudonymiser


class Operation(StrEnum):
    """What was done. Part of what is stored, so members are never renamed."""

    ROLE_GIVEN = "role_given"
    ROLE_REMOVED = "role_removed"
    ROLE_REQUESTED = "role_requested"
    MFA_METHOD_ADDED = "mfa_method_added"
    MFA_METHOD_CHANGED = "mfa_method_changed"
    MFA_METHOD_DELETED = "mfa_method_deleted"
    MFA_REGISTRATION_STARTED = "mfa_registration_started"
    MFA_DISABLED = "mfa_disabled"
    TEMPORARY_PASS_MADE = "temporary_pass_made"  # noqa: S105 what was done, not a secret
    PASSWORD_RESET = "password_reset"  # noqa: S105
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    SESSIONS_REVOKED = "sessions_revoked"
    ACCOUNT_ADDED = "account_added"
    GUEST_INVITED = "guest_invited"
    GUEST_JOINED = "guest_joined"
    ACCOUNT_DELETED = "account_deleted"
    ACCOUNT_ENABLED = "account_enabled"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_UPDATED = "account_updated"
    CONSENT_GIVEN = "consent_given"
    APP_ROLE_GIVEN = "app_role_given"
    APP_CREDENTIAL_ADDED = "app_credential_added"
    APP_OWNER_ADDED = "app_owner_added"
    APP_ADDED = "app_added"
    APP_UPDATED = "app_updated"
    ACCESS_POLICY_ADDED = "access_policy_added"
    ACCESS_POLICY_CHANGED = "access_policy_changed"
    ACCESS_POLICY_DELETED = "access_policy_deleted"
    NAMED_LOCATION_CHANGED = "named_location_changed"
    POLICY_CHANGED = "policy_changed"
    FEDERATION_CHANGED = "federation_changed"
    DOMAIN_ADDED = "domain_added"
    PARTNER_ADDED = "partner_added"
    COMPANY_CHANGED = "company_changed"
    DEVICE_ADDED = "device_added"
    DEVICE_DELETED = "device_deleted"


_NAMES: dict[Operation, str] = {
    Operation.ROLE_GIVEN: "Add member to role; Add eligible member to role; Add scoped member to"
    " role; Add member to role completed (PIM activation); Add member to role outside of PIM"
    " (permanent); Add eligible member to role in PIM completed (permanent); Add eligible member to"
    " role in PIM completed (timebound); Add member to role in PIM completed (permanent); Add"
    " member to role in PIM completed (timebound)",
    Operation.ROLE_REMOVED: "Remove member from role; Remove eligible member from role; Remove"
    " scoped member from role",
    Operation.ROLE_REQUESTED: "Add member to role requested (PIM activation); Process role update"
    " request",
    Operation.MFA_METHOD_ADDED: "User registered security info; User registered all required"
    " security info; Admin registered security info",
    Operation.MFA_METHOD_CHANGED: "User changed default security info; Admin updated security"
    " info; User updated security info",
    Operation.MFA_METHOD_DELETED: "User deleted security info; Admin deleted security info",
    Operation.MFA_REGISTRATION_STARTED: "User started security info registration",
    Operation.MFA_DISABLED: "Disable Strong Authentication",
    Operation.TEMPORARY_PASS_MADE: "Create temporary access pass; Admin registered temporary"
    " access pass method; Admin registered temporary access pass method for user",
    Operation.PASSWORD_RESET: "Reset user password; Reset password (by admin); Reset password"
    " (self-service)",
    Operation.PASSWORD_CHANGED: "Change user password; Change password (self-service)",
    Operation.SESSIONS_REVOKED: "Update StsRefreshTokenValidFrom Timestamp",
    Operation.ACCOUNT_ADDED: "Add user",
    Operation.GUEST_INVITED: "Invite external user",
    Operation.GUEST_JOINED: "Redeem external user invite",
    Operation.ACCOUNT_DELETED: "Delete user; Hard Delete user",
    Operation.ACCOUNT_ENABLED: "Enable account",
    Operation.ACCOUNT_DISABLED: "Disable account",
    Operation.ACCOUNT_UPDATED: "Update user",
    Operation.CONSENT_GIVEN: "Consent to application; Add delegated permission grant; Add"
    " OAuth2PermissionGrant",
    Operation.APP_ROLE_GIVEN: "Add app role assignment to service principal; Add app role"
    " assignment grant to user",
    Operation.APP_CREDENTIAL_ADDED: "Update application - Certificates and secrets management; Add"
    " service principal credentials",
    Operation.APP_OWNER_ADDED: "Add owner to application; Add owner to service principal",
    Operation.APP_ADDED: "Add application; Add service principal",
    Operation.APP_UPDATED: "Update application; Update service principal",
    Operation.ACCESS_POLICY_ADDED: "Add conditional access policy",
    Operation.ACCESS_POLICY_CHANGED: "Update conditional access policy",
    Operation.ACCESS_POLICY_DELETED: "Delete conditional access policy",
    Operation.NAMED_LOCATION_CHANGED: "Add named location; Update named location; Delete named"
    " location",
    Operation.POLICY_CHANGED: "Update policy; Authentication Methods Policy Update; Update"
    " authorization policy; Disable Desktop Sso",
    Operation.FEDERATION_CHANGED: "Set domain authentication; Set federation settings on domain",
    Operation.DOMAIN_ADDED: "Add unverified domain; Verify domain",
    Operation.PARTNER_ADDED: "Add a partner to cross-tenant access setting; Add partner to company",
    Operation.COMPANY_CHANGED: "Set Company Information",
    Operation.DEVICE_ADDED: "Add registered owner to device; Register device; Add device",
    Operation.DEVICE_DELETED: "Delete device",
}
_MFA_PROPERTY = "strongauthentication"
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Audit:
    """A record as it was read: ids, so for memory only. `actor`: who did it, a user or an app."""

    id: str
    operation: Operation
    at: datetime
    is_success: bool
    actor: str
    targets: tuple[str, ...]


def operation_of(name: str) -> Operation | None:
    """Our word for an activityDisplayName; None for what is not worth knowing, or is unknown."""
    return _BY_NAME.get(_plain(name))


def read_audits(documents: Iterable[object]) -> list[Audit]:
    """Those that have a word, an id and a time."""
    found = (_read(one) for document in documents for one in objects(document))
    return [one for one in found if one is not None]


def audit_facts(audits: Iterable[Audit], pseudonymiser: Pseudonymiser) -> tuple[AuditFact, ...]:
    """Each record once, in order of time."""
    rows = sorted({one.id: one for one in audits}.values(), key=lambda one: (one.at, one.id))
    return tuple(
        AuditFact(
            one.operation.value, one.at, one.is_success, pseudonymiser.pseudonym("audit", one.id)
        )
        for one in rows
    )


def _read(record: Mapping[str, object]) -> Audit | None:
    key, at = text(record.get("id")), instant(record.get("activityDateTime"))
    operation = operation_of(text(record.get("activityDisplayName")))
    if not key or at is None or operation is None:
        return None
    targets = objects(record.get("targetResources"))
    if operation is Operation.ACCOUNT_UPDATED and _touches_mfa(targets):
        operation = Operation.MFA_METHOD_CHANGED
    initiators = objects(record.get("initiatedBy"))
    actors = [
        canonical_id(raw(one.get(field)))
        for initiator in initiators
        for kind, field in (("user", "id"), ("app", "servicePrincipalId"), ("app", "appId"))
        for one in objects(initiator.get(kind))
    ]
    return Audit(
        id=key,
        operation=operation,
        at=at,
        is_success=text(record.get("result")).casefold() == "success",
        actor=next(filter(None, actors), ""),
        targets=tuple(filter(None, (canonical_id(raw(one.get("id"))) for one in targets))),
    )


def _touches_mfa(targets: Iterable[Mapping[str, object]]) -> bool:
    return any(
        text(changed.get("displayName")).casefold().startswith(_MFA_PROPERTY)
        for target in targets
        for changed in objects(target.get("modifiedProperties"))
    )


def _plain(name: str) -> str:
    """Lower case, single spaces, and "-" for every dash with or without spaces around it."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    dashed = "".join("-" if unicodedata.category(char) == "Pd" else char for char in folded)
    return (
        _SPACES.sub(" ", dashed).strip().replace(" - ", "-").replace("- ", "-").replace(" -", "-")
    )


_BY_NAME = {
    _plain(name): operation for operation, names in _NAMES.items() for name in names.split(";")
}
