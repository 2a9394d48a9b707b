"""Every address x every role, at one's own tenant and at another's: what is answered.

The expected answer follows from two tables: which right an address asks for (NEEDS, here), and
which role has it (tenants/roles.py, pinned in tests/tenants/test_roles.py). A new address needs a
line in RULES (url_rules.py) and one here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.test import Client

from csc_portal.access import Rights, rights_of
from csc_portal.api.urls import API
from tenants.models import Grant, SavedView, Tenant, TenantGroup, User
from tenants.roles import RIGHTS, Right
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.test_urls import call
from tests.csc_portal.web.url_calls import Call
from tests.csc_portal.web.url_rules import RULES
from tests.tenants.test_audit_proof import start_anew

NOT_HERE = frozenset({404})
DONE = frozenset({200, 204, 302, 400, 409, 422})


@dataclass(frozen=True, slots=True)
class Need:
    """The right for calls that name something of a tenant, and for those that name nothing.

    `everywhere`: it has to be granted for all tenants. `partly`: some of the calls need more, or
    name what is not there; tests of their own say which. `never`: the walk's people get a 404 for
    a reason of their own (no local password, an id of nobody), whatever their role.
    """

    closed: Right | None = None
    open: Right | None = None
    everywhere: bool = False
    partly: bool = False
    never: bool = False


ANYBODY = Need()
SEE = Need(Right.SEE_CASES)
NEVER = Need(never=True)
PORTAL = Need(Right.MANAGE_PORTAL, everywhere=True)
GIVES_ROLES = Need(Right.MANAGE_CUSTOMERS, Right.MANAGE_CUSTOMERS)

NEEDS: dict[str, Need] = {
    "queue": ANYBODY,
    "queue-changes": ANYBODY,
    "queue-histogram": ANYBODY,
    "queue-export": ANYBODY,  # holds the rows that may be exported
    "queue-tallies": ANYBODY,
    "bulk": ANYBODY,
    "bulk-ask": Need(open=Right.ACT),
    "bulk-matching": ANYBODY,
    "view-keep": ANYBODY,
    "view-forget": NEVER,
    "columns": ANYBODY,
    "names": Need(Right.SHOW_NAMES),
    "names-toggle": ANYBODY,
    "chain": ANYBODY,
    "chain-trend": ANYBODY,
    "case": SEE,
    "case-triage": Need(Right.ACT),
    "case-news": SEE,
    "case-regroup": Need(Right.ACT),
    "case-suppress": Need(Right.MANAGE_RULES),
    "case-comment": Need(Right.ACT),
    "case-live": Need(Right.SHOW_NAMES, partly=True),  # the raw document needs a right of its own
    "case-stix": Need(Right.SHOW_NAMES),
    "analytics": ANYBODY,
    "analytics-tab": ANYBODY,
    "entities": ANYBODY,
    "entity": SEE,
    "entity-live": Need(Right.SHOW_NAMES),
    "entity-mark": Need(Right.MANAGE_RULES),
    "entity-tie": Need(Right.MANAGE_RULES),
    "tenants": ANYBODY,
    "tenant-new": Need(Right.ONBOARD, everywhere=True),
    "onboarding-consent": ANYBODY,
    "onboarding": Need(Right.ONBOARD, everywhere=True),
    "onboarding-progress": Need(Right.ONBOARD, everywhere=True),
    "onboarding-discard": Need(Right.ONBOARD, everywhere=True),
    "onboarding-step": Need(Right.ONBOARD, everywhere=True, partly=True),
    "tenant-setup": Need(Right.MANAGE_RULES, partly=True),
    "tenant-end": Need(Right.OFFBOARD),
    "tenant-export": Need(Right.OFFBOARD),
    "tenant": SEE,
    "tenant-retry": Need(Right.RUN_FEED),
    "tenant-state": Need(Right.MANAGE_TENANT),
    "tenant-details": SEE,
    "tenant-again": Need(Right.RUN_FEED),
    "azure": ANYBODY,
    "azure-export": ANYBODY,  # holds the tenants that may be exported
    "azure-tenant": SEE,
    "azure-names": Need(Right.SHOW_NAMES),
    "azure-exempt": Need(Right.MANAGE_RULES),
    "azure-resources": Need(Right.EXPORT),
    "secure-score": ANYBODY,
    "findings": ANYBODY,
    "findings-export": ANYBODY,  # holds those of tenants that may be exported
    "finding": Need(Right.SEE_POSTURE),
    "finding-act": Need(Right.MANAGE_RULES),
    "vulnerabilities": ANYBODY,
    "vulnerabilities-tenant": Need(Right.SEE_POSTURE),
    "vulnerabilities-export": Need(Right.EXPORT),
    "news": ANYBODY,
    "news-tenant": Need(Right.SEE_POSTURE),
    "feeds": PORTAL,
    "feed-do": PORTAL,
    "finding-rules": Need(Right.MANAGE_RULES, Right.MANAGE_RULES),
    "finding-rule-drop": Need(Right.MANAGE_RULES),
    "score-tenant": SEE,
    "score-export": Need(Right.EXPORT),
    "score-control": Need(Right.SEE_CASES, partly=True),  # no control is read there yet
    "score-state": Need(Right.MANAGE_RULES, partly=True),
    "home": ANYBODY,
    "reports": ANYBODY,
    "report-tenant": Need(Right.REPORT),
    "report-live-pdf": Need(Right.REPORT),
    "report-make": Need(Right.REPORT),
    "report": Need(Right.REPORT),
    "report-pdf": Need(Right.REPORT),
    "report-do": Need(Right.MANAGE_RULES),
    "report-link": ANYBODY,
    "report-link-pdf": ANYBODY,
    "branding": PORTAL,
    "branding-logo": ANYBODY,
    "health": ANYBODY,
    "health-heat": ANYBODY,
    "audit": Need(open=Right.SEE_AUDIT),
    "audit-export": Need(open=Right.SEE_AUDIT),
    "settings": ANYBODY,
    "rules": Need(open=Right.MANAGE_RULES),
    "rule-new": Need(open=Right.MANAGE_RULES),
    "rule": Need(Right.MANAGE_RULES, partly=True),
    "rule-end": Need(Right.MANAGE_RULES, partly=True),
    "detections": Need(open=Right.MANAGE_RULES),
    "detection-new": Need(Right.MANAGE_RULES, everywhere=True),
    "detection": Need(Right.MANAGE_RULES, everywhere=True, partly=True),
    "api-tokens": Need(open=Right.MANAGE_KEYS),
    "api-key-use": NEVER,
    "api-key-revoke": NEVER,
    "api-endpoints": ANYBODY,
    "webhooks": Need(open=Right.MANAGE_KEYS),
    "webhook": Need(Right.MANAGE_KEYS, everywhere=True),
    "webhook-do": Need(Right.MANAGE_KEYS, everywhere=True),
    "installation": PORTAL,
    "my-access": ANYBODY,
    "access": GIVES_ROLES,
    "access-roles": GIVES_ROLES,
    "person-new": GIVES_ROLES,
    "person": Need(Right.MANAGE_GRANTS),  # the walk's person is the provider's
    "person-give": Need(Right.MANAGE_GRANTS),
    "person-take": Need(Right.MANAGE_GRANTS),
    "person-switch": Need(Right.MANAGE_GRANTS),
    "groups": Need(Right.MANAGE_GROUPS, everywhere=True),
    "group": Need(Right.MANAGE_GROUPS, everywhere=True),
    "group-delete": Need(Right.MANAGE_GROUPS, everywhere=True),
    "search": ANYBODY,
    "scope": ANYBODY,
    "scope-options": ANYBODY,
    "login": ANYBODY,
    "second-factor": ANYBODY,
    "passkey-login": ANYBODY,
    "challenge": ANYBODY,
    "microsoft": ANYBODY,
    "microsoft-done": ANYBODY,
    "microsoft-leave": ANYBODY,
    "microsoft-confirmed": ANYBODY,
    "logout": ANYBODY,
    "password": NEVER,
    "again": ANYBODY,
    "security": ANYBODY,
    "totp-begin": NEVER,
    "totp-remove": NEVER,
    "passkey-options": NEVER,
    "passkey-add": NEVER,
    "recovery-codes": NEVER,
    "totp": NEVER,
    "passkey-remove": NEVER,
    "session-end": NEVER,
    "mapping-remove": NEVER,
    "sessions-end": ANYBODY,
    "sign-in-settings": PORTAL,
    "sign-in-people": PORTAL,
    "person-sign-out": NEVER,
    "person-reset": NEVER,
    "zones": ANYBODY,
    "preference": ANYBODY,
    "mcp": ANYBODY,
    **{pattern.name: ANYBODY for pattern in API if pattern.name},
}


def test_every_address_says_which_right_it_needs() -> None:
    assert set(RULES) - set(NEEDS) == set(), "add a line to NEEDS"


def at_home(world: World) -> World:
    """The walk's calls name things of C. In this world C's things are A's."""
    return World(
        {**world.tenants, "third": world.tenants["qa"]},
        {**world.cases, "third": world.cases["qa"]},
        {**world.entities, "third": world.entities["qa"]},
    )


def own(one: Call) -> Call:
    """Where a rule writes C's slug itself."""
    method, path, fields = one
    texts = {
        name: value.replace("third", "qa") if isinstance(value, str) else value
        for name, value in fields.items()
    }
    return method, re.sub(r"(?<=[/=])third(?=[/&]|$)", "qa", path), texts


def expected(need: Need, side: str, rights: Rights, home: int) -> frozenset[int]:
    right: Right | None = getattr(need, side)
    ref = rights.tenants.get(home)
    held = rights.everywhere if need.everywhere or ref is None else ref.rights
    if (need.never and side == "closed") or (right is not None and right not in held):
        return NOT_HERE
    return DONE | NOT_HERE if need.partly else DONE


def wrong_answers(client: Client, world: World) -> Iterator[object]:
    rights, home = rights_of(client.person), world.tenants["qa"].pk  # type: ignore[attr-defined]
    for name in RULES.keys() & NEEDS.keys():
        rule = RULES[name]
        for side in ("open", "closed"):
            wanted = expected(NEEDS[name], side, rights, home)
            calls = list(getattr(rule, side)(at_home(world)))
            if getattr(NEEDS[name], side) is None and side == "open":
                calls = calls[:1]  # test_urls.py makes them all
            for one in calls:
                answer = call(client, own(one))
                if answer.status not in wanted:
                    yield name, own(one), answer.status, sorted(wanted)


@pytest.mark.parametrize("role", RIGHTS)
def test_each_role_at_its_own_tenant_and_at_anothers(role: str, sign_in, world: World) -> None:
    client = sign_in(role, world.tenants["qa"])
    closed = [one for rule in RULES.values() for one in rule.closed(world)]
    assert [one for one in closed if call(client, one).status != 404] == []
    assert list(wrong_answers(client, world)) == []


def test_the_provider_admin_everywhere(sign_in, world: World) -> None:
    assert list(wrong_answers(sign_in("admin"), world)) == []


def test_somebody_without_a_role(sign_in, world: World) -> None:
    client = sign_in("viewer")
    Grant.objects.filter(user=client.person).delete()
    assert list(wrong_answers(client, world)) == []


class TestCustomers:
    """A customer never reads who at the provider works for them."""

    NAME = "Zelda"

    @pytest.fixture
    def worked_on(self, sign_in, world: World) -> World:
        start_anew()
        tenant, case = world.tenants["qa"], world.cases["qa"]
        provider = sign_in("analyst", tenant, name=f"{self.NAME.lower()}.provider")
        User.objects.filter(pk=provider.person.pk).update(first_name=self.NAME)
        address = f"/cases/{case.public_id}/triage/"
        for version, fields in enumerate(({"do": "assign", "assignee": "me"}, {"do": "start"}), 1):
            assert provider.post(address, fields | {"version": str(version)}).status_code == 302
        provider.post("/tenants/qa/again/", {"what": "poll"})
        provider.post("/names/", {"case": str(case.public_id)})
        return world

    def test_no_page_names_them(self, sign_in, worked_on: World) -> None:
        client = sign_in("customer_admin", worked_on.tenants["qa"])
        named = []
        for rule in RULES.values():
            for one in (*rule.open(worked_on), *rule.closed(at_home(worked_on))):
                if self.NAME.lower() in call(client, own(one)).text.lower():
                    named.append(one)
        assert named == []

    def test_they_read_that_it_was_somebody(self, sign_in, worked_on: World) -> None:
        client = sign_in("customer_ciso", worked_on.tenants["qa"])
        case = worked_on.cases["qa"].public_id
        for place in ("/?status=any", f"/cases/{case}/?tab=timeline", "/audit/"):
            assert "the provider&#x27;s analyst" in client.get(place).content.decode(), place
        exported = client.get("/queue/export.csv?status=any").getvalue().decode()
        assert "the provider's analyst" in exported

    def test_they_can_t_tell_one_from_another(self, sign_in, worked_on: World) -> None:
        tenant = worked_on.tenants["qa"]
        number = User.objects.get(username=f"{self.NAME.lower()}.provider").pk
        client = sign_in("customer_ciso", tenant)
        text = client.get(f"/?assignee={number}").content.decode()
        assert "may not filter by person" in text
        assert 'class="case-row' not in text
        assert f".{number}." not in client.get("/?status=any").content.decode()
        text = client.get(f"/queue/changes/?assignee={number}&seen=1:1:").content.decode()
        assert text.count('data-match="yes"') == 3
        assert client.get(f"/queue/export.csv?assignee={number}").status_code == 400
        client.post("/queue/views/", {"name": "Theirs", "query": f"assignee={number}"})
        view = SavedView.objects.get(owner=client.person).public_id
        told = client.get("/queue/tallies/").content.decode()
        assert f'id="tab-{view}" hx-swap-oob="true" >3<' in told

    def test_the_providers_people_read_the_name(self, sign_in, worked_on: World) -> None:
        viewer = sign_in("viewer", worked_on.tenants["qa"])
        case = worked_on.cases["qa"].public_id
        for place in ("/?status=any", f"/cases/{case}/?tab=timeline"):
            assert self.NAME in viewer.get(place).content.decode(), place


def test_a_grant_of_a_group_opens_its_tenants(sign_in, world: World) -> None:
    group = TenantGroup.objects.create(slug="pair", name="Pair")
    group.tenants.set([world.tenants["qa"], world.tenants["qatest"]])
    client = sign_in("analyst", world.tenants["qatest"])
    Grant.objects.filter(user=client.person).update(tenant=None, group=group)
    assert client.get("/tenants/qa/").status_code == 200
    assert client.get("/tenants/third/").status_code == 404
    Tenant.objects.get(slug="qa").groups.clear()
    assert client.get("/tenants/qa/").status_code == 404
