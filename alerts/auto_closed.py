"""The report of everything that the portal closed by itself, with its proof. In the scope."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.models import Case, Decision

MOST = 1_000
ENDINGS = ("closed", "suppressed", "would_close")


@dataclass(frozen=True, slots=True)
class AutoClosed:
    """One decision. `outcome`: closed, suppressed, would_close (dry mode). `by`: proof, rule or
    suppression. `sign_ins`: the proof: request (a pseudonym), at, method, matched_by, by alert.
    `rule`, `suppression`: what it said then. `is_open`: it was opened again since.
    """

    decision_id: int
    at: datetime
    case_id: int
    public_id: uuid.UUID
    title: str
    severity: int
    outcome: str
    by: str
    reasons: tuple[tuple[str, str], ...]
    sign_ins: tuple[dict[str, Any], ...]
    rule: dict[str, Any]
    rule_id: uuid.UUID | None
    rule_version: int | None
    suppression: dict[str, Any]
    is_open: bool
    verdict: str


def auto_closed(since: datetime, until: datetime, *, limit: int = MOST) -> list[AutoClosed]:
    """All of them in [since, until), the newest first. One statement."""
    rows = Decision.objects.filter(at__gte=since, at__lt=until, outcome__in=ENDINGS)
    rows = rows.select_related("case").order_by("-at", "-pk")[:limit]
    return [_entry(row, row.case) for row in rows]


def decisions_of(case_id: int) -> list[Decision]:
    """Everything that was decided about a case, the one that holds first. One statement.

    By number, not by time: a case is locked while it is decided about, and clocks differ.
    """
    return list(Decision.objects.filter(case_id=case_id).order_by("-pk"))


def _entry(row: Decision, case: Case) -> AutoClosed:
    facts = row.facts
    return AutoClosed(
        decision_id=row.pk,
        at=row.at,
        case_id=case.pk,
        public_id=case.public_id,
        title=case.title,
        severity=case.severity,
        outcome=row.outcome,
        by=row.basis,
        reasons=tuple((code, words) for code, words in row.reasons),
        sign_ins=tuple(facts.get("sign_ins", ())),
        rule=facts.get("rule", {}),
        rule_id=row.rule,
        rule_version=row.rule_version,
        suppression=facts.get("suppression", {}),
        is_open=case.is_open,
        verdict=case.verdict,
    )
