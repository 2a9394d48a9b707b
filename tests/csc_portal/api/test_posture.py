"""Posture for programs: findings of every kind, Secure Score, Azure coverage."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from posture.findings import Found, settle
from posture.models import Weakness
from tenants.models import FindingEntry, KnownExploited, ScoreBand, Tenant
from tenants.scope import scope
from tests.csc_portal.api.posture_lab import NOW, TODAY, Posture, make_posture
from tests.csc_portal.api.test_endpoints import problem
from tests.csc_portal.web.conftest import World


@pytest.fixture
def posture(world: World) -> Posture:
    for slug in ("qatest", "third"):
        make_posture(world.tenants[slug])
    return make_posture(world.tenants["qa"])


def test_findings_of_every_kind_are_listed_and_filtered(key_of, posture, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"], world.tenants["qatest"]])
    items = caller.get("findings").json()["items"]
    assert {one["tenant"] for one in items} == {"qa", "qatest"}
    assert [one["kind"] for one in items] == ["score_dropped"] * 2 + ["unwatched_resources"] * 2
    [drop] = caller.get("findings?tenant=qa&kind=score_dropped").json()["items"]
    assert drop == {
        "id": str(posture.findings["score_dropped"]), "tenant": "qa", "kind": "score_dropped",
        "severity": "medium", "summary": drop["summary"], "size": 1, "is_open": True,
        "owner": None, "accepted_until": None, "accepted_why": "", "ticket": None,
        "opened_at": drop["opened_at"], "changed_at": drop["opened_at"], "closed_at": None,
    }  # fmt: skip
    assert drop["summary"].startswith("70.0 to 60.0 percent")

    def count(query: str) -> int:
        return len(caller.get(f"findings?{query}").json()["items"])

    since = (NOW - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert count("severity=medium") == count(f"since={since}") == count(f"until={since}") == 2
    assert count("severity=low&severity=medium") == count("status=any") == 4
    assert count("severity=high") == count("status=closed") == 0
    with scope(world.tenants["qa"]):
        settle("score_dropped", [], NOW)
    [closed] = caller.get("findings?status=closed").json()["items"]
    assert (closed["is_open"], closed["id"]) == (False, drop["id"])
    for query in ("kind=odd", "status=x", "severity=x", "status=open&status=any", "since=x",
                  "cursor=x", "colour=red"):  # fmt: skip
        problem(caller.get(f"findings?{query}"), 400, "validation")
    problem(caller.get("findings?tenant=third"), 404, "not-found")


def test_lists_of_findings_go_on(key_of, posture, world: World) -> None:
    caller = key_of()
    for tenant in world.tenants.values():
        with scope(tenant):
            FindingEntry.objects.update(opened_at=NOW)  # many of one moment
    seen, cursor = [], ""
    while True:
        found = caller.get(f"findings?limit=2{cursor}").json()
        seen += [one["id"] for one in found["items"]]
        if not found["next"]:
            break
        cursor = f"&cursor={found['next']}"
    assert len(seen) == len(set(seen)) == 6
    assert seen == sorted(seen, reverse=True)


def test_a_finding_tells_its_facts(key_of, posture, world: World) -> None:
    caller = key_of("customer_ciso", [world.tenants["qa"]])
    one = caller.get(f"findings/{posture.findings['score_dropped']}").json()
    assert (one["facts"]["own"], one["facts"]["before"]) == (-10.0, 70.0)
    somebody = key_of().key.owner_id
    with scope(world.tenants["qa"]):
        FindingEntry.objects.update(
            owner_id=somebody, ticket_ref="INC-7", ticket_url="https://desk.example/7"
        )
    one = caller.get(f"findings/{posture.findings['score_dropped']}").json()
    assert one["owner"] == {"id": None, "name": "the provider's analyst"}
    assert one["ticket"] == {"reference": "INC-7", "url": "https://desk.example/7"}


def test_the_score_now_and_then(key_of, posture, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"], world.tenants["qatest"]])
    ScoreBand.objects.create(
        name="1 to 50", members=10, lower=30, middle=50, upper=70, counted_at=NOW
    )
    tenant = Tenant.objects.get(slug="qa")
    tenant.score_standing["band"] = "1 to 50"
    tenant.save()
    listed = caller.get("scores").json()["items"]
    assert [(one["tenant"], one["percent"]) for one in listed] == [("qa", 60.0), ("qatest", 60.0)]
    score = caller.get("tenants/qa/score").json()
    assert (score["percent"], score["points"], score["most"]) == (60.0, 60.0, 100.0)
    assert (score["change_7"], score["change_90"], score["day"]) == (7.0, None, str(TODAY))
    assert score["averages"] == {"AllTenants": 45.0}
    assert score["similar"]["middle"] == 50
    assert score["findings"] == [str(posture.findings["score_dropped"])]
    first = caller.get("tenants/qa/score/days?limit=8").json()
    rest = caller.get(f"tenants/qa/score/days?limit=8&cursor={first['next']}").json()
    days = [*first["items"], *rest["items"]]
    assert [one["percent"] for one in days] == [60.0 - back for back in range(12)]
    assert rest["next"] is None
    recent = TODAY - timedelta(days=2)
    some = caller.get(f"tenants/qa/score/days?since={recent}T00:00:00Z&until={TODAY}T00:00:00Z")
    assert [one["points"] for one in some.json()["items"]] == [59.0, 58.0]


def test_what_to_do_next(key_of, posture, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"]])
    path = "tenants/qa/score/controls"
    everything = caller.get(path).json()["items"]
    assert [one["name"] for one in everything] == ["OneAdmin", "AdminMFA", "DLPEnabled"]
    assert [one["is_open"] for one in everything] == [False, True, True]
    first = caller.get(f"{path}?state=open&limit=1").json()
    assert (first["items"][0]["name"], first["items"][0]["gap"]) == ("AdminMFA", 4.0)
    rest = caller.get(f"{path}?state=open&limit=1&cursor={first['next']}").json()
    assert ([one["name"] for one in rest["items"]], rest["next"]) == (["DLPEnabled"], None)
    problem(caller.get(f"{path}?state=shut"), 400, "validation")


def test_coverage_shows_pseudonyms(key_of, posture: Posture, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"]])
    [listed] = caller.get("coverage").json()["items"]
    assert (listed["watched"], listed["unwatched"], listed["percent"]) == (2, 1, 66)
    one = caller.get("tenants/qa/coverage").json()
    assert one["rule"] == "monitored=true"
    assert [(place["subscription"], place["unwatched"]) for place in one["subscriptions"]] == [
        (str(posture.subscription), 1)
    ]
    assert one["subscriptions"][0]["plans_on"] == ["VirtualMachines"]
    assert [kind["type"] for kind in one["types"]] == [
        "microsoft.keyvault/vaults", "microsoft.network/virtualnetworks"
    ]  # fmt: skip
    path = "tenants/qa/resources"
    [vault] = caller.get(f"{path}?state=unwatched").json()["items"]
    assert vault["id"] == str(posture.resources[0])
    assert (vault["why"], vault["reason"]) == ("missing", "The tag monitored=true is missing.")
    seen, cursor = [], ""
    while True:
        found = caller.get(f"{path}?limit=2{cursor}").json()
        seen += [item["id"] for item in found["items"]]
        if not found["next"]:
            break
        cursor = f"&cursor={found['next']}"
    assert seen == sorted(map(str, posture.resources))

    def count(query: str) -> int:
        return len(caller.get(f"{path}?{query}").json()["items"])

    assert count("type=Microsoft.KeyVault/vaults") == 1
    assert count(f"subscription={posture.subscription}") == count("new=false") == 3
    assert count("subscription=00000000-0000-4000-8000-000000000000") == count("new=true") == 0
    for query in ("state=x", "new=1", "subscription=x", f"type={'x' * 121}", "type=%00"):
        problem(caller.get(f"{path}?{query}"), 400, "validation")


def test_who_reads_cases_does_not_read_posture(key_of, posture, world: World) -> None:
    paths = (
        "weaknesses", "tenants/qa/weaknesses", "findings", "scores", "coverage",
        "tenants/qa/score", "tenants/qa/score/days",
        "tenants/qa/resources", f"findings/{posture.findings['score_dropped']}",
    )  # fmt: skip
    cases, only = key_of(scopes=["cases:read"]), key_of(scopes=["posture:read"])
    for path in paths:
        assert cases.get(path).status_code == 404, path
        assert only.get(path).status_code == 200, path
    assert only.get("cases").status_code == 404


def test_weaknesses_and_what_attackers_use(key_of, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"]])
    with scope(world.tenants["qa"]):
        for number in range(3):
            Weakness.objects.create(
                cve=f"CVE-1999-000{number}", severity=4 - number, exposed=3, generation=1,
                products=["contoso/app"], first_seen_at=NOW, read_at=NOW,
            )  # fmt: skip
    KnownExploited.objects.create(cve="CVE-1999-0002", added_on=TODAY, by_ransomware=True)
    Tenant.objects.filter(slug="qa").update(
        weaknesses={"total": 3, "exploited": 1, "read_at": NOW.isoformat()}
    )
    [counts] = caller.get("weaknesses").json()["items"]
    assert (counts["total"], counts["exploited"], counts["likely"]) == (3, 1, 0)
    path = "tenants/qa/weaknesses"
    first = caller.get(f"{path}?limit=1").json()
    worst = first["items"][0]
    assert (worst["cve"], worst["severity"], worst["by_ransomware"]) == (
        "CVE-1999-0002", "medium", True,
    )  # fmt: skip
    assert (worst["products"], worst["devices"], worst["epss"]) == (["contoso/app"], 3, None)
    rest = caller.get(f"{path}?cursor={first['next']}&limit=1").json()["items"]
    assert rest[0]["cve"] == "CVE-1999-0000"
    for query, count in (("which=exploited", 1), ("which=critical", 1), ("text=0001", 1)):
        assert len(caller.get(f"{path}?{query}").json()["items"]) == count, query
    for query in ("which=x", "text=%00", f"text={'x' * 61}", "cursor=x", "colour=red"):
        problem(caller.get(f"{path}?{query}"), 400, "validation")


def test_a_tenant_that_was_never_read(key_of, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"]])
    score = caller.get("tenants/qa/score").json()
    assert (score["percent"], score["points"], score["similar"]) == (None, None, None)
    assert caller.get("tenants/qa/score/controls").json() == {"items": [], "next": None}
    [coverage] = caller.get("coverage").json()["items"]
    assert (coverage["percent"], coverage["read_at"], coverage["watched"]) == (None, None, 0)
    assert caller.get("tenants/qa/coverage").json()["subscriptions"] == []


PINNED = {
    "findings": 3,
    "findings/{finding}": 5,
    "scores": 3,
    "tenants/qa/score": 6,
    "tenants/qa/score/days": 4,
    "tenants/qa/score/controls": 6,
    "coverage": 3,
    "tenants/qa/coverage": 7,
    "tenants/qa/resources": 7,
    "weaknesses": 3,
    "tenants/qa/weaknesses": 4,
}


def test_queries_are_few_and_do_not_grow(key_of, posture: Posture, world: World) -> None:
    caller = key_of()
    finding = posture.findings["score_dropped"]
    caller.get("key")

    def counts() -> dict[str, int]:
        found = {}
        for pattern in PINNED:
            with CaptureQueriesContext(connection) as captured:
                assert caller.get(pattern.format(finding=finding)).status_code == 200, pattern
            found[pattern] = len(captured)
        return found

    few = counts()
    more = [Found(f"key-{number}", 4, "Another", {}) for number in range(20)]
    for tenant in world.tenants.values():
        with scope(tenant):
            settle("exploited_weaknesses", more, NOW)
    assert (few, counts()) == (PINNED, PINNED)
