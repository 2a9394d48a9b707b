"""What the portal does with cases by itself: it closes, raises, waits and opens again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts import triage
from alerts.auto_closed import decisions_of
from alerts.models import Case, CaseEvent, Decision
from alerts.refresh import summarise
from alerts.suppress import NewSuppression, snooze, suppress, wake
from csc_portal.rebuild import compare
from enrichment.facts import AlertFacts, Known, Mfa, Prompts
from tenants.models import QueueEntry, Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tests.alerts.documents import address, alert, user
from tests.alerts.judgement_lab import FINE, NOW, PROVEN, decide, hours, know, take

UNKNOWN = AlertFacts(0, PROVEN.user, 1, sign_in_known=Known.UNKNOWN)
PENDING = AlertFacts(0, PROVEN.user, 1)


@pytest.fixture
def one(qa: Tenant, pseudonymiser: Pseudonymiser) -> Iterator[Case]:
    """A case of one alert about an unfamiliar sign-in."""
    with scope(qa):
        yield take(qa, pseudonymiser, alert("a", user("anna")))[0]


def now_is(case: Case) -> Case:
    case.refresh_from_db()
    return case


def test_proven_case_is_closed_with_its_proof(qa: Tenant, one: Case) -> None:
    know("a")
    decided = decide(qa, NOW)
    case = now_is(one)
    assert (decided.closed, decided.raised) == (1, 0)
    assert (case.status, case.closed_by) == (Case.Status.RESOLVED, "proof")
    assert (case.verdict, case.determination) == (
        "informationalExpectedActivity",
        "confirmedActivity",
    )
    decision = Decision.objects.get()
    assert (decision.outcome, decision.basis) == ("closed", "proof")
    (sign_in,) = decision.facts["sign_ins"]
    assert sign_in["request"] == str(FINE.request)
    assert (sign_in["method"], sign_in["matched_by"]) == ("app", "request_id")
    assert CaseEvent.objects.filter(case=case, kind="auto_closed").count() == 1
    assert QueueEntry.objects.get().closed_by == "proof"


def test_the_second_time_nothing_changes(qa: Tenant, one: Case) -> None:
    know("a", UNKNOWN)
    assert decide(qa, NOW).raised == 1
    before = Case.objects.values().get()
    know("a", UNKNOWN)
    assert decide(qa, NOW).raised == 0
    assert Case.objects.values().get() == before
    assert Decision.objects.count() == 1
    assert decide(qa, NOW).judged == 0


def test_what_was_decided_last_holds_whatever_the_clock_of_the_worker(
    qa: Tenant, one: Case
) -> None:
    know("a", PENDING)
    decide(qa, NOW)
    know("a", UNKNOWN)
    decide(qa, NOW - hours(0.1))
    assert [found.outcome for found in decisions_of(one.pk)] == ["raised", "waiting"]


@pytest.mark.parametrize("facts", [UNKNOWN, replace(PROVEN, audits_known=Known.FAILED), PENDING])
def test_missing_facts_never_close(qa: Tenant, one: Case, facts: AlertFacts) -> None:
    know("a", facts)
    assert decide(qa, NOW + hours(1)).closed == 0
    assert now_is(one).is_open
    assert one.ticket_after is None


def test_a_case_waits_for_facts_for_a_bounded_time(qa: Tenant, one: Case) -> None:
    know("a", PENDING)
    assert decide(qa, NOW).waiting == 1
    assert one.opened_at + timedelta(minutes=30) == now_is(one).ticket_after
    assert decide(qa, one.ticket_after).raised == 1
    assert now_is(one).ticket_after is None


def test_a_high_severity_waits_for_nothing(qa: Tenant, pseudonymiser: Pseudonymiser) -> None:
    with scope(qa):
        (case,) = take(qa, pseudonymiser, alert("h", user("anna"), severity="high"))
        know("h", PENDING)
        assert decide(qa, NOW).raised == 1
        assert now_is(case).ticket_after is None


@pytest.mark.parametrize("change", ["assign", "reopen"])
def test_what_a_person_touched_is_never_closed(qa: Tenant, one: Case, change: str) -> None:
    if change == "assign":
        triage.assign(qa.pk, {one.pk: 1}, actor_id=7, assignee_id=8)
        triage.assign(qa.pk, {one.pk: 2}, actor_id=7, assignee_id=None)
    else:
        know("a")
        decide(qa, NOW)
        triage.reopen(qa.pk, {one.pk: now_is(one).version}, actor_id=7)
    know("a")
    assert decide(qa, NOW).closed == 0
    assert now_is(one).is_open
    assert one.closed_by == ""


@pytest.mark.parametrize("kind", ["reopened_in_ticket", "judged_in_microsoft", "reopened"])
def test_what_people_did_elsewhere_counts_also_in_a_merged_case(
    qa: Tenant, one: Case, pseudonymiser: Pseudonymiser, kind: str
) -> None:
    (other,) = take(qa, pseudonymiser, alert("b", user("bert")))
    CaseEvent.objects.create(case=other, kind=kind)
    Case.objects.filter(pk=other.pk).update(status=Case.Status.MERGED, merged_into=one)
    know("a")
    assert decide(qa, NOW).closed == 0
    assert now_is(one).is_open


def test_an_analysts_touch_meanwhile_wins(
    qa: Tenant, one: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    know("a")
    from alerts import decide as shell

    think = shell.judge

    def slow(*args: object) -> object:
        found = think(*args)
        if now_is(one).assignee_id is None:
            triage.assign(qa.pk, {one.pk: one.version}, actor_id=7, assignee_id=7)
        return found

    monkeypatch.setattr(shell, "judge", slow)
    assert decide(qa, NOW).closed == 0
    assert now_is(one).is_open
    assert one.assignee_id == 7
    assert Decision.objects.filter(outcome="closed").count() == 0


@pytest.mark.parametrize(("mode", "outcome"), [("dry", "would_close"), ("off", "raised")])
def test_a_tenant_may_switch_it_off(qa: Tenant, one: Case, mode: str, outcome: str) -> None:
    qa.auto_close = mode
    know("a")
    assert decide(qa, NOW).closed == 0
    assert now_is(one).is_open
    assert Decision.objects.get().outcome == outcome
    assert one.ticket_after is None


def test_new_evidence_about_the_person_opens_it_again(
    qa: Tenant, one: Case, pseudonymiser: Pseudonymiser
) -> None:
    know("a")
    decide(qa, NOW)
    (other,) = take(
        qa, pseudonymiser, alert("b", user("anna"), hours=2, title="Suspicious inbox rule")
    )
    know("b", UNKNOWN)
    assert decide(qa, NOW).reopened == 1
    assert now_is(one).is_open
    assert one.closed_by == ""
    event = CaseEvent.objects.get(case=one, kind="reopened")
    assert event.facts["by"] == "evidence"
    know("a")
    decide(qa, NOW)
    assert now_is(one).is_open
    assert other.pk != one.pk


def test_a_closed_case_that_becomes_more_severe_is_opened(
    qa: Tenant, one: Case, pseudonymiser: Pseudonymiser
) -> None:
    know("a")
    decide(qa, NOW)
    take(qa, pseudonymiser, alert("a", user("anna"), severity="high", updated_hours=1))
    assert decide(qa, NOW).reopened == 1
    assert now_is(one).is_open


def test_a_redelivery_leaves_it_closed(qa: Tenant, one: Case, pseudonymiser: Pseudonymiser) -> None:
    know("a")
    decide(qa, NOW)
    take(qa, pseudonymiser, alert("a", user("anna"), updated_hours=1))
    decide(qa, NOW)
    assert not now_is(one).is_open
    assert Decision.objects.count() == 1


def test_a_real_case_about_the_person_speaks_against_it(
    qa: Tenant, one: Case, pseudonymiser: Pseudonymiser
) -> None:
    (real,) = take(
        qa, pseudonymiser, alert("b", user("anna"), hours=-3, title="Suspicious inbox rule")
    )
    triage.resolve(qa.pk, {real.pk: real.version}, actor_id=7, verdict="truePositive")
    know("a")
    assert decide(qa, NOW).closed == 0
    assert now_is(one).is_open


@pytest.mark.parametrize(
    ("title", "is_open"),
    [("Activity from suspicious IP addresses", True), ("Impossible travel activity", False)],
)
def test_a_report_of_the_same_that_is_not_proven_opens_it(
    qa: Tenant, pseudonymiser: Pseudonymiser, title: str, is_open: bool
) -> None:
    with scope(qa):
        seen = [user("anna"), address("198.51.100.7")]
        (case,) = take(qa, pseudonymiser, alert("a", *seen))
        know("a")
        decide(qa, NOW)
        other = "microsoftDefenderForCloudApps"
        told = alert("b", *seen, hours=0.2, title=title, serviceSource=other, detectionSource=other)
        assert take(qa, pseudonymiser, told) == [case], "it joins the closed case"
        know("b")
        decide(qa, NOW)
        assert now_is(case).is_open is is_open


def test_suppressed_is_closed_and_seen(qa: Tenant, one: Case) -> None:
    know("a", UNKNOWN)
    new = NewSuppression(
        "azureAdIdentityProtection",
        "Unfamiliar sign-in properties",
        None,
        3,
        "The gateway moves this month",
        NOW + timedelta(days=7),
    )
    suppress(new, actor_id=7, now=NOW)
    assert decide(qa, NOW).suppressed == 1
    assert (now_is(one).status, one.closed_by) == (Case.Status.RESOLVED, "suppressed")
    assert QueueEntry.objects.get().closed_by == "suppressed"
    assert Decision.objects.get().facts["suppression"]["reason"] == new.reason


def test_suppression_ends_and_spares_the_more_severe(
    qa: Tenant, one: Case, pseudonymiser: Pseudonymiser
) -> None:
    know("a", UNKNOWN)
    new = NewSuppression(
        "azureAdIdentityProtection", "Unfamiliar sign-in properties", None, 2, "For a test",
        NOW + timedelta(days=7),
    )  # fmt: skip
    suppress(new, actor_id=7, now=NOW)
    decide(qa, NOW)
    assert now_is(one).is_open
    low = alert("b", user("bert"), severity="low")
    (later,) = take(qa, pseudonymiser, low)
    assert decide(qa, NOW + timedelta(days=8)).suppressed == 0
    assert now_is(later).is_open


def test_suppression_of_one_person(qa: Tenant, one: Case, pseudonymiser: Pseudonymiser) -> None:
    entity = pseudonymiser.pseudonym("user", "upn:anna@contoso.com")
    new = NewSuppression(
        "azureAdIdentityProtection", "Unfamiliar sign-in properties", entity, 3, "For a test",
        NOW + timedelta(days=7),
    )  # fmt: skip
    suppress(new, actor_id=7, now=NOW)
    (other,) = take(qa, pseudonymiser, alert("b", user("bert")))
    for key in "ab":
        know(key, UNKNOWN)
    assert decide(qa, NOW).suppressed == 1
    assert not now_is(one).is_open
    assert now_is(other).is_open


def test_snoozed_comes_back_in_time(qa: Tenant, one: Case) -> None:
    know("a", UNKNOWN)
    decide(qa, NOW)
    version = now_is(one).version
    until = NOW + hours(4)
    snooze(qa.pk, {one.pk: version}, actor_id=7, until=until, reason="Asked the customer", now=NOW)
    assert QueueEntry.objects.get().snoozed_until == until
    decide(qa, NOW + hours(3))
    assert now_is(one).snoozed_until == until
    decide(qa, until)
    assert now_is(one).snoozed_until is None
    assert QueueEntry.objects.get().snoozed_until is None
    assert CaseEvent.objects.filter(case=one, kind="woken").count() == 1


def test_a_woken_case_gets_its_ticket_at_once(qa: Tenant, one: Case) -> None:
    know("a", UNKNOWN)
    version, until = now_is(one).version, NOW + hours(4)
    snooze(qa.pk, {one.pk: version}, actor_id=7, until=until, reason="Asked the customer", now=NOW)
    decide(qa, NOW)
    assert now_is(one).ticket_after == until
    wake(qa.pk, {one.pk: one.version}, actor_id=7)
    decide(qa, NOW)
    assert now_is(one).ticket_after is None


@pytest.mark.parametrize("more", [{"severity": "high"}, {"title": "Atypical travel"}])
def test_snoozed_comes_back_with_something_new(
    qa: Tenant, one: Case, pseudonymiser: Pseudonymiser, more: dict[str, str]
) -> None:
    snooze(
        qa.pk, {one.pk: 1}, actor_id=7, until=NOW + hours(9), reason="Asked the customer", now=NOW
    )
    take(qa, pseudonymiser, alert("a", user("anna"), updated_hours=0.1, status="inProgress"))
    assert now_is(one).snoozed_until is not None
    key = "a" if "severity" in more else "b"
    take(qa, pseudonymiser, alert(key, user("anna"), updated_hours=1, **more))
    assert now_is(one).snoozed_until is None
    assert CaseEvent.objects.filter(case=one, kind="woken").count() == 1


def test_terms_of_the_priority_are_kept(qa: Tenant, one: Case) -> None:
    facts = replace(
        PROVEN, sign_in=replace(FINE, mfa=Mfa.CLAIM), prompts=Prompts(denied=3), audits=()
    )
    know("a", facts)
    decide(qa, NOW)
    case = now_is(one)
    assert [(code, points) for code, points, _ in case.terms] == [
        ("severity_medium", 50), ("mfa_by_claim", 5), ("mfa_prompts", 15),
    ]  # fmt: skip
    assert case.priority == 70 == QueueEntry.objects.get().priority
    summarise([case.pk])
    assert now_is(one).priority == 70


def test_statements_do_not_grow_with_the_cases(qa: Tenant, pseudonymiser: Pseudonymiser) -> None:
    def cost(names: list[str]) -> int:
        with scope(qa):
            take(qa, pseudonymiser, *(alert(name, user(name)) for name in names))
            for name in names:
                know(name, UNKNOWN)
            with CaptureQueriesContext(connection) as seen:
                decide(qa, NOW)
        return len(seen)

    assert cost(["a"]) == cost(["b", "c", "d", "e", "f"])


def test_the_shared_queue_can_be_rebuilt_the_same(qa: Tenant, one: Case) -> None:
    know("a")
    decide(qa, NOW)
    assert not compare(qa)
