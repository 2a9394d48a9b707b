"""What is final, what is asked again, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from enrichment.audits import read_audits
from enrichment.conclude import LAG, Answers, Concluded, conclude
from enrichment.facts import AlertFacts, Known, MatchedBy, Mfa, Prompts, UserRisk
from enrichment.risks import read_detections
from enrichment.sign_ins import Wanted, read_sign_ins
from enrichment.subjects import Question, Subject, grouped
from tests.enrichment.records import (
    AT,
    CLAIM,
    DENIED,
    OID,
    PASSWORD,
    REQUEST,
    audit,
    record,
    stamp,
)
from tests.enrichment.test_sign_ins import PSEUDONYMS

ALL = frozenset(Question)
USER = PSEUDONYMS.pseudonym("user", OID)
BY_ID = Wanted(AT, request_ids=frozenset({REQUEST}))
BY_ADDRESS = Wanted(AT, addresses=frozenset({"203.0.113.7"}))
YES, PENDING, UNKNOWN, FAILED = Known.YES, Known.PENDING, Known.UNKNOWN, Known.FAILED


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def subject(wanted: Wanted = BY_ID, questions: frozenset[Question] = ALL, pk: int = 1) -> Subject:
    return Subject(pk, USER, OID, "", wanted, questions)


def answers(*sign_ins: dict[str, Any], **more: Any) -> Answers:
    given = {"sign_ins_known": YES, "audits_known": YES, "risk_known": YES, "risk": UserRisk("low")}
    return Answers(sign_ins=read_sign_ins(sign_ins), **{**given, **more})


def after(
    passed: timedelta,
    found: Answers,
    *,
    about: Subject | None = None,
    before: AlertFacts | None = None,
    attempts: int = 0,
) -> Concluded:
    start = before or AlertFacts(1)
    return conclude(about or subject(), found, start, attempts, AT + passed, PSEUDONYMS)


def test_everything_is_there() -> None:
    found = after(minutes(20), answers(record(), audits=read_audits([audit("Add user")])))
    facts = found.facts
    assert found.due_at is None
    assert (facts.user, facts.user_count) == (USER, 1)
    assert (facts.sign_in_known, facts.risk_known, facts.audits_known) == (YES, YES, YES)
    assert facts.sign_in is not None
    assert (facts.sign_in.mfa, facts.sign_in.matched_by) == (Mfa.PERFORMED, MatchedBy.REQUEST)
    assert [one.operation for one in facts.audits] == ["account_added"]


def test_a_proof_settles_before_it_counts() -> None:
    found = after(minutes(4), answers(record()))
    assert found.facts.sign_in is not None
    assert (found.facts.sign_in_known, found.facts.audits_known) == (PENDING, PENDING)
    assert found.due_at == AT + minutes(15)
    denied = record("d", -1, error=500121, steps=[PASSWORD, DENIED])
    later = after(minutes(15), answers(record(), denied), before=found.facts, attempts=1)
    assert later.facts.sign_in_known is YES
    assert later.facts.prompts == Prompts(denied=1), "it came late"


def test_what_is_no_proof_needs_no_second_reading() -> None:
    for steps in ([CLAIM], [PASSWORD]):
        one = record(steps=steps, authenticationRequirement="singleFactorAuthentication")
        found = after(
            minutes(4), answers(one), about=subject(questions=frozenset([Question.SIGN_IN]))
        )
        assert (found.facts.sign_in_known, found.due_at) == (YES, None)


def test_incomplete_details_are_read_again_for_an_hour() -> None:
    bare = answers(record(steps=[]))
    found = after(minutes(20), bare)
    assert (found.facts.sign_in_known, found.due_at) == (PENDING, AT + minutes(25))
    found = after(minutes(61), bare, attempts=3)
    assert found.facts.sign_in_known is YES
    assert found.facts.sign_in is not None
    assert found.facts.sign_in.mfa is Mfa.UNKNOWN


def test_a_late_record_is_asked_for_until_the_lag_has_passed() -> None:
    now, attempts, asked = AT + minutes(3), 0, []
    only = subject(questions=frozenset([Question.SIGN_IN]))
    while True:
        found = conclude(only, answers(), AlertFacts(1), attempts, now, PSEUDONYMS)
        if found.due_at is None:
            break
        assert found.facts.sign_in_known is PENDING
        now, attempts = found.due_at, attempts + 1
        asked.append(now - AT)
    assert asked == [minutes(8), minutes(23), minutes(83), minutes(143), minutes(203), LAG]
    assert found.facts.sign_in_known is UNKNOWN
    assert found.facts.sign_in is None


def test_of_an_old_alert_it_is_known_at_once_that_nothing_came() -> None:
    found = after(timedelta(days=2), answers())
    assert (found.facts.sign_in_known, found.due_at) == (UNKNOWN, None)


def test_several_candidates_are_final() -> None:
    found = after(minutes(4), answers(record("a"), record("b")), about=subject(BY_ADDRESS))
    assert (found.facts.sign_in, found.facts.sign_in_known) == (None, UNKNOWN)


@pytest.mark.parametrize(
    ("known", "due"),
    [(FAILED, AT + minutes(21)), (Known.NO_LICENCE, None), (Known.NO_PERMISSION, None)],
)
def test_a_source_that_gives_nothing(known: Known, due: datetime | None) -> None:
    found = after(
        minutes(20),
        Answers(sign_ins_known=known, audits_known=known, risk_known=known),
    )
    facts = found.facts
    assert {facts.sign_in_known, facts.risk_known, facts.audits_known} == {known}
    assert found.due_at == due


def test_a_failing_source_is_asked_ever_more_rarely_and_given_up() -> None:
    down = Answers(sign_ins_known=FAILED, audits_known=YES, risk_known=YES)
    waits = []
    for attempts in range(6):
        due = after(minutes(20), down, attempts=attempts).due_at
        assert due is not None
        waits.append((due - AT - minutes(20)) / minutes(1))
    assert waits == [1, 2, 5, 15, 60, 60]
    found = after(timedelta(days=7), down, attempts=99)
    assert (found.facts.sign_in_known, found.due_at) == (UNKNOWN, None)


def test_an_alert_from_the_future_is_not_asked_about_for_ever() -> None:
    found = after(timedelta(days=-9999), answers(), attempts=20)
    assert found.due_at is not None
    assert after(timedelta(days=-9999), answers(), attempts=200).due_at is None


def test_a_failure_keeps_what_was_known() -> None:
    first = after(minutes(4), answers(record(), audits=read_audits([audit("Add user", -1)])))
    down = Answers(sign_ins_known=FAILED, audits_known=FAILED)
    again = subject(questions=frozenset([Question.SIGN_IN, Question.AUDITS]))
    before = replace(first.facts, risk_known=YES)
    found = after(minutes(20), down, about=again, before=before, attempts=1)
    assert found.facts.sign_in == first.facts.sign_in
    assert found.facts.audits == first.facts.audits
    assert found.facts.risk_known is YES
    assert found.facts.sign_in_known is FAILED


def test_the_risk_is_read_again_until_the_sign_in_is_settled() -> None:
    first = after(minutes(4), answers(record()))
    assert (first.facts.risk_known, first.facts.risk) == (PENDING, UserRisk("low"))
    late = answers(record(), risk=UserRisk("high", "atRisk", ("attackerinTheMiddle",)))
    found = after(minutes(16), late, before=first.facts, attempts=1)
    assert (found.facts.risk_known, found.facts.risk) == (YES, late.risk)


def test_what_a_detection_may_still_name_is_not_guessed() -> None:
    about = subject(BY_ADDRESS)
    detection = {"activityDateTime": stamp(AT), "ipAddress": "203.0.113.7", "requestId": "b"}
    named = {"detections": read_detections([detection])}
    # The record that it names is late; another one from the same address is there.
    found = after(minutes(4), answers(record("a"), **named), about=about)
    assert (found.sign_in, found.facts.sign_in_known) == (None, PENDING)
    unread = answers(record("a"), risk=None, risk_known=FAILED)
    found = after(minutes(9), unread, about=about, before=found.facts, attempts=1)
    assert (found.sign_in, found.facts.sign_in_known) == (None, PENDING)
    rows = answers(record("a"), record("b"), **named)
    found = after(minutes(16), rows, about=about, before=found.facts, attempts=2)
    assert found.sign_in is not None
    assert found.sign_in.id == "b"


@pytest.mark.parametrize(("hours", "known"), [(-2, UNKNOWN), (-1, YES), (1, YES), (2, UNKNOWN)])
def test_of_a_sign_in_far_from_the_alert_not_all_was_read(hours: float, known: Known) -> None:
    facts = after(timedelta(hours=3), answers(record(minutes=60 * hours))).facts
    assert facts.sign_in is not None
    assert facts.sign_in_known is known


def test_a_second_candidate_that_comes_late_counts() -> None:
    about = subject(BY_ADDRESS)
    first = after(minutes(4), answers(record("a")), about=about)
    assert first.sign_in is not None
    rows = answers(record("a"), record("b", 2, steps=[PASSWORD]))
    found = after(minutes(16), rows, about=about, before=first.facts, attempts=1)
    assert (found.facts.sign_in, found.facts.sign_in_known) == (None, UNKNOWN)


def test_of_several_addresses_a_detection_tells_no_request() -> None:
    both = replace(BY_ADDRESS, addresses=frozenset({"203.0.113.7", "198.51.100.9"}))
    detection = {"activityDateTime": stamp(AT), "ipAddress": "203.0.113.7", "requestId": "a"}
    rows = answers(record("a"), detections=read_detections([detection]))
    found = after(minutes(20), rows, about=subject(both)).facts.sign_in
    assert found is not None
    assert found.matched_by is MatchedBy.ADDRESS_AND_TIME


def test_a_risk_detection_tells_the_request() -> None:
    detection = {"activityDateTime": stamp(AT), "ipAddress": "203.0.113.7", "requestId": "b"}
    rows = answers(record("a"), record("b"), detections=read_detections([detection]))
    found = after(minutes(20), rows, about=subject(BY_ADDRESS))
    assert found.sign_in is not None
    assert (found.sign_in.id, found.facts.sign_in_known) == ("b", YES)
    far = {**detection, "activityDateTime": stamp(AT + minutes(10))}
    rows = answers(record("a"), record("b"), detections=read_detections([far]))
    assert after(minutes(20), rows, about=subject(BY_ADDRESS)).facts.sign_in_known is UNKNOWN


def test_a_match_is_kept_when_the_detections_are_not_read_again() -> None:
    detection = {"activityDateTime": stamp(AT), "ipAddress": "203.0.113.7", "requestId": "b"}
    rows = answers(record("a"), record("b"), detections=read_detections([detection]))
    first = after(minutes(4), rows, about=subject(BY_ADDRESS))
    again = subject(BY_ADDRESS, frozenset([Question.SIGN_IN, Question.RISK]))
    rows = answers(record("a"), record("b"), risk_known=FAILED)
    found = after(minutes(16), rows, about=again, before=first.facts, attempts=1)
    assert found.facts.sign_in == first.facts.sign_in
    assert found.facts.sign_in_known is YES


def test_audits_from_before_the_alert_are_not_its_own() -> None:
    rows = read_audits(
        [audit("Add user", -1450), audit("Delete user", -1430), audit("Add user", 90)]
    )
    found = after(minutes(200), answers(record(), audits=rows))
    assert [one.operation for one in found.facts.audits] == ["account_deleted", "account_added"]


def test_a_flood_of_audits_is_cut_and_proves_nothing() -> None:
    rows = read_audits([audit("Add user", n / 60) for n in range(201)])
    facts = after(minutes(20), answers(record(), audits=rows)).facts
    assert (len(facts.audits), facts.audits_known) == (200, UNKNOWN)
    assert facts.audits[-1].at > facts.audits[0].at


# --- read together --------------------------------------------------------------------------------


def at(hours: float, pk: int, who: str = OID) -> Subject:
    wanted = replace(BY_ID, at=AT + timedelta(hours=hours))
    return replace(subject(wanted, pk=pk), user_id=who)


def test_alerts_of_a_user_are_read_together_where_they_are_near() -> None:
    groups = grouped([at(0, 1), at(2, 2, "other"), at(20, 3), at(70, 4), at(90, 5), at(1, 6)])
    assert [[one.alert_id for one in group.subjects] for group in groups] == [
        [1, 6, 3], [4, 5], [2],
    ]  # fmt: skip
    since, until = groups[0].sign_in_range()
    assert (since, until) == (AT - timedelta(hours=25), AT + timedelta(hours=21))


def test_audits_are_not_asked_before_they_can_be_there() -> None:
    (group,) = grouped([subject()])
    assert group.asks(Question.SIGN_IN, AT)
    assert not group.asks(Question.AUDITS, AT + minutes(14))
    assert group.asks(Question.AUDITS, AT + minutes(15))
    since, until = group.audit_range(AT + minutes(15))
    assert (since, until) == (AT - timedelta(hours=24), AT + minutes(15))
