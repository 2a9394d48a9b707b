"""What people do to cases: each change is compared, written down and shown in the queue."""

from __future__ import annotations

import pytest

from alerts import triage
from alerts.ingest import store_page
from alerts.models import Case, CaseEvent
from alerts.prepare import prepare_page
from alerts.triage import Outcome, Refused
from tenants.models import QueueEntry, Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tests.alerts.documents import alert, user

ME, OTHER = 11, 12


@pytest.fixture
def case(qa: Tenant, pseudonymiser: Pseudonymiser):  # type: ignore[no-untyped-def]
    with scope(qa):
        page = prepare_page([alert("a", user("anna"))], pseudonymiser)
        store_page(qa.pk, page, pseudonymiser.version)
        yield Case.objects.get()


def entry() -> QueueEntry:
    return QueueEntry.objects.get()


def test_assigning_tells_timeline_and_queue(qa: Tenant, case: Case) -> None:
    outcome = triage.assign(qa.pk, {case.pk: 1}, actor_id=ME, assignee_id=OTHER)
    assert outcome == Outcome(changed=(case.pk,))
    event = CaseEvent.objects.get(kind="assigned")
    assert (event.actor_id, event.case_id) == (ME, case.pk)
    assert event.facts == {"before": {"assignee_id": None}, "after": {"assignee_id": OTHER}}
    assert entry().assignee_id == OTHER
    case.refresh_from_db()
    assert case.version == 2


def test_a_stale_version_changes_nothing(qa: Tenant, case: Case) -> None:
    triage.assign(qa.pk, {case.pk: 1}, actor_id=OTHER, assignee_id=OTHER)
    outcome = triage.resolve(qa.pk, {case.pk: 1}, actor_id=ME, verdict="falsePositive")
    assert outcome == Outcome(stale=(case.pk,))
    assert entry().status == 0
    assert CaseEvent.objects.filter(actor_id=ME).count() == 0


def test_the_second_time_changes_nothing(qa: Tenant, case: Case) -> None:
    triage.start(qa.pk, {case.pk: 1}, actor_id=ME)
    assert triage.start(qa.pk, {case.pk: 2}, actor_id=ME) == Outcome(unchanged=(case.pk,))
    assert CaseEvent.objects.filter(kind="started").count() == 1


def test_starting_takes_a_case_of_nobody(qa: Tenant, case: Case) -> None:
    triage.start(qa.pk, {case.pk: 1}, actor_id=ME)
    assert (entry().status, entry().assignee_id) == (1, ME)


def test_resolving_needs_a_verdict(qa: Tenant, case: Case) -> None:
    for verdict in ("", "nonsense"):
        with pytest.raises(Refused, match="verdict"):
            triage.resolve(qa.pk, {case.pk: 1}, actor_id=ME, verdict=verdict)
    triage.resolve(qa.pk, {case.pk: 1}, actor_id=ME, verdict="truePositive")
    assert (entry().status, entry().verdict) == (2, "truePositive")


def test_reopening_takes_the_verdict_away(qa: Tenant, case: Case) -> None:
    triage.resolve(qa.pk, {case.pk: 1}, actor_id=ME, verdict="truePositive")
    triage.reopen(qa.pk, {case.pk: 2}, actor_id=ME)
    assert (entry().status, entry().verdict) == (0, "")
    assert triage.reopen(qa.pk, {case.pk: 3}, actor_id=ME).unchanged == (case.pk,)


def test_judging_does_not_close(qa: Tenant, case: Case) -> None:
    triage.judge(qa.pk, {case.pk: 1}, actor_id=ME, verdict="falsePositive")
    assert (entry().status, entry().verdict) == (0, "falsePositive")


def test_a_merged_case_is_left_alone(qa: Tenant, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(status=Case.Status.MERGED)
    assert triage.start(qa.pk, {case.pk: 1}, actor_id=ME) == Outcome(stale=(case.pk,))


def test_many_cases_take_as_many_queries_as_one(
    qa: Tenant, case: Case, pseudonymiser: Pseudonymiser, django_assert_num_queries
) -> None:
    page = prepare_page([alert(f"b{n}", user(f"user{n}")) for n in range(5)], pseudonymiser)
    store_page(qa.pk, page, pseudonymiser.version)
    seen = dict.fromkeys(Case.objects.values_list("pk", flat=True), 1)
    with django_assert_num_queries(6):  # in a transaction already; else two more
        outcome = triage.assign(qa.pk, seen, actor_id=ME, assignee_id=ME)
    assert len(outcome.changed) == 6
