"""The Secure Score read over TLS: 90 days, then what is new; drops, found and ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.management import CommandError, call_command

from alerts.models import SourceAbility
from clients.throttle import LIMITS, Limit
from csc_portal.score import FAULT, LIMIT, count_bands, run_score, start_scores
from posture.models import ControlProfile, Finding, ScoreDay
from simulator import Simulator
from tenants.directories import governor, graph_for
from tenants.models import FindingEntry, ScoreBand, Tenant
from tenants.scope import granted, scope
from tests import payloads
from tests.lab import reread

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SCORES = "/security/secureScores"
PROFILES = "/security/secureScoreControlProfiles"
PERSON = "person.canary@canary.example"
CONTROLS = {"AdminMFA": 40.0, "DLPEnabled": 20.0, "OneAdmin": 10.0}


def day(back: int, controls: dict[str, float], most: float = 100) -> dict[str, Any]:
    """A document as Microsoft's example, `back` days before NOW."""
    at = NOW - timedelta(days=back)
    return {
        **payloads.load("microsoft/securescore-get"),
        "id": f"d_{at:%Y-%m-%d}",
        "createdDateTime": f"{at:%Y-%m-%d}T00:00:00Z",
        "currentScore": sum(controls.values()),
        "maxScore": most,
        "controlScores": [
            {"controlName": name, "score": points, "description": f"<p>{PERSON}</p>",
             "controlCategory": "Identity"}
            for name, points in controls.items()
        ],
    }  # fmt: skip


def profile(name: str, most: float = 50, **changes: Any) -> dict[str, Any]:
    update = {"state": "Default", "comment": PERSON, "assignedTo": PERSON, "updatedBy": PERSON,
              "updatedDateTime": "2026-11-01T08:00:00Z"}  # fmt: skip
    return {
        **payloads.load("microsoft/securescorecontrolprofile-get"),
        "id": name, "title": f"Title of {name}", "maxScore": most,
        "remediation": f"Ask <b>{PERSON}</b>", "controlStateUpdates": [update], **changes,
    }  # fmt: skip


@pytest.fixture
def slug(simulator: Simulator, customer: Tenant) -> str:
    """Of the customer and of its directory, which has controls and no score yet."""
    control, name = simulator.control, customer.slug
    for table in ("scores", "profiles"):
        control.delete_rows(name, table)
    control.add_rows(name, "profiles", [profile(one) for one in CONTROLS])
    control.forget_requests()
    return name


def read(slug: str, at: datetime = NOW):
    return run_score(reread(slug), at)


def rows(slug: str, model: type) -> list[Any]:
    with scope(reread(slug)):
        return list(model.objects.all())


def test_ninety_days_at_first_then_what_is_new(simulator, slug) -> None:
    simulator.control.add_rows(slug, "scores", [day(back, CONTROLS) for back in range(89, -1, -1)])
    first = read(slug)
    assert (first.read.days, first.read.new_days, first.read.profiles) == (90, 90, 3)
    assert first.read.percent == 70.0
    again = read(slug)
    assert (again.read.days, again.read.new_days) == (2, 0)
    asked = simulator.control.requests(directory=slug, path=SCORES)
    tops = [unquote(one["target"]).partition("?")[2] for one in asked]
    assert tops == ["$top=90", "$top=2"]
    assert len(rows(slug, ScoreDay)) == 90
    tenant = reread(slug)
    assert tenant.score_percent == 70.0
    assert (tenant.score_read_at, tenant.score_standing["change_30"]) == (NOW, 0.0)
    assert timedelta(hours=12) <= tenant.next_score_at - NOW <= timedelta(hours=36)


def test_a_week_without_reading_is_caught_up(simulator, slug) -> None:
    simulator.control.add_rows(slug, "scores", [day(7, CONTROLS)])
    read(slug, NOW - timedelta(days=7))
    simulator.control.add_rows(slug, "scores", [day(back, CONTROLS) for back in range(6, -1, -1)])
    found = read(slug)
    assert (found.read.days, found.read.new_days) == (8, 7)


def test_nothing_about_people_and_no_text_is_stored(simulator, slug) -> None:
    simulator.control.add_rows(slug, "scores", [day(0, CONTROLS)])
    read(slug)
    tenant = reread(slug)
    with scope(tenant):
        stored = str([*ScoreDay.objects.values(), *ControlProfile.objects.values()])
    assert "AdminMFA" in stored
    assert "canary" not in stored + str(tenant.score_standing)
    assert "search tool" not in stored


def test_a_drop_opens_a_finding_that_closes_when_the_points_are_back(simulator, slug) -> None:
    fallen = {**CONTROLS, "AdminMFA": 33.0}
    simulator.control.add_rows(slug, "scores", [day(back, CONTROLS) for back in (3, 2, 1)])
    read(slug, NOW - timedelta(days=1))
    simulator.control.add_rows(slug, "scores", [day(0, fallen)])
    assert read(slug).read.opened == 1
    assert read(slug).read.opened == 0
    (finding,) = rows(slug, Finding)
    assert (finding.severity, finding.is_open) == (3, True)
    assert finding.summary == "70.0 to 63.0 percent since 2026-11-19: 1 control lost points"
    assert finding.facts["controls"] == [
        {"name": "AdminMFA", "title": "Title of AdminMFA", "points": -7.0}
    ]
    tenant = reread(slug)
    with granted([tenant.pk]):
        entry = FindingEntry.objects.get()
    assert (entry.public_id, entry.closed_at) == (finding.public_id, None)
    later = NOW + timedelta(days=1)
    simulator.control.add_rows(slug, "scores", [day(-1, CONTROLS)])
    assert read(slug, later).read.closed == 1
    with granted([tenant.pk]):
        assert FindingEntry.objects.get().closed_at == later


def test_a_control_whose_most_changed_is_told_apart(simulator, slug) -> None:
    control = simulator.control
    control.add_rows(slug, "scores", [day(1, CONTROLS)])
    read(slug, NOW - timedelta(days=1))
    control.add_rows(slug, "profiles", [profile("DLPEnabled", most=10)])
    control.add_rows(slug, "scores", [day(0, {**CONTROLS, "DLPEnabled": 4.0, "New": 0.0})])
    assert read(slug).read.opened == 0
    control.add_rows(slug, "scores", [day(0, {**CONTROLS, "DLPEnabled": 4.0, "AdminMFA": 30.0})])
    assert read(slug).read.opened == 1
    (finding,) = rows(slug, Finding)
    assert (finding.facts["own"], finding.facts["microsofts"]) == (-10.0, -16.0)
    assert finding.facts["most_changed"] == ["DLPEnabled"]


def test_nonsense_is_counted_and_leaves_the_rest(simulator, slug) -> None:
    broken = {**day(1, CONTROLS), "currentScore": "many"}
    simulator.control.add_rows(slug, "scores", [day(2, CONTROLS), broken, day(0, CONTROLS)])
    simulator.control.add_rows(slug, "profiles", [{**profile("x"), "id": "no <b>name</b>"}])
    found = read(slug)
    assert (found.read.days, found.read.profiles, found.read.unread) == (2, 3, 2)


def test_a_missing_permission_is_said_once_and_asked_again_tomorrow(simulator, slug) -> None:
    simulator.control.add_rows(slug, "scores", [day(0, CONTROLS)])
    read(slug)
    simulator.control.configure(slug, roles=["SecurityAlert.Read.All"])
    graph_for(reread(slug)).forget_token()
    simulator.control.forget_requests()
    found = read(slug)
    assert "SecurityEvents.Read.All" in found.noted
    assert found.error == ""
    assert len(simulator.control.requests(directory=slug, path=PROFILES)) == 1
    assert simulator.control.requests(directory=slug, path=SCORES) == []
    tenant = reread(slug)
    assert tenant.score_percent == 70.0  # what was known stays
    assert tenant.score_standing["problem"] == found.noted
    assert tenant.next_score_at - NOW >= timedelta(hours=12)
    assert "SecurityEvents.Read.All" in tenant.missing_permissions
    states = {ability.source: ability.state for ability in rows(slug, SourceAbility)}
    assert states["secure-score"] == "no_permission"


def test_a_fault_is_tried_again_within_the_hour(simulator, slug) -> None:
    simulator.control.fault("status", service="graph", directory=slug, status=400)
    found = read(slug)
    assert found.error
    tenant = reread(slug)
    assert tenant.score_standing["problem"] == FAULT
    assert tenant.next_score_at == NOW + timedelta(hours=1)
    simulator.control.clear_faults()
    read(slug)
    assert "problem" not in reread(slug).score_standing


def test_a_limit_is_over_in_minutes(simulator, slug) -> None:
    key, family = str(reread(slug).directory_id), "secure_score"
    governor().set_limit(key, family, Limit(1, 600))
    assert read(slug).error
    governor().set_limit(key, family, LIMITS[family])
    tenant = reread(slug)
    assert tenant.score_standing["problem"] == LIMIT
    wait = tenant.next_score_at - NOW
    assert timedelta(minutes=2) <= wait <= timedelta(minutes=10)
    read(slug)
    assert "problem" not in reread(slug).score_standing


def test_sync_by_command(simulator, slug) -> None:
    simulator.control.add_rows(slug, "scores", [day(0, CONTROLS)])
    out = StringIO()
    call_command("sync", slug, "--source", "secure-score", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["fetched"], found["new"], found["failed"]) == (4, 1, 0)
    assert found["secure_score"]["percent"] == 70.0
    simulator.control.fault("status", service="graph", directory=slug, status=400)
    with pytest.raises(CommandError):
        call_command("sync", slug, "--source", "secure-score", "--json", stdout=StringIO())


@pytest.fixture
def eleven(qa: Tenant) -> list[Tenant]:
    """Tenants of one size, whose scores are 10, 20 ... 110 less a little."""
    made = []
    for number in range(11):
        one = Tenant.objects.get(pk=qa.pk)
        one.pk = None
        one._state.adding = True
        one.slug, one.schema_name = f"of-eleven-{number}", f"t_of_eleven_{number}"
        for name in ("public_id", "directory_id"):
            setattr(one, name, qa.public_id.__class__(int=qa.public_id.int ^ (number + 1)))
        one.state, one.score_percent = "active", 8.0 * number
        one.score_read_at, one.score_standing = datetime.now(UTC), {"band": "1 to 50"}
        made.append(one)
    return Tenant.objects.bulk_create(made)


def test_similar_tenants_are_told_of_from_ten_on(eleven: list[Tenant]) -> None:
    count_bands()
    found = ScoreBand.objects.get()
    # 0 8 16 | 40 in the mean of all | 64 72 80
    assert (found.lower, found.middle, found.upper, found.members) == (8, 40, 72, 10)
    Tenant.objects.filter(pk__in=[one.pk for one in eleven[:2]]).update(state="paused")
    count_bands()
    assert not ScoreBand.objects.exists()


def test_every_due_tenant_is_started_once(qa, qatest, monkeypatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(
        "csc_portal.score.score_tenant.apply_async", lambda words, **_: started.append(words[0])
    )
    Tenant.objects.filter(pk=qa.pk).update(state="active", next_score_at=None)
    Tenant.objects.filter(pk=qatest.pk).update(
        state="active", next_score_at=datetime.now(UTC) + timedelta(hours=1)
    )
    start_scores()
    start_scores()
    assert started.count(qa.pk) == 1
    assert qatest.pk not in started
