"""Reports by the API: made, listed, read with their numbers, and as PDF."""

from __future__ import annotations

from reports.models import Report
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.reports.lab import OCTOBER, fill


def test_a_report_is_made_once_and_read(key_of, world: World) -> None:
    plan = {"zone": OCTOBER.zone}
    Tenant.objects.filter(slug="qa").update(created_at=OCTOBER.before.since, report_plan=plan)
    fill(Tenant.objects.get(slug="qa"))
    caller = key_of("customer_ciso", [world.tenants["qa"]])
    made = caller.post("reports", {"month": "2026-10"}).json()
    assert (made["period"], made["tenant"], made["is_month"]) == ("October 2026", "qa", True)
    assert made["since"] == OCTOBER.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    again = caller.post("reports", {"tenant": "qa", "first": "2026-10-01", "last": "2026-10-31"})
    assert again.json() == made
    assert [one["id"] for one in caller.get("reports").json()["items"]] == [made["id"]]
    read = caller.get(f"reports/{made['id']}").json()
    assert read == made
    cases = read["figures"]["handled"]["cases"]
    assert sum(cases.values()) > 10
    assert any(f"{sum(cases.values())} cases were opened" in line for line in read["brief"])
    assert read["before"]["handled"]["cases"]
    paper = caller.get(f"reports/{made['id']}/pdf")
    assert (paper.headers["Content-Type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert paper.headers["Cache-Control"] == "no-store"
    entry = audited().get(action="report_downloaded")
    assert entry.facts == {"key": caller.key.prefix}


def test_a_lost_answer_is_given_again(key_of, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"]])
    body = {"first": "2026-09-03", "last": "2026-09-09"}
    answers = [caller.post("reports", body, **{"Idempotency-Key": "one"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    with scope(world.tenants["qa"]):
        assert Report.objects.count() == 1


def test_what_is_no_period_is_refused(key_of, world: World) -> None:
    caller = key_of("viewer", [world.tenants["qa"]])
    for body in (
        {}, {"month": "2026-13"}, {"month": "2999-01"}, {"month": "0000-01"}, {"month": "x"},
        {"first": "2026-09-03"}, {"first": "2026-09-03", "last": "2026-09-01"},
        {"month": "2026-09", "first": "2026-09-01", "last": "2026-09-02"},
        {"first": "0001-01-01", "last": "0001-01-02"},
        {"first": "9999-12-31", "last": "9999-12-31"},
        {"month": "2026-09", "odd": 1}, {"first": "2020-01-01", "last": "2026-01-01"},
    ):  # fmt: skip
        assert caller.post("reports", body).status_code == 400, body
    with scope(world.tenants["qa"]):
        assert not Report.objects.exists()
    both = key_of("viewer", [world.tenants["qa"], world.tenants["qatest"]])
    assert both.post("reports", {"month": "2026-09"}).status_code == 400
    assert both.post("reports", {"month": "2026-09", "tenant": "third"}).status_code == 404
