"""Asks Microsoft what is not known yet about alerts, and keeps it as facts and pseudonyms.

For alerts that were just read and for those whose facts are due: a late log, a source that was
down. Alerts are claimed and stored in the tenant's scope; between that, Microsoft is asked, about
one user after the other, for a bounded time. What is not reached stays due.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.asking import AUDITS, CLOSED, RISKS, RISKY_USERS, SIGN_INS, Asking
from alerts.blind_spots import note_abilities
from alerts.content import read_content
from alerts.fact_rows import (
    Claimed,
    Outcome,
    awaited,
    claim,
    next_due,
    release,
    store,
    take_in,
)
from alerts.feed import Content
from alerts.links import link_sign_ins
from alerts.members import learn_members
from alerts.models import SourceAbility
from alerts.prepare import UNFORESEEN
from alerts.subjects import asked_about
from clients.errors import ApiError
from clients.http import Policy
from clients.microsoft.graph import Graph
from enrichment.conclude import BACK_OFF, Answers, Concluded, conclude
from enrichment.facts import AlertFacts, Known, TraceKind
from enrichment.sign_ins import keys_of
from enrichment.subjects import Group, Question, Subject, grouped
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

__all__ = ["Enriched", "awaited", "enrich", "next_due"]

logger = logging.getLogger(__name__)

PATIENCE_S = 15.0
MOST_ALERTS = 100
READ_AGAIN = 5
"""Alerts that are not in memory, by one $batch: more than the sign-ins' limit lets a run ask about
would be read for nothing."""
CLOSED_FOR = timedelta(hours=24)
"""A source without licence or permission is tried again after so long."""
HASTY = Policy(read_s=15, deadline_s=25, attempts=2, retry_after_cap_s=5)
"""Tickets wait behind this stage: what Microsoft does not answer soon is asked later."""


@dataclass(slots=True)
class Enriched:
    """What one run did: alerts asked about, how many have final facts now, how many failed (their
    source is down) and how many were left for later. `cases`: those whose facts changed.
    """

    asked: int = 0
    settled: int = 0
    failed: int = 0
    left: int = 0
    cases: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Run:
    tenant: Tenant
    pseudonymiser: Pseudonymiser
    now: datetime
    asking: Asking
    rows: dict[int, Claimed]
    enriched: Enriched


def enrich(
    tenant: Tenant,
    graph: Graph,
    pseudonymiser: Pseudonymiser,
    content: Content,
    now: datetime,
    *,
    patience_s: float = PATIENCE_S,
) -> Enriched:
    """One bounded run for a tenant. Enters the scope itself; never raises ApiError.

    `patience_s`: after that, and after waiting so long for our own limits, the rest stays due.
    """
    until = time.monotonic() + patience_s
    rows, closed = _begin(tenant, pseudonymiser, content, now, until)
    asking = Asking(graph.with_policy(replace(HASTY, governor_wait_s=patience_s)), dict(closed))
    work = _Run(tenant, pseudonymiser, now, asking, rows, Enriched())
    if rows:
        subjects = _subjects(work, content)
        _ask_all(work, grouped(subjects), until)
        _end(work)
    return work.enriched


def _begin(
    tenant: Tenant, pseudonymiser: Pseudonymiser, content: Content, now: datetime, until: float
) -> tuple[dict[int, Claimed], dict[str, Known]]:
    """(rows that are ours now, sources that need not be asked and why)"""
    with scope(tenant):
        learn_members(content.values(), pseudonymiser)
        more = take_in(list(content), now)
        while more and time.monotonic() < until:
            more = take_in((), now)
        claimed = claim(now, MOST_ALERTS)
        unread = [row.alert_id for row in claimed if row.provider_id not in content]
        spare = set(unread[READ_AGAIN:])
        release(sorted(spare), now)
        rows = {row.alert_id: row for row in claimed if row.alert_id not in spare}
        abilities = SourceAbility.objects.filter(
            source__in=[SIGN_INS, AUDITS, RISKS, RISKY_USERS],
            state__in=list(CLOSED),
            checked_at__gt=now - CLOSED_FOR,
        )
        closed = abilities.values_list("source", "state") if rows else ()
        return rows, {source: CLOSED[state] for source, state in closed}


# --- what there is to ask -------------------------------------------------------------------------


def _subjects(work: _Run, content: Content) -> list[Subject]:
    """Of every claimed row; rows that nobody can be asked about are stored as such."""
    records = _records(work, content)
    subjects, nothing = [], []
    for row in list(work.rows.values()):
        if row.provider_id not in records:
            # Microsoft has the alert no more, so nobody knows whom it was about.
            nothing.append(Outcome(_closed(row.facts, Known.UNKNOWN), row.attempts, None))
            continue
        asked = asked_about(row.alert_id, records[row.provider_id], work.pseudonymiser)
        if asked.subject is None:
            facts = replace(row.facts, user_count=asked.user_count)
            nothing.append(Outcome(_closed(facts, Known.NOT_ASKED), row.attempts, None))
        else:
            subjects.append(_only_open(asked.subject, row.facts))
    _store(work, nothing)
    return subjects


def _records(work: _Run, content: Content) -> Content:
    """In full, from memory or read again by id. Those that can't be read now are given back."""
    ids = [row.provider_id for row in work.rows.values()]
    try:
        return read_content(work.asking.graph, ids, content)
    except ApiError as err:
        logger.warning("alerts not read again count=%d kind=%s", len(ids), type(err).__name__)
        wait = timedelta(seconds=err.retry_after_s) if err.retry_after_s else BACK_OFF[0]
    here = {key: content[key] for key in ids if key in content}
    later = [row for row in work.rows.values() if row.provider_id not in here]
    _leave(work, [row.alert_id for row in later], work.now + wait)
    return here


def _closed(facts: AlertFacts, known: Known) -> AlertFacts:
    """What is not final becomes `known`."""

    def final(one: Known) -> Known:
        return one if one.is_final else known

    return replace(
        facts,
        sign_in_known=final(facts.sign_in_known),
        risk_known=final(facts.risk_known),
        audits_known=final(facts.audits_known),
    )


def _only_open(subject: Subject, facts: AlertFacts) -> Subject:
    """Without the questions that have been answered for good."""
    known = {
        Question.SIGN_IN: facts.sign_in_known,
        Question.RISK: facts.risk_known,
        Question.AUDITS: facts.audits_known,
    }
    return replace(
        subject, questions=frozenset(one for one in subject.questions if not known[one].is_final)
    )


# --- asking ---------------------------------------------------------------------------------------


def _ask_all(work: _Run, groups: Sequence[Group], until: float) -> None:
    asking = work.asking
    for group in groups:
        if time.monotonic() >= until or asking.is_down or asking.wait_s:
            wait = BACK_OFF[0] if asking.is_down else timedelta(seconds=asking.wait_s)
            _leave(work, [one.alert_id for one in group.subjects], work.now + wait)
            continue
        try:
            answers = asking.about(group, work.now)
            concluded = [_conclude(work, subject, answers) for subject in group.subjects]
        except UNFORESEEN as err:  # an answer that nobody thought of must not stop the others
            logger.error("enrichment could not read an answer kind=%s", type(err).__name__)
            rows = [work.rows[one.alert_id] for one in group.subjects]
            unread = [
                Outcome(_closed(row.facts, Known.UNKNOWN), row.attempts, None) for row in rows
            ]
            _store(work, unread)
            continue
        _keep(work, group, answers, concluded)


def _conclude(work: _Run, subject: Subject, answers: Answers) -> Concluded:
    row = work.rows[subject.alert_id]
    found = conclude(subject, answers, row.facts, row.attempts, work.now, work.pseudonymiser)
    if found.due_at is not None and work.asking.wait_s:
        soon = work.now + timedelta(seconds=work.asking.wait_s)
        return replace(found, due_at=soon)
    return found


def _keep(work: _Run, group: Group, answers: Answers, concluded: Sequence[Concluded]) -> None:
    outcomes = [
        Outcome(
            one.facts,
            # Our own limit is no failure, and no reading.
            work.rows[one.facts.alert_id].attempts + (not work.asking.wait_s),
            one.due_at,
            _traces(one, work.pseudonymiser),
        )
        for one in concluded
    ]
    key = f"oid:{group.user_id}" if group.user_id else f"upn:{group.upn}"
    with scope(work.tenant):
        link_sign_ins(
            answers.sign_ins,
            work.pseudonymiser.all_versions("user", key),
            work.pseudonymiser,
            work.now,
        )
    _store(work, outcomes)
    work.enriched.asked += len(outcomes)


def _traces(
    concluded: Concluded, pseudonymiser: Pseudonymiser
) -> tuple[tuple[TraceKind, uuid.UUID], ...]:
    if concluded.sign_in is None:
        return ()
    keys = keys_of(concluded.sign_in)
    return tuple(
        (kind, pseudonym)
        for kind in TraceKind
        if kind in keys
        for pseudonym in pseudonymiser.all_versions(*keys[kind])
    )


def _store(work: _Run, outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        return
    with scope(work.tenant):
        store(outcomes, work.now)
    for one in outcomes:
        row = work.rows.pop(one.facts.alert_id)
        work.enriched.settled += one.due_at is None
        work.enriched.failed += Known.FAILED in (
            one.facts.sign_in_known,
            one.facts.risk_known,
            one.facts.audits_known,
        )
        if row.case_id is not None and one.facts != row.facts:
            work.enriched.cases.add(row.case_id)


def _leave(work: _Run, alert_ids: Sequence[int], due_at: datetime) -> None:
    with scope(work.tenant):
        release(alert_ids, due_at)
    for alert_id in alert_ids:
        work.rows.pop(alert_id)
    work.enriched.left += len(alert_ids)


def _end(work: _Run) -> None:
    """Write down which sources can't be read, or can be read again."""
    with scope(work.tenant):
        missing = SourceAbility.objects.filter(source__in=work.asking.noted, state__in=list(CLOSED))
        were_closed = set(missing.values_list("source", flat=True))
    news = [
        (source, error)
        for source, error in work.asking.noted.items()
        if error is not None or source in were_closed
    ]
    if news:
        note_abilities(work.tenant, news, work.now)
