"""From what was read to the facts of an alert, and when to ask again.

Logs lag: what is not there yet is asked for again until the lag has passed; then it is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from enrichment.audits import Audit, audit_facts
from enrichment.facts import AlertFacts, Known, MatchedBy, Mfa, UserRisk
from enrichment.risks import Detection
from enrichment.sign_ins import (
    NEAR,
    Match,
    SignIn,
    Wanted,
    facts_of_sign_in,
    keys_of,
    match,
    prompts_before,
)
from enrichment.subjects import AFTER, AUDITS_BEFORE, SETTLED_AFTER, Question, Subject
from tenants.pseudonyms import Pseudonymiser

INCOMPLETE_FOR = timedelta(hours=1)
"""So long the details of a sign-in that is there may still come."""
LAG = timedelta(hours=4)
ASK_AGAIN = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 60))
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60))
GIVE_UP_AFTER = timedelta(days=7)
"""A source that is down for so long is not asked about this alert any more."""
MOST_AUDITS = 200
"""Who changes more is a script; the latest are kept, and nothing is proven by them."""
MOST_ATTEMPTS = 200
"""The same for an alert whose own time lies in the future: its lag would never pass."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was read for a user. YES means that the source answered in full."""

    sign_ins: Sequence[SignIn] = ()
    sign_ins_known: Known = Known.NOT_ASKED
    detections: Sequence[Detection] = ()
    risk: UserRisk | None = None
    risk_known: Known = Known.NOT_ASKED
    audits: Sequence[Audit] = ()
    audits_known: Known = Known.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Concluded:
    """`sign_in`: the record behind the facts, for memory only. `due_at`: None if all is final."""

    facts: AlertFacts
    sign_in: SignIn | None
    due_at: datetime | None


def conclude(
    subject: Subject,
    answers: Answers,
    before: AlertFacts,
    attempts: int,
    now: datetime,
    pseudonymiser: Pseudonymiser,
) -> Concluded:
    """`before`: what was known; `attempts`: how often was asked before. What is final stays."""
    facts = replace(before, user=subject.user, user_count=1)
    asked = subject.questions
    found: SignIn | None = None
    if Question.SIGN_IN in asked:
        facts, found = _sign_in(subject, answers, facts, now, pseudonymiser)
    if Question.RISK in asked:
        facts = replace(facts, risk=answers.risk, risk_known=_risk_known(subject, answers, facts))
    if Question.AUDITS in asked:
        facts = _audits(subject, answers, facts, now, pseudonymiser)
    facts = _not_asked(facts, asked)
    if now - subject.wanted.at >= GIVE_UP_AFTER or attempts >= MOST_ATTEMPTS:
        facts = _given_up(facts)
    return Concluded(facts, found, _due(facts, subject.wanted.at, attempts, now))


def _not_asked(facts: AlertFacts, asked: frozenset[Question]) -> AlertFacts:
    """What is neither final nor asked is no question for this alert."""

    def known(one: Known, question: Question) -> Known:
        return one if one.is_final or question in asked else Known.NOT_ASKED

    return replace(
        facts,
        sign_in_known=known(facts.sign_in_known, Question.SIGN_IN),
        risk_known=known(facts.risk_known, Question.RISK),
        audits_known=known(facts.audits_known, Question.AUDITS),
    )


def _risk_known(subject: Subject, answers: Answers, facts: AlertFacts) -> Known:
    """Read again with the sign-in until that is settled: detections come late as well."""
    is_waited_for = Question.SIGN_IN in subject.questions and not facts.sign_in_known.is_final
    if answers.risk_known is Known.YES and is_waited_for:
        return Known.PENDING
    return answers.risk_known


def _sign_in(
    subject: Subject,
    answers: Answers,
    facts: AlertFacts,
    now: datetime,
    pseudonymiser: Pseudonymiser,
) -> tuple[AlertFacts, SignIn | None]:
    if answers.sign_ins_known is not Known.YES:
        return replace(facts, sign_in_known=answers.sign_ins_known), None
    found = _match(subject, answers, facts, pseudonymiser)
    if found.sign_in is None:
        return replace(facts, sign_in=None, sign_in_known=_missing(found, subject, now)), None
    sign_in = found.sign_in
    return (
        replace(
            facts,
            sign_in=facts_of_sign_in(sign_in, found.by, pseudonymiser),
            sign_in_known=_settled(sign_in, subject.wanted, now),
            prompts=prompts_before(answers.sign_ins, sign_in),
        ),
        sign_in,
    )


def _match(
    subject: Subject, answers: Answers, before: AlertFacts, pseudonymiser: Pseudonymiser
) -> Match:
    """By all that is known now. A risk detection that can't be read yet could still name the
    sign-in, so none is guessed meanwhile; one that a detection led to stays.
    """
    wanted = subject.wanted
    if wanted.request_ids:
        return match(answers.sign_ins, wanted)
    asks_risk = Question.RISK in subject.questions
    if asks_risk and answers.risk_known.is_final:
        return match(answers.sign_ins, _told_by(answers.detections, wanted))
    again = _again(answers.sign_ins, before, pseudonymiser)
    if again is not None or asks_risk:
        return again or Match()
    return match(answers.sign_ins, wanted)


def _again(
    sign_ins: Sequence[SignIn], before: AlertFacts, pseudonymiser: Pseudonymiser
) -> Match | None:
    """The record that a detection led to when it was read before."""
    if before.sign_in is None or before.sign_in.matched_by is MatchedBy.ADDRESS_AND_TIME:
        return None
    known, by = before.sign_in.request, before.sign_in.matched_by
    for one in sign_ins:
        if known in pseudonymiser.all_versions(*keys_of(one)["request"]):
            return Match(one, by)
    return None


def _told_by(detections: Sequence[Detection], wanted: Wanted) -> Wanted:
    """Where the alert names no request, a risk detection of its address and time may; of several
    addresses, which one it is about is not told by that.
    """
    if len(wanted.addresses) > 1:
        return wanted
    near = [
        one
        for one in detections
        if one.at is not None
        and abs(one.at - wanted.at) <= NEAR
        and one.address in wanted.addresses
    ]
    requests = frozenset(one.request_id for one in near if one.request_id)
    if requests:
        return replace(wanted, request_ids=requests)
    return replace(
        wanted, correlation_ids=frozenset(one.correlation_id for one in near if one.correlation_id)
    )


def _missing(found: Match, subject: Subject, now: datetime) -> Known:
    if found.is_ambiguous or now - subject.wanted.at >= LAG:
        return Known.UNKNOWN
    return Known.PENDING


def _settled(sign_in: SignIn, wanted: Wanted, now: datetime) -> Known:
    """Of one that is far from what the alert tells, the day before it was not read (`subjects`)."""
    if abs(sign_in.at - wanted.at) > AFTER:
        return Known.UNKNOWN
    return Known.PENDING if _may_change(sign_in, now) else Known.YES


def _may_change(sign_in: SignIn, now: datetime) -> bool:
    """Whether a later reading may say something else that matters: about MFA that was done, or
    where nothing is said about MFA yet. What already is no proof does not become one.
    """
    age = now - sign_in.at
    if sign_in.mfa is Mfa.PERFORMED:
        return age < SETTLED_AFTER
    return sign_in.succeeded and sign_in.mfa is Mfa.UNKNOWN and age < INCOMPLETE_FOR


def _audits(
    subject: Subject,
    answers: Answers,
    facts: AlertFacts,
    now: datetime,
    pseudonymiser: Pseudonymiser,
) -> AlertFacts:
    """Those of the reading that lie behind this alert; not asked before they can be there."""
    known = answers.audits_known
    if now < subject.wanted.at + SETTLED_AFTER:
        known = Known.PENDING
    if not answers.audits and answers.audits_known is not Known.YES:
        return replace(facts, audits_known=known)
    found = [one for one in answers.audits if one.at >= subject.wanted.at - AUDITS_BEFORE]
    audits = audit_facts(found, pseudonymiser)
    if len(audits) > MOST_AUDITS:
        known = Known.UNKNOWN
    return replace(facts, audits=audits[-MOST_AUDITS:], audits_known=known)


def _given_up(facts: AlertFacts) -> AlertFacts:
    def final(known: Known) -> Known:
        return known if known.is_final else Known.UNKNOWN

    return replace(
        facts,
        sign_in_known=final(facts.sign_in_known),
        risk_known=final(facts.risk_known),
        audits_known=final(facts.audits_known),
    )


def _due(facts: AlertFacts, at: datetime, attempts: int, now: datetime) -> datetime | None:
    """The soonest of: the source is up again, the log has settled, the record may be there."""
    times = []
    if Known.FAILED in (facts.sign_in_known, facts.risk_known, facts.audits_known):
        times.append(now + BACK_OFF[min(attempts, len(BACK_OFF) - 1)])
    next_time = min(now + ASK_AGAIN[min(attempts, len(ASK_AGAIN) - 1)], max(at + LAG, now))
    if facts.sign_in_known is Known.PENDING:
        settled = facts.sign_in.at + SETTLED_AFTER if facts.sign_in is not None else now
        times.append(settled if settled > now else next_time)
    if facts.audits_known is Known.PENDING:
        times.append(max(at + SETTLED_AFTER, now))
    return min(times, default=None)
