"""What each role may do: one table. Pure; the doors in csc_portal/access.py ask nothing else.

Two sides: the provider's people, and a customer's, who see their own tenant only and never who at
the provider works for them. Rights of several grants add up; a weaker one takes nothing away.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Right(StrEnum):
    """Everything that can be asked for at a door. All but the last group hold for a tenant."""

    SEE_CASES = "see_cases"
    SEE_HEALTH = "see_health"
    SEE_POSTURE = "see_posture"
    SEE_PROVIDER = "see_provider"
    SEE_AUDIT = "see_audit"
    SHOW_NAMES = "show_names"
    RAW = "raw"
    EXPORT = "export"
    REPORT = "report"
    USE_API = "use_api"

    ACT = "act"
    RUN_FEED = "run_feed"
    SHARE_VIEWS = "share_views"

    MANAGE_RULES = "manage_rules"
    MANAGE_TENANT = "manage_tenant"
    OFFBOARD = "offboard"
    MANAGE_KEYS = "manage_keys"
    MANAGE_CUSTOMERS = "manage_customers"
    MANAGE_GRANTS = "manage_grants"

    # Of the portal as a whole: only a grant for all tenants gives them.
    ONBOARD = "onboard"
    MANAGE_GROUPS = "manage_groups"
    MANAGE_PORTAL = "manage_portal"


EXPLAINED: dict[Right, str] = {
    Right.SEE_CASES: "See cases, alerts and entities, by pseudonym",
    Right.SEE_HEALTH: "See how well the tenant is read",
    Right.SEE_POSTURE: "See scores, coverage and findings",
    Right.SEE_PROVIDER: "See the names of the provider's people",
    Right.SEE_AUDIT: "Read the audit log",
    Right.SHOW_NAMES: "Show names, live from Microsoft",
    Right.RAW: "See raw documents, live from Microsoft",
    Right.EXPORT: "Export what may be seen",
    Right.REPORT: "Make and read reports",
    Right.USE_API: "Use the API",
    Right.ACT: "Work on cases",
    Right.RUN_FEED: "Read again, replay and send tickets again",
    Right.SHARE_VIEWS: "Share saved views",
    Right.MANAGE_RULES: "Change rules, classes and exceptions",
    Right.MANAGE_TENANT: "Change the tenant, its credential and its ticket system",
    Right.OFFBOARD: "Off-board and erase the tenant",
    Right.MANAGE_KEYS: "Make and revoke API keys and webhooks",
    Right.MANAGE_CUSTOMERS: "Give roles to the customer's own people",
    Right.MANAGE_GRANTS: "Give any role",
    Right.ONBOARD: "Onboard tenants",
    Right.MANAGE_GROUPS: "Change groups of tenants",
    Right.MANAGE_PORTAL: "Change settings of the portal and its users",
}
PORTAL_WIDE = frozenset({Right.ONBOARD, Right.MANAGE_GROUPS, Right.MANAGE_PORTAL})

_VIEWER = frozenset(
    {
        Right.SEE_CASES, Right.SEE_HEALTH, Right.SEE_POSTURE, Right.SEE_PROVIDER, Right.EXPORT,
        Right.REPORT, Right.USE_API,
    }
)  # fmt: skip
_ANALYST = _VIEWER | {Right.SHOW_NAMES, Right.RAW, Right.ACT, Right.RUN_FEED}
_LEAD = _ANALYST | {Right.SEE_AUDIT, Right.SHARE_VIEWS, Right.MANAGE_RULES}
_CISO = frozenset(
    {
        Right.SEE_CASES, Right.SEE_HEALTH, Right.SEE_POSTURE, Right.SEE_AUDIT, Right.SHOW_NAMES,
        Right.EXPORT, Right.REPORT, Right.USE_API,
    }
)  # fmt: skip

RIGHTS: dict[str, frozenset[Right]] = {
    "viewer": _VIEWER,
    "analyst": _ANALYST,
    "lead": _LEAD,
    "admin": frozenset(Right),
    "customer_ciso": _CISO,
    "customer_admin": _CISO | {Right.MANAGE_KEYS, Right.MANAGE_CUSTOMERS},
}
"""Role, as `tenants.models.Grant.Role` spells it -> what it may do where it is granted."""

CUSTOMER_ROLES = frozenset({"customer_ciso", "customer_admin"})
"""For a customer's own people: granted for single tenants only."""


@lru_cache(maxsize=256)
def _sum(roles: tuple[str, ...], everywhere: bool) -> frozenset[Right]:
    """Asked for each of a thousand tenants at each request, of few roles."""
    found = frozenset().union(*(RIGHTS[role] for role in roles if role in RIGHTS))
    return found if everywhere else found - PORTAL_WIDE


def rights_of_roles(roles: Iterable[str], *, everywhere: bool = False) -> frozenset[Right]:
    """What the roles may do together; `everywhere`: they are granted for all tenants."""
    return _sum(tuple(roles), everywhere)
