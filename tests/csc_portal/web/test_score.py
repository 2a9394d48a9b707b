"""Secure Score and findings as pages: ranked, drawn, exported, read live, decided."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from csc_portal.score import run_score
from csc_portal.score_chart import chart
from csc_portal.web.entering import PROVED_AT
from posture.findings import Found, settle
from posture.models import ControlProfile
from posture.scores import Points, Score
from tenants.models import ScoreBand, Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import SECRET, World
from tests.lab import new_slug
from tests.posture.test_secure_score import CONTROLS, PERSON, day, profile

NOW = datetime.now(UTC)


@pytest.fixture
def scored(simulator, world: World) -> Tenant:
    """qa with two days of a score at Microsoft, read; one of its titles is a formula."""
    given = simulator.control.add_directory(new_slug("web-score"), populate=False)
    Tenant.objects.filter(slug="qa").update(
        directory_id=UUID(given["directory"]),
        client_id=UUID(given["client_id"]),
        credential_secret=given["credential_secret"],
    )
    titles = {"OneAdmin": "=cmd|' /C calc'!A0"}
    changes = {name: {"title": titles[name]} for name in titles}
    profiles = [profile(name, **changes.get(name, {})) for name in CONTROLS]
    fallen = {**CONTROLS, "AdminMFA": 33.0}
    base = datetime(2026, 11, 20, tzinfo=UTC)
    back = (base.date() - NOW.date()).days
    days = [day(back + 1, CONTROLS), day(back, fallen)]
    simulator.control.add_rows(given["slug"], "profiles", profiles)
    simulator.control.add_rows(given["slug"], "scores", days)
    tenant = Tenant.objects.get(slug="qa")
    assert run_score(tenant, NOW).error == ""
    yield Tenant.objects.get(slug="qa")
    simulator.control.clear_faults()


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_all_tenants_ranked_and_scoped(sign_in, scored: Tenant, world: World) -> None:
    Tenant.objects.filter(slug="qatest").update(score_percent=12.5, score_standing={"change_7": 1})
    Tenant.objects.filter(slug="third").update(score_percent=5, score_standing={"day": SECRET})
    client = sign_in("viewer", scored, world.tenants["qatest"])
    page = text(client, "/secure-score/")
    assert page.index("12.5 %") < page.index("63.0 %")
    assert "THIRD" not in page
    fell = text(client, "/secure-score/?sort=week")
    assert fell.index("12.5 %") < fell.index("63.0 %")  # qa has no day a week ago: last
    assert "12.5 %" not in text(client, "/secure-score/?tenant=qa")


def test_a_tenants_page_tells_of_the_drop_and_what_to_do(sign_in, scored: Tenant) -> None:
    page = text(sign_in("customer_ciso", scored), "/secure-score/qa/")
    assert "70.0 to 63.0 percent" in page
    assert "7.0 points lost" in page
    assert '<path class="chart-line"' in page
    assert "The same as a table" in page
    # All have the effort 6; 40 of 50 points are missing, 30 and 17.
    assert page.index("=cmd|") < page.index("Title of DLPEnabled</a>")
    assert "told from 10 of this size on" in page


def test_similar_tenants_are_shown_when_there_are_enough(sign_in, scored: Tenant) -> None:
    ScoreBand.objects.create(
        name=scored.score_standing["band"], members=10, lower=31, middle=47, upper=66,
        counted_at=NOW,
    )  # fmt: skip
    page = text(sign_in("viewer", scored), "/secure-score/qa/")
    assert "upper third 66 %, lower 31 %" in page
    assert "Same size, here 47" in page


def test_the_file_holds_no_formula(sign_in, scored: Tenant) -> None:
    answer = sign_in("viewer", scored).get("/secure-score/qa/controls.csv")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert [row["control"] for row in rows] == ["OneAdmin", "DLPEnabled", "AdminMFA"]
    assert rows[0]["title"].startswith("'=cmd|")
    assert (rows[0]["gap"], rows[0]["effort"]) == ("40.0", "6")
    assert audited().filter(action="exported", tenant=scored).exists()


def test_steps_are_read_live_without_markup_and_people_only_on_demand(
    sign_in, scored: Tenant
) -> None:
    client = sign_in("analyst", scored)
    page = text(client, "/secure-score/qa/AdminMFA/")
    assert f"Ask {PERSON}" in page  # Microsoft's own words, as text
    assert "<b>" not in page
    assert f"by {PERSON}" not in page
    client.post("/names/toggle/", {"on": "yes"})
    answer = client.get("/secure-score/qa/AdminMFA/")
    assert f"by {PERSON}" in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    assert audited().filter(action="names_shown", tenant=scored).count() == 1
    assert client.get("/secure-score/qa/Nothing/").status_code == 404


def test_without_microsoft_the_page_says_so(sign_in, simulator, scored: Tenant) -> None:
    simulator.control.fault("status", service="graph", status=400)
    page = text(sign_in("viewer", scored), "/secure-score/qa/AdminMFA/")
    assert "The texts can&#x27;t be read" in page or "The texts can't be read" in page


def stored_state(tenant: Tenant) -> str:
    with scope(tenant):
        return ControlProfile.objects.get(name="AdminMFA").state


ADDRESS = "/secure-score/qa/AdminMFA/state/"
IGNORE = {"state": "Ignored", "comment": "accepted by the board"}


def test_a_decision_goes_to_microsoft_and_into_the_audit_log(
    sign_in, simulator, scored: Tenant
) -> None:
    client = sign_in("lead", scored)
    assert client.post(ADDRESS, IGNORE).status_code == 302
    (sent,) = simulator.control.requests(method="PATCH", path="AdminMFA")
    assert '"Ignored"' in sent["body"]
    assert stored_state(scored) == "Ignored"
    entry = audited().get(action="control_state_set")
    assert entry.facts == {"before": "Default", "after": "Ignored"}
    assert "board" not in str(entry.facts) + entry.subject
    page = text(client, "/secure-score/qa/")
    assert "Title of AdminMFA</a><span" not in page
    assert "Title of AdminMFA</a><span" in text(client, "/secure-score/qa/?show=all")


def test_a_decision_needs_a_recent_login_and_the_right(sign_in, simulator, scored: Tenant) -> None:
    simulator.control.forget_requests()
    stale = sign_in("lead", scored)
    session = stale.session
    session[PROVED_AT] = (NOW - timedelta(hours=1)).isoformat()
    session.save()
    assert b"again" in stale.post(ADDRESS, IGNORE).content
    assert sign_in("analyst", scored).post(ADDRESS, IGNORE).status_code == 404
    assert sign_in("customer_admin", scored).post(ADDRESS, IGNORE).status_code == 404
    assert simulator.control.requests(method="PATCH") == []
    assert stored_state(scored) == "Default"


def test_a_missing_permission_to_write_is_said_plainly(sign_in, simulator, scored: Tenant) -> None:
    simulator.control.fault("status", service="graph", method="PATCH", status=403)
    answer = sign_in("lead", scored).post(ADDRESS, IGNORE, follow=True)
    assert "SecurityEvents.ReadWrite.All" in answer.content.decode()
    assert stored_state(scored) == "Default"
    assert not audited().filter(action="control_state_set").exists()


def test_findings_have_a_list_of_their_own(sign_in, scored: Tenant, world: World) -> None:
    with scope(world.tenants["third"]):
        settle("score_dropped", [Found("score", 4, SECRET)], NOW)
    client = sign_in("viewer", scored)
    page = text(client, "/findings/")
    assert "Secure Score fell" in page
    assert "70.0 to 63.0 percent" in page
    assert SECRET not in page + text(client, "/findings/?tenant=third&status=any")
    assert "Nothing is open" in text(client, "/findings/?kind=score_dropped&tenant=none")
    with scope(scored):
        settle("score_dropped", [], NOW)
    assert "70.0 to 63.0" not in text(client, "/findings/")
    assert "70.0 to 63.0" in text(client, "/findings/?status=closed")


@pytest.mark.parametrize(
    ("address", "pinned"), [("/secure-score/", 5), ("/secure-score/qa/", 8), ("/findings/", 5)]
)
def test_more_tenants_ask_no_more_queries(
    sign_in, scored: Tenant, world: World, address: str, pinned: int
) -> None:
    client = sign_in("admin")

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(client, address)
        return len(captured)

    few = count()
    standing = scored.score_standing
    Tenant.objects.filter(pk__in=[one.pk for one in world.tenants.values()]).update(
        score_percent=50, score_standing=standing
    )
    for slug in ("qatest", "third"):
        with scope(world.tenants[slug]):
            settle("score_dropped", [Found("score", 3, "Fell"), Found("other", 2, "Too")], NOW)
    assert (few, count()) == (pinned, pinned)


def test_a_curve_needs_two_days_and_labels_do_not_lie_on_each_other() -> None:
    days = [
        Score(NOW.date() - timedelta(days=back), 50 + back, 100, {"a": Points(50)})
        for back in (2, 1, 0)
    ]
    assert chart(days[:1], {}) is None
    found = chart(days, {"one": 50.0, "two": 50.2, "three": 49.9})
    assert found is not None
    heights = sorted([found.label_y, *(line.label_y for line in found.lines)])
    assert all(after - before >= 15 for before, after in pairwise(heights))
    assert len({line.dash for line in found.lines}) == 3
