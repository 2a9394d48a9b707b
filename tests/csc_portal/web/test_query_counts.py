"""How many queries each page asks, and that more tenants and rows make no more of them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.csc_portal.web.conftest import World, fill

PINNED = {
    "/": 7,
    "/?tenant=qa": 7,
    "/?q=sign": 7,
    "/?entity={entity}": 10,
    "/queue/changes/?seen=1:1:": 6,
    "/queue/hours/": 4,
    "/queue/export.csv": 7,
    "/chain/": 10,
    "/cases/{case}/": 13,
    "/entities/{entity}/": 8,
    "/tenants/": 7,
    "/tenants/qa/": 14,
    "/tenants/qa/details/": 13,
    "/health/": 7,
    "/health/heat/": 8,
    "/audit/": 5,
    "/scope/options/": 3,
}
"""Three of each are session, user and rights. The chain looks into three tenants at most, the heat
map asks one query for each of the (at most 20) tenants on its page; there are three here."""


def queries(client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("pattern", PINNED)
def test_queries_are_few_and_do_not_grow(pattern: str, sign_in, world: World) -> None:
    client = sign_in("admin")
    case = world.cases["qa"]
    client.post(f"/cases/{case.public_id}/triage/", {"do": "start", "version": "1"})
    address = pattern.format(case=case.public_id, entity=world.entities["qa"])
    few = queries(client, address)
    for tenant in world.tenants.values():
        fill(tenant, 12)
    many = queries(client, address)
    assert (few, many) == (PINNED[pattern], PINNED[pattern])
