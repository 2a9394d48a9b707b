"""How many queries each page asks, and that more tenants and rows make no more of them."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from posture.findings import Found, settle
from tenants.audit import record
from tenants.scope import scope
from tests.csc_portal.web.conftest import World, fill

PINNED = {
    "/": 8,
    "/?tenant=qa": 8,
    "/?q=sign&sort=priority": 8,
    "/?sort=due": 8,
    "/?entity={entity}": 11,
    "/queue/changes/?seen=1:1:": 6,
    "/queue/hours/": 4,
    "/queue/tallies/": 6,
    "/queue/bulk/matching/": 5,
    "/queue/export.csv": 7,
    "/chain/": 11,
    "/chain/trend/": 4,
    "/cases/{case}/": 15,
    "/cases/{case}/?tab=alerts": 15,
    "/cases/{case}/?tab=evidence": 14,
    "/cases/{case}/?tab=timeline": 15,
    "/cases/{case}/?tab=sign-ins": 18,
    "/cases/{case}/?tab=related": 14,
    "/cases/{case}/?tab=raw": 13,
    "/cases/{case}/?tab=audit": 12,
    "/cases/{case}/?tab=print": 33,
    "/analytics/": 5,
    "/analytics/times/": 8,
    "/analytics/analysts/": 5,
    "/analytics/sources/?by=tenant": 5,
    "/analytics/entities/": 5,
    "/entities/": 8,
    "/entities/{entity}/": 13,
    "/tenants/": 7,
    "/tenants/qa/": 16,
    "/tenants/qa/details/": 15,
    "/tenants/qa/setup/general/": 4,
    "/tenants/qa/setup/permissions/": 5,
    "/tenants/qa/setup/tickets/": 4,
    "/tenants/qa/setup/promises/": 4,
    "/tenants/qa/setup/end/": 4,
    "/tenants/new/": 6,
    "/secure-score/": 5,
    "/secure-score/?sort=week": 5,
    "/secure-score/qa/": 6,
    "/findings/": 5,
    "/findings/export.csv": 5,
    "/findings/{finding}/": 7,
    "/vulnerabilities/": 7,
    "/vulnerabilities/qa/": 9,
    "/vulnerabilities/qa/weaknesses.csv": 6,
    "/news/": 5,
    "/news/qa/": 6,
    "/settings/feeds/": 4,
    "/settings/finding-tickets/": 4,
    "/reports/": 5,
    "/reports/qa/": 14,
    "/reports/qa/?first=2026-09-01&last=2026-09-09": 14,
    "/reports/qa/live.pdf": 14,
    "/tenants/qa/setup/reports/": 5,
    "/settings/branding/": 4,
    "/coverage/": 7,
    "/coverage/?tenant=qa": 7,
    "/coverage/qa/": 13,
    "/coverage/qa/?state=any&new=1": 13,
    "/tenants/qa/setup/coverage/": 5,
    "/health/": 8,
    "/health/heat/": 8,
    "/audit/": 7,
    "/audit/export.jsonl": 7,
    "/account/rights/": 5,
    "/account/security/": 7,
    "/settings/sign-in/": 7,
    "/settings/people/": 6,
    "/settings/access/": 7,
    "/settings/access/people/{person}/": 7,
    "/settings/access/groups/": 4,
    "/settings/access/roles/": 3,
    "/settings/access/people/new/": 4,
    "/settings/rules/": 4,
    "/settings/rules/new/": 4,
    "/settings/detections/": 4,
    "/settings/installation/": 4,
    "/tenants/qa/setup/assets/": 5,
    "/tenants/qa/setup/priority/": 4,
    "/queue/bulk/ask/?do=assign": 4,
    "/account/zones/": 2,
    "/scope/options/": 4,
}
"""Three of each are session, user and rights. The chain looks into three tenants at most, the heat
map asks one query for each of the (at most 20) tenants on its page; there are three here."""


def found_in(world: World) -> uuid.UUID:
    """A finding that is still open."""
    with scope(world.tenants["qa"]):
        found = settle("exploited_weaknesses", [Found("kev", 3, "Found")], timezone.now())
    return found.opened[0]


def queries(client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
        assert answer.status_code == 200
        answer.getvalue()  # an export is read while it is sent
    return len(captured)


@pytest.mark.parametrize("pattern", PINNED)
def test_queries_are_few_and_do_not_grow(pattern: str, sign_in, world: World) -> None:
    client = sign_in("admin")
    case = world.cases["qa"]
    client.post(f"/cases/{case.public_id}/triage/", {"do": "start", "version": "1"})
    person = sign_in("lead", world.tenants["qa"]).person.pk
    address = pattern.format(
        case=case.public_id, entity=world.entities["qa"], person=person, finding=found_in(world)
    )
    record("somebody", "tested", world.tenants["qa"], f"user {person}")
    few = queries(client, address)
    for tenant in world.tenants.values():
        fill(tenant, 12)
        sign_in("analyst", tenant)
    many = queries(client, address)
    assert (few, many) == (PINNED[pattern], PINNED[pattern])
