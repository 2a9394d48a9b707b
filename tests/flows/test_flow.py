"""The whole flow over TLS, with real Postgres, Valkey, workers and beat."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerts.models import Alert, Case
from tenants.models import QueueEntry, Tenant
from tenants.scope import granted, scope
from tests.alerts.documents import stamp
from tests.flows.conftest import SLUGS
from tests.lab import (
    check_complete,
    make_due,
    reread,
    state_of,
    wait_for,
    wait_for_polls,
)
from ticketing.models import Ticket

pytestmark = pytest.mark.usefixtures("portal", "committed")
ONE, TWO, THREE = SLUGS
POST_TICKET = ("POST", "/tickets")


def case_of(slug: str, provider_id: str) -> Case:
    with scope(reread(slug)):
        return Alert.objects.select_related("case").get(provider_id=provider_id).case


def ticket_of(simulator, slug: str, case: Case) -> dict:
    with scope(reread(slug)):
        external = Ticket.objects.get(case=case).external_id
    return next(one for one in simulator.control.tickets(slug) if str(one["id"]) == external)


def open_alert(simulator, slug: str) -> dict:
    """A document whose case is open."""
    with scope(reread(slug)):
        found = Alert.objects.filter(case__status=Case.Status.NEW).first().provider_id
    return simulator.control.alert(slug, found)


def test_every_alert_is_in_a_case_and_every_open_case_has_one_ticket(simulator):
    for slug in SLUGS:
        assert len(simulator.control.alerts(slug)) > 5
        assert simulator.control.tickets(slug)
        check_complete(simulator, slug)


def test_the_queue_shows_every_case_of_each_tenant_and_of_no_other():
    for slug in SLUGS:
        tenant = reread(slug)
        with scope(tenant):
            cases = set(Case.objects.filter(status__lt=3).values_list("public_id", "ticket_ref"))
        with granted([tenant.pk]):
            shown = QueueEntry.objects.values_list("tenant_id", "public_id", "ticket_ref")
            assert set(shown) == {(tenant.pk, *case) for case in cases}


def test_first_attempts_create_without_looking(simulator, portal):
    for slug in SLUGS:
        calls = [
            (row["method"], row["target"].partition("?")[0].rpartition("/api/v2")[2], row["status"])
            for row in portal.first_requests
            if row["service"] == "freshservice" and row["directory"] == directory(slug)
        ]
        created = [status for method, path, status in calls if (method, path) == POST_TICKET]
        # Cases that wait for facts may have got their tickets since.
        assert 0 < len(created) <= len(simulator.control.tickets(slug))
        assert set(created) == {201}
        assert not [path for _, path, _ in calls if "filter" in path], "nothing was looked for"


def directory(slug: str) -> str:
    return str(reread(slug).directory_id)


def test_polling_again_changes_nothing(simulator):
    before = [state_of(slug) for slug in SLUGS]
    wait_for_polls(SLUGS, times=2)
    assert [state_of(slug) for slug in SLUGS] == before
    for slug in SLUGS:
        check_complete(simulator, slug)


def test_a_new_alert_joins_its_case_and_makes_one_note(simulator):
    document = open_alert(simulator, ONE)
    case = case_of(ONE, document["id"])
    notes = len(ticket_of(simulator, ONE, case)["conversations"])
    now = stamp(datetime.now(UTC))
    late = {**document, "id": "late-1", "providerAlertId": "late-1", "lastUpdateDateTime": now}
    simulator.control.add_alert(ONE, {**late, "title": "Joined later"})

    def talks() -> list[dict]:
        return ticket_of(simulator, ONE, case)["conversations"][notes:]

    wait_for(talks, 90, "a note")
    wait_for_polls([ONE], times=2)
    assert len(talks()) == 1
    assert "Joined later" in talks()[0]["body"]
    grown = case_of(ONE, "late-1")
    assert (grown.pk, grown.alert_count) == (case.pk, case.alert_count + 1)
    check_complete(simulator, ONE)


def test_a_change_at_microsoft_arrives(simulator):
    document = open_alert(simulator, TWO)
    simulator.control.change_alert(TWO, document["id"], severity="high", status="inProgress")

    def arrived() -> bool:
        with scope(reread(TWO)):
            return Alert.objects.filter(
                provider_id=document["id"], severity=4, status="inProgress"
            ).exists()

    wait_for(arrived)
    tenant, case = reread(TWO), case_of(TWO, document["id"])
    with granted([tenant.pk]):
        assert QueueEntry.objects.get(case_id=case.pk).severity == 4


def test_a_case_that_microsoft_resolved_is_closed(simulator):
    document = open_alert(simulator, TWO)
    case = case_of(TWO, document["id"])
    with scope(reread(TWO)):
        ids = list(Alert.objects.filter(case=case).values_list("provider_id", flat=True))
    for provider_id in ids:
        simulator.control.change_alert(TWO, provider_id, status="resolved")
    wait_for(lambda: not case_of(TWO, ids[0]).is_open)


def test_a_token_that_ends_and_a_secret_that_rotates_need_no_restart(simulator):
    """The old secret is unknown at once (AADSTS7000215), while the workers still remember it."""
    simulator.control.rotate_app_secret()
    for slug in SLUGS:
        simulator.control.fault("status", service="graph", directory=slug, status=401, count=3)
    wait_for_polls(SLUGS, times=2)
    for fault in simulator.control.faults():
        assert fault["hits"] > 0
    simulator.control.clear_faults()
    assert not Tenant.objects.filter(slug__in=SLUGS, failures__gt=0).exists()
    asked = simulator.control.requests(service="entra", method="POST")
    assert {row["status"] for row in asked} >= {200, 401}


def test_one_that_always_fails_delays_nobody_and_shows_it(simulator):
    simulator.control.fault("status", service="graph", directory=THREE, status=500, count=-1)
    wait_for(lambda: reread(THREE).failures, 60, "it shows as failing")
    wait_for_polls([ONE, TWO], seconds=60, times=2)
    failing = reread(THREE)
    assert failing.failing_since is not None
    assert "500" in failing.last_error
    assert not Tenant.objects.filter(slug__in=[ONE, TWO], failures__gt=0).exists()
    simulator.control.clear_faults()
    make_due(THREE)
    wait_for(lambda: reread(THREE).failures == 0, 90, "it recovers by itself")
    assert (reread(THREE).failing_since, reread(THREE).last_error) == (None, "")


def test_one_that_hangs_delays_nobody(simulator):
    simulator.control.fault("timeout", service="graph", directory=THREE, seconds=20, count=-1)
    make_due(THREE)
    wait_for(lambda: simulator.control.faults()[0]["hits"], 60, "it hangs")
    now = stamp(datetime.now(UTC))
    document = {**open_alert(simulator, ONE), "id": "meanwhile", "lastUpdateDateTime": now}
    simulator.control.add_alert(ONE, document)
    wait_for(lambda: case_of_or_none(ONE, "meanwhile"), 60, "the others go on")
    simulator.control.clear_faults()


def case_of_or_none(slug: str, provider_id: str) -> int | None:
    with scope(reread(slug)):
        found = Alert.objects.filter(provider_id=provider_id)
        return found.values_list("case_id", flat=True).first()
