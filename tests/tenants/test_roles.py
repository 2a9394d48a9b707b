"""The table of roles and rights, pinned: a change of it is a decision, not a slip."""

from __future__ import annotations

import pytest

from tenants.models import Grant
from tenants.roles import CUSTOMER_ROLES, EXPLAINED, PORTAL_WIDE, RIGHTS, Right, rights_of_roles

PINNED = {
    "viewer": "see_cases see_health see_posture see_provider export report use_api",
    "analyst": (
        "see_cases see_health see_posture see_provider export report use_api "
        "show_names raw act run_feed"
    ),
    "lead": (
        "see_cases see_health see_posture see_provider export report use_api "
        "show_names raw act run_feed "
        "see_audit share_views manage_rules"
    ),
    "customer_ciso": "see_cases see_health see_posture see_audit show_names export report use_api",
    "customer_admin": (
        "see_cases see_health see_posture see_audit show_names export report use_api manage_keys "
        "manage_customers"
    ),
}


@pytest.mark.parametrize("role", PINNED)
def test_the_table_is_as_decided(role: str) -> None:
    assert {right.value for right in RIGHTS[role]} == set(PINNED[role].split())


def test_an_admin_has_every_right() -> None:
    assert RIGHTS["admin"] == frozenset(Right)
    assert set(RIGHTS) == {*PINNED, "admin"}


def test_every_role_can_be_granted_and_every_right_is_explained() -> None:
    assert set(Grant.Role.values) == set(RIGHTS)
    assert set(EXPLAINED) == set(Right)


def test_a_customer_sees_nobody_of_the_provider_and_changes_no_case() -> None:
    for role in CUSTOMER_ROLES:
        assert not RIGHTS[role] & {
            Right.SEE_PROVIDER, Right.ACT, Right.RAW, Right.MANAGE_GRANTS, Right.MANAGE_TENANT,
        }  # fmt: skip


def test_rights_add_up_and_a_weaker_role_takes_nothing() -> None:
    both = rights_of_roles(["viewer", "lead"])
    assert both == rights_of_roles(["lead"])
    assert rights_of_roles(["viewer", "customer_admin"]) == (
        RIGHTS["viewer"] | RIGHTS["customer_admin"]
    )
    assert rights_of_roles(["king"]) == frozenset()


def test_rights_over_the_portal_come_from_grants_for_all_tenants() -> None:
    assert not rights_of_roles(["admin"]) & PORTAL_WIDE
    assert rights_of_roles(["admin"], everywhere=True) == frozenset(Right)
