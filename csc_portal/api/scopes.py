"""What a key may be used for: a closed list, each with the rights that it takes from its owner."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from tenants.roles import Right


class Scope(StrEnum):
    """A scope gives nothing that the owner has not: see `csc_portal.api.keys.rights_of_key`."""

    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    NAMES_READ = "names:read"
    TENANTS_READ = "tenants:read"
    POSTURE_READ = "posture:read"
    RULES_READ = "rules:read"
    AUDIT_READ = "audit:read"
    REPORTS_READ = "reports:read"
    EXPORT = "export"


RIGHT_OF: dict[Scope, Right] = {
    Scope.CASES_READ: Right.SEE_CASES,
    Scope.CASES_WRITE: Right.ACT,
    Scope.NAMES_READ: Right.SHOW_NAMES,
    Scope.TENANTS_READ: Right.SEE_HEALTH,
    Scope.POSTURE_READ: Right.SEE_POSTURE,
    Scope.RULES_READ: Right.MANAGE_RULES,
    Scope.AUDIT_READ: Right.SEE_AUDIT,
    Scope.REPORTS_READ: Right.REPORT,
    Scope.EXPORT: Right.EXPORT,
}
EXPLAINED: dict[Scope, str] = {
    Scope.CASES_READ: "Read cases, alerts, entities, tickets and decisions, by pseudonym",
    Scope.CASES_WRITE: "Work on cases: assign, judge, close, snooze, comment",
    Scope.NAMES_READ: "Look people and devices up by name, and show names; each use is recorded",
    Scope.TENANTS_READ: "Read how well tenants are read",
    Scope.POSTURE_READ: "Read scores, coverage and findings",
    Scope.RULES_READ: "Read rules",
    Scope.AUDIT_READ: "Read the audit log",
    Scope.REPORTS_READ: "Read reports, and have one of a period made",
    Scope.EXPORT: "Export in bulk",
}
APP_ROLES: dict[str, Scope] = {
    "Cases.Read": Scope.CASES_READ,
    "Cases.Write": Scope.CASES_WRITE,
    "Names.Read": Scope.NAMES_READ,
    "Tenants.Read": Scope.TENANTS_READ,
    "Posture.Read": Scope.POSTURE_READ,
    "Rules.Read": Scope.RULES_READ,
    "Audit.Read": Scope.AUDIT_READ,
    "Reports.Read": Scope.REPORTS_READ,
    "Export": Scope.EXPORT,
}
"""App role in the provider's directory, as a token's `roles` has it -> the scope it stands for."""
DEFAULT = (Scope.CASES_READ, Scope.TENANTS_READ)


def rights_in(scopes: Iterable[str]) -> frozenset[Right]:
    """The rights that scopes let through. Unknown words give none.

    Seeing who at the provider works on a case is nobody's scope: it stays as the owner has it.
    """
    known = {scope.value: right for scope, right in RIGHT_OF.items()}
    return frozenset(known[word] for word in scopes if word in known) | {Right.SEE_PROVIDER}
