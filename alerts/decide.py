"""Judges cases and does what follows: priority, closing, snoozing, opening again.

Pages of cases, a few statements each, whatever their number. Nothing is locked while it is thought
about: a case is changed only if its row is still the one that was read, so a person's touch wins,
and what was not changed is judged again. Decisions are written down when they change.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime

from django.db import transaction

from alerts.dossier import MEDIUM
from alerts.dossiers import NEAR, CaseState, read_cases
from alerts.judge import (
    CLOSED,
    ENDINGS,
    RAISED,
    REOPENED,
    SNOOZED,
    SUPPRESSED,
    WAITING,
    WOULD_CLOSE,
    Judgement,
    Settings,
    judge,
)
from alerts.priority import BadWeights, check_weights
from alerts.refresh import publish
from alerts.reopening import reopen, tell
from alerts.rows import as_json, run
from alerts.rules import asks_entities, rules_for
from alerts.suppress import suppressions_now
from alerts.watch import plan_watches
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

PAGE = 200
ROUNDS = 3
"""A case that changes while it is thought about is tried again so often, then at the next time."""
CONFIRMED = "confirmedActivity"

# Closed by people or by Microsoft: nothing of ours to judge.
CLEAR = """
UPDATE alerts_case SET judge_at = NULL WHERE judge_at <= %s AND status = 2 AND closed_by = ''
"""
DUE = """
SELECT id FROM alerts_case
WHERE judge_at <= %s AND status < 3 AND NOT id = ANY(%s)
ORDER BY judge_at, id LIMIT %s
"""
APPLY = """
UPDATE alerts_case c SET
  priority = x.priority, terms = x.terms, is_vip = x.is_vip, decided = x.decided,
  judge_at = x.judge_at, ticket_after = x.ticket_after, status = x.status, verdict = x.verdict,
  determination = CASE WHEN c.status = x.status THEN c.determination ELSE x.determination END,
  closed_by = x.closed_by, snoozed_until = x.snoozed_until,
  snoozed_growth = x.held_growth, snoozed_severity = x.held_severity,
  version = c.version + (c.status <> x.status)::int,
  changed_at = CASE WHEN x.shows THEN now() ELSE c.changed_at END
FROM jsonb_to_recordset(%s::jsonb) AS x(id bigint, version int, seen timestamptz, growth int,
  priority smallint, terms jsonb, is_vip boolean, decided uuid, judge_at timestamptz,
  ticket_after timestamptz, status smallint, verdict text, determination text, closed_by text,
  snoozed_until timestamptz, held_growth int, held_severity smallint, shows boolean)
WHERE c.id = x.id AND c.version = x.version AND c.changed_at = x.seen AND c.growth = x.growth
RETURNING c.id
"""
# A closed case that nobody has to look at again is not due any more.
SETTLE = """
UPDATE alerts_case c SET judge_at = NULL
FROM jsonb_to_recordset(%s::jsonb) AS x(id bigint, version int, seen timestamptz)
WHERE c.id = x.id AND c.version = x.version AND c.changed_at = x.seen
"""
DECISIONS = """
INSERT INTO alerts_decision (case_id, at, outcome, basis, rule, rule_version, priority, facts,
  reasons)
SELECT c, %s, o, b, r, v, p, f, w FROM jsonb_to_recordset(%s::jsonb)
  AS x(c bigint, o text, b text, r uuid, v int, p smallint, f jsonb, w jsonb)
"""
# Cases that were proven harmless, near in time to one about the same person that is raised now.
CONTRADICTED = """
SELECT DISTINCT ON (old.id) old.id, fresh.id
FROM alerts_case fresh
JOIN alerts_alert a ON a.case_id = fresh.id
JOIN alerts_alertentity l ON l.alert_id = a.id AND l.ties
JOIN alerts_entity e ON e.id = l.entity_id AND e.kind IN ('user', 'mailbox')
JOIN alerts_alertentity l2 ON l2.entity_id = l.entity_id AND l2.ties
  AND l2.at >= l.at - %s AND l2.at <= l.at + %s
JOIN alerts_alert b ON b.id = l2.alert_id
JOIN alerts_case old ON old.id = b.case_id AND old.status = 2 AND old.closed_by = 'proof'
WHERE fresh.id = ANY(%s) AND fresh.severity >= %s ORDER BY old.id, fresh.id
"""
NEXT = """
SELECT min(at) FROM (
  (SELECT judge_at AS at FROM alerts_case WHERE judge_at IS NOT NULL AND status < 3
   ORDER BY judge_at LIMIT 1)
  UNION ALL (SELECT ticket_after FROM alerts_case
   WHERE ticket_after > %s AND status < 2 ORDER BY ticket_after LIMIT 1)
  UNION ALL (SELECT next_at FROM alerts_watch WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1)
) AS times
"""


@dataclass(slots=True)
class Decided:
    """Cases by what became of them. `judged`: all that were looked at."""

    judged: int = 0
    closed: int = 0
    suppressed: int = 0
    would_close: int = 0
    raised: int = 0
    waiting: int = 0
    snoozed: int = 0
    reopened: int = 0

    @property
    def ended(self) -> int:
        """Cases that the portal closed by itself."""
        return self.closed + self.suppressed

    def __iadd__(self, other: Decided) -> Decided:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        return self


_COUNTED = {
    CLOSED: "closed", SUPPRESSED: "suppressed", WOULD_CLOSE: "would_close", RAISED: "raised",
    WAITING: "waiting", SNOOZED: "snoozed", REOPENED: "reopened",
}  # fmt: skip


def decide(tenant: Tenant, now: datetime, settings: Settings | None = None) -> Decided:
    """Judge every case of the tenant that is due. Safe to run again, and side by side.

    Outside of every scope, unless `settings` (else read) are given.
    """
    settings = settings or settings_of(tenant, now)
    total, tried = Decided(), dict[int, int]()
    with scope(tenant):
        run(CLEAR, [now])
        while True:
            worn_out = [case for case, times in tried.items() if times >= ROUNDS]
            due = [case for (case,) in run(DUE, [now, worn_out, PAGE])]
            if not due:
                return total
            for case in due:
                tried[case] = tried.get(case, 0) + 1
            total += _decide_page(tenant.pk, due, settings, now)


def settings_of(tenant: Tenant, now: datetime) -> Settings:
    """Mode, weights, rules and suppressions of a tenant. Outside of its scope."""
    rules = rules_for(tenant, now)
    weights: dict[str, int] = {}
    with suppress(BadWeights):
        weights = check_weights(tenant.priority_weights)
    with scope(tenant):
        return Settings(tenant.auto_close, weights, rules, suppressions_now(now))


def asks_for_entities(settings: Settings) -> bool:
    """Whether what single cases name has to be read."""
    named = any(one.entity is not None for one in settings.suppressions)
    return named or asks_entities(settings.rules)


def next_due(now: datetime) -> datetime | None:
    """When something of the tenant is to be judged or watched next. Inside its scope."""
    found: datetime | None = run(NEXT, [now])[0][0]
    return found


def _decide_page(tenant_id: int, ids: Sequence[int], settings: Settings, now: datetime) -> Decided:
    states = read_cases(ids, with_entities=asks_for_entities(settings))
    judged, settled = list[tuple[CaseState, Judgement]](), list[CaseState]()
    for state in states:
        is_ours = state.is_open or state.dossier.closed_by
        found = judge(state.dossier, settings, now) if is_ours else None
        if found is None:
            settled.append(state)
        else:
            judged.append((state, found))
    counted = Decided(judged=len(states))
    with transaction.atomic():
        plan_watches(ids, now)
        if settled:
            run(SETTLE, [as_json([_seen(state) for state in settled])])
        rows = [_row(state, found, now) for state, found in judged]
        applied = {case for (case,) in run(APPLY, [as_json(rows)])} if rows else set()
        done = [pair for pair in judged if pair[0].dossier.case_id in applied]
        news = [
            (state, found)
            for state, found in done
            if not found.is_same and found.digest != state.decided
        ]
        _write_down(news, now)
        for _, found in news:
            name = _COUNTED[found.outcome]
            setattr(counted, name, getattr(counted, name) + 1)
        raised = [state.dossier.case_id for state, found in done if found.outcome == RAISED]
        shown = {
            state.dossier.case_id
            for (state, _), row in zip(judged, rows, strict=True)
            if row["shows"]
        } & applied
        again = _reopen_contradicted(raised)
        counted.reopened += len(again)
        publish(tenant_id, shown | again)
    if news:
        logger.info("cases decided count=%s closed=%s", len(news), counted.closed)
    return counted


def _seen(state: CaseState) -> dict[str, object]:
    return {
        "id": state.dossier.case_id, "version": state.version, "seen": state.changed_at
    }  # fmt: skip


def _row(state: CaseState, found: Judgement, now: datetime) -> dict[str, object]:
    """The case's row as it shall be, and as it was read."""
    dossier = state.dossier
    is_ending = found.outcome in ENDINGS
    is_snoozed = found.outcome == SNOOZED
    status, verdict = dossier.status, state.verdict
    if is_ending:
        status, verdict = 2, found.verdict
    elif found.outcome == REOPENED:
        status, verdict = 0, ""
    is_held = is_ending or (is_snoozed and dossier.snoozed_until != found.snoozed_until)
    terms = [[term.code, term.points, term.words] for term in found.score.terms]
    row: dict[str, object] = {
        **_seen(state),
        "growth": dossier.growth,
        "priority": found.score.points,
        "terms": terms,
        "is_vip": dossier.is_vip,
        "decided": state.decided if found.is_same else found.digest,
        "judge_at": _again_at(found),
        "ticket_after": found.wait_until or found.snoozed_until,
        "status": status,
        "verdict": verdict,
        "determination": CONFIRMED if is_ending and found.basis == "proof" else "",
        "closed_by": _closed_by(found) if is_ending else "",
        "snoozed_until": found.snoozed_until if is_snoozed else None,
        "held_growth": dossier.growth if is_held else dossier.held_growth,
        "held_severity": dossier.severity if is_held else dossier.held_severity,
    }
    row["shows"] = (
        status != dossier.status
        or found.score.points != state.priority
        or dossier.is_vip != state.is_vip
        or row["snoozed_until"] != dossier.snoozed_until
    )
    return row


def _again_at(found: Judgement) -> datetime | None:
    """Waits and snoozes end by themselves; everything else waits for news."""
    return found.wait_until or found.snoozed_until


def _closed_by(found: Judgement) -> str:
    if found.outcome == SUPPRESSED:
        return "suppressed"
    return "proof" if found.basis == "proof" else "rule"


def _write_down(news: Sequence[tuple[CaseState, Judgement]], now: datetime) -> None:
    """The decisions that are new, and what of them belongs on the timeline."""
    if not news:
        return
    decisions = []
    events: list[tuple[int, str, dict[str, object]]] = []
    for state, found in news:
        case = state.dossier.case_id
        origin = found.rule or found.suppression
        reasons = [[reason.code, reason.words] for reason in found.reasons]
        decisions.append(
            {
                "c": case,
                "o": found.outcome,
                "b": found.basis,
                "r": origin.id if origin else None,
                "v": found.rule.version if found.rule else None,
                "p": found.score.points,
                "f": found.facts() | {"growth": state.dossier.growth},
                "w": reasons,
            }
        )
        if state.dossier.snoozed_until is not None and found.outcome != SNOOZED:
            events.append((case, "woken", {}))
        kind = _EVENT_OF.get(found.outcome)
        if kind:
            facts: dict[str, object] = {"by": found.basis, "reasons": reasons}
            events.append((case, kind, facts))
    run(DECISIONS, [now, as_json(decisions)])
    tell(events)


_EVENT_OF = {
    CLOSED: "auto_closed", SUPPRESSED: "suppressed", SNOOZED: "snoozed", REOPENED: "reopened",
    WOULD_CLOSE: "would_close",
}  # fmt: skip


def _reopen_contradicted(raised: Sequence[int]) -> set[int]:
    """A case that was proven harmless is opened again if another about the same person is raised.

    It is not merged with that by itself: people see both, and each names the other.
    """
    if not raised:
        return set()
    pairs = dict(run(CONTRADICTED, [NEAR, NEAR, list(raised), MEDIUM]))
    return reopen(pairs, "evidence") if pairs else set()
