"""Every tool x every kind of key: nothing of another tenant. A tool without calls here fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from csc_portal.api.keys import revoke_key
from csc_portal.api.scopes import Scope
from csc_portal.mcp.asking import Asker
from csc_portal.mcp.tools import TOOLS, Found, call
from tenants.models import ApiKey, User
from tests.csc_portal.api.conftest import ALL_SCOPES, Caller
from tests.csc_portal.api.test_isolation import KEYS, finding_of, posture, traces  # noqa: F401
from tests.csc_portal.web.conftest import SECRET, World

Arguments = Mapping[str, Any]
WIDE = {"status": ["any"], "severity": ["any"], "snoozed": "any"}
OPEN: dict[str, tuple[Arguments, ...]] = {
    "search_cases": ({}, {**WIDE, "limit": 50}, {**WIDE, "q": SECRET}),
    "count_cases": ({}, WIDE),
    "count_case_facets": ({},),
    "list_tenants": ({"limit": 50},),
    "list_findings": ({"status": "any", "limit": 50},),
    "list_scores": ({"limit": 50},),
    "list_coverage": ({"limit": 50},),
    "list_weakness_counts": ({"limit": 50},),
    "get_key": ({},),
}
NAMED: dict[str, Callable[[World, str], tuple[Arguments, ...]]] = {
    "search_cases": lambda world, slug: ({"tenant": [slug]},),
    "count_cases": lambda world, slug: ({"tenant": slug},),
    "count_case_facets": lambda world, slug: ({"tenant": [slug]},),
    "get_case": lambda world, slug: ({"id": str(world.cases[slug].public_id)},),
    "search_alerts": lambda world, slug: ({"tenant": slug},),
    "get_alert": lambda world, slug: (
        {"case": str(world.cases[slug].public_id)},
        {"tenant": slug, "source_ref": f"{slug}-0"},
    ),
    "get_entity": lambda world, slug: ({"id": str(world.entities[slug])},),
    "list_findings": lambda world, slug: ({"tenant": [slug]},),
    "get_finding": lambda world, slug: ({"id": str(finding_of(world, slug))},),
    "list_scores": lambda world, slug: ({"tenant": [slug]},),
    "list_coverage": lambda world, slug: ({"tenant": [slug]},),
    "list_weakness_counts": lambda world, slug: ({"tenant": [slug]},),
    "list_weaknesses": lambda world, slug: ({"slug": slug},),
    "get_tenant": lambda world, slug: ({"slug": slug},),
}
CALLS_OF_A = [
    (name, lambda world, one=one: one) for name, calls in OPEN.items() for one in calls
] + [(name, lambda world, make=make: make(world, "qa")[0]) for name, make in NAMED.items()]


def asked(caller: Caller, name: str, arguments: Arguments) -> Found:
    return call(name, arguments, Asker(f"Bearer {caller.secret}"))


def test_every_tool_is_called() -> None:
    assert set(OPEN) | set(NAMED) == set(TOOLS)


@pytest.mark.parametrize("kind", KEYS)
def test_nothing_of_another_tenant_is_told(kind: str, key_of, world: World) -> None:
    caller = KEYS[kind](key_of, world)
    for name, calls in OPEN.items():
        for arguments in calls:
            found = asked(caller, name, arguments)
            assert not [one for one in traces(world) if one in found.text], (name, arguments)
            assert not found.is_error or "takes the scope" in found.text, (name, found.text)
    for name, make in NAMED.items():
        for arguments in make(world, "third"):
            found = asked(caller, name, arguments)
            assert found.is_error, (name, arguments)
            assert "Not here" in found.text
            assert SECRET not in found.text


def test_the_walk_would_find_something(key_of, world: World) -> None:
    everything = key_of()
    assert SECRET in asked(everything, "search_cases", {**WIDE, "limit": 50}).text
    for name, make in NAMED.items():
        for arguments in make(world, "third"):
            assert not asked(everything, name, arguments).is_error, name


@pytest.mark.parametrize(
    "how", ["revoked", "expired", "of nobody", "switched off", "without scopes"]
)
def test_a_dead_key_opens_no_tool(how: str, key_of, world: World) -> None:
    caller = key_of()
    if how == "revoked":
        assert revoke_key(caller.key, actor="test", now=timezone.now())
    elif how == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif how == "switched off":
        User.objects.filter(pk=caller.key.owner_id).update(is_active=False)
    elif how == "of nobody":
        caller = Caller(None, caller.secret[:-2] + "zz")
    else:
        caller = key_of(scopes=[Scope.EXPORT.value])
    for name, make in CALLS_OF_A:
        if how == "without scopes" and name == "get_key":
            continue
        found = asked(caller, name, make(world))
        assert found.is_error, name
        said = "It takes the scope" if how == "without scopes" else "No valid key"
        assert said in found.text


def test_one_scope_opens_its_tools_alone(key_of, world: World) -> None:
    caller = key_of(scopes=[one for one in ALL_SCOPES if one != Scope.TENANTS_READ])
    assert "It takes the scope tenants:read" in asked(caller, "list_tenants", {}).text
    assert not asked(caller, "search_cases", {}).is_error


def test_a_token_of_the_directory_opens_the_same_tools(bearer_of, world: World) -> None:
    program = bearer_of(tenants=[world.tenants["qa"]], roles=["Cases.Read"])
    assert not asked(program, "search_cases", {}).is_error
    assert asked(program, "get_case", NAMED["get_case"](world, "third")[0]).is_error
    assert "It takes the scope tenants:read" in asked(program, "list_tenants", {}).text
