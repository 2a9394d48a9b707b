"""What becomes of one case: priority, proof, suppressions and rules put together.

The order says who wins: a person's touch, then a rule that requires a ticket, then a suppression,
then the proof, then the rules of the tenant, its group, and all. Doubt means that people look.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts import policy
from alerts.dossier import Dossier, Reason
from alerts.policy_fields import Value, facts_of, stored
from alerts.priority import Score, Term, clamp, score
from alerts.proof import Proof, Standing, prove
from alerts.verdicts import EXPECTED

WAIT = timedelta(minutes=30)
"""So long after it was opened a case may wait for facts before it gets a ticket. Sign-ins and
audits are there after a quarter of an hour, mostly; then people have to look."""
ON, DRY, OFF = "on", "dry", "off"

RAISED, WAITING, SNOOZED = "raised", "waiting", "snoozed"
CLOSED, SUPPRESSED, WOULD_CLOSE, REOPENED = "closed", "suppressed", "would_close", "reopened"
ENDINGS = frozenset({CLOSED, SUPPRESSED})


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A suppression as the judgement sees it. `detection`: a scrubbed title."""

    id: uuid.UUID
    source: str
    detection: str
    entity: uuid.UUID | None
    most_severity: int
    reason: str
    expires_at: datetime

    def fits(self, dossier: Dossier, now: datetime) -> bool:
        """Every alert of the case is of this detection, and names the entity if one is meant."""
        return (
            self.expires_at > now
            and bool(dossier.alerts)
            and dossier.severity <= self.most_severity
            and (self.entity is None or self.entity in dossier.shared_entities)
            and all(
                alert.source == self.source and alert.detection == self.detection
                for alert in dossier.alerts
            )
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a tenant has set. `mode`: on, dry or off, for the proof and for rules that close.

    `with_proof`: off to see what rules would do alone.
    """

    mode: str = ON
    weights: Mapping[str, int] = field(default_factory=dict)
    rules: Sequence[policy.Rule] = ()
    suppressions: Sequence[Suppressed] = ()
    with_proof: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to become of the case, and why.

    `basis`: proof, rule, suppression, evidence or default. `wait_until`: no ticket before.
    `known`: the facts as the rules saw them. `is_same`: what was decided before still holds.
    """

    outcome: str
    basis: str
    reasons: tuple[Reason, ...]
    score: Score
    verdict: str = ""
    rule: policy.Rule | None = None
    suppression: Suppressed | None = None
    proof: Proof | None = None
    wait_until: datetime | None = None
    snoozed_until: datetime | None = None
    known: Mapping[str, Value | None] = field(default_factory=dict)
    is_same: bool = False

    @property
    def digest(self) -> uuid.UUID:
        """The same for the same decision, so that only news is written down."""
        parts: list[object] = [self.outcome, self.basis, self.verdict]
        parts += sorted(reason.code for reason in self.reasons)
        if self.rule is not None:
            parts += [self.rule.id, self.rule.version]
        if self.suppression is not None:
            parts.append(self.suppression.id)
        if self.proof is not None:
            parts += [one.request for one in self.proof.sign_ins]
        text = "\0".join(map(str, parts))
        return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])

    def facts(self) -> dict[str, object]:
        """For the decision's row: enough to understand it after everything else has changed."""
        found: dict[str, object] = {"known": stored(self.known)}
        if self.proof is not None and self.proof.sign_ins:
            found["sign_ins"] = [
                {
                    "alert": one.alert_id,
                    "request": str(one.request) if one.request else None,
                    "at": one.at.isoformat(),
                    "matched_by": one.matched_by.value,
                    "method": one.method,
                    "phishing_resistant": one.is_phishing_resistant,
                }
                for one in self.proof.sign_ins
            ]
        if self.rule is not None:
            found["rule"] = {
                "name": self.rule.name,
                "reason": self.rule.reason,
                "when": policy.describe_group(self.rule.definition.when),
                "action": self.rule.definition.then.action,
            }
        if self.suppression is not None:
            found["suppression"] = {
                "detection": self.suppression.detection,
                "reason": self.suppression.reason,
                "until": self.suppression.expires_at.isoformat(),
            }
        return found


def judge(dossier: Dossier, settings: Settings, now: datetime) -> Judgement | None:
    """The judgement of an open case; of a closed one only a reason to open it again, or None."""
    facts = facts_of(dossier)
    wanted = policy.evaluate(facts, settings.rules, now)
    counted = _with_rules(score(dossier, settings.weights), wanted)
    if dossier.closed_by:
        return _reconsider(dossier, counted, facts)
    found = _ending(dossier, settings, wanted, now)
    return Judgement(
        outcome=found.outcome,
        basis=found.basis,
        reasons=found.reasons,
        score=counted,
        verdict=found.verdict,
        rule=found.rule,
        suppression=found.suppression,
        proof=found.proof,
        wait_until=found.wait_until,
        snoozed_until=found.snoozed_until,
        known=facts,
        is_same=found.is_same,
    )


def _with_rules(counted: Score, wanted: policy.Outcome) -> Score:
    """The rules' own points as further terms; a rule that sets the priority has the last word."""
    terms = list(counted.terms)
    points = sum(term.points for term in terms)
    for match in wanted.changes:
        then = match.rule.definition.then
        is_set = then.action == policy.SET_PRIORITY
        if not is_set:
            terms.append(Term("rule", then.points, f"Rule '{match.rule.name}'"))
            points += then.points
    if wanted.priority is not None:
        name = wanted.changes[0].rule.name
        difference = wanted.priority - clamp(points)
        terms.append(Term("rule_set", difference, f"Rule '{name}' sets the priority"))
        points = wanted.priority
    return Score(clamp(points), tuple(terms))


@dataclass(frozen=True, slots=True)
class _Found:
    outcome: str = RAISED
    basis: str = "default"
    reasons: tuple[Reason, ...] = ()
    verdict: str = ""
    rule: policy.Rule | None = None
    suppression: Suppressed | None = None
    proof: Proof | None = None
    wait_until: datetime | None = None
    snoozed_until: datetime | None = None
    is_same: bool = False


def _ending(dossier: Dossier, settings: Settings, wanted: policy.Outcome, now: datetime) -> _Found:
    if dossier.snoozed_until is not None and dossier.snoozed_until > now and not dossier.has_moved:
        reason = Reason("snoozed", "The case is snoozed.")
        return _Found(SNOOZED, reasons=(reason,), snoozed_until=dossier.snoozed_until, is_same=True)
    if dossier.was_touched:
        return _Found(reasons=(Reason("touched", "A person has worked on the case."),))
    if wanted.tickets:
        rule = wanted.tickets[0]
        words = f"{policy.names_of(wanted.tickets)} requires that people look."
        reasons = (Reason("rule_ticket", words), *rule.reasons)
        return _Found(basis="rule", reasons=reasons, rule=rule.rule)
    if (suppressed := _suppressed(dossier, settings, now)) is not None:
        return suppressed
    if settings.mode == OFF:
        return _Found(reasons=(Reason("off", "Closing is switched off for this tenant."),))
    proof = prove(dossier) if settings.with_proof else Proof(Standing.REFUSED)
    if proof.standing is Standing.PROVEN:
        return _by_proof(dossier, proof, settings.mode)
    if (found := _by_rule(dossier, settings, wanted, now)) is not None:
        return found
    if proof.standing is Standing.PENDING and settings.mode == ON:
        until = (dossier.opened_at or now) + WAIT
        if until > now:
            return _Found(WAITING, "proof", proof.reasons, wait_until=until)
    return _Found(reasons=_main_reasons(proof.reasons))


def _main_reasons(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Of alerts that MFA can't answer anyway nothing else is worth saying."""
    return tuple(one for one in reasons if one.code == "detection") or reasons


def _by_proof(dossier: Dossier, proof: Proof, mode: str) -> _Found:
    words = (
        "MFA was performed in the very sign-in that each alert is about, "
        "and nothing speaks against it."
    )
    outcome = CLOSED if mode == ON else WOULD_CLOSE
    return _Found(outcome, "proof", (Reason("proven", words),), EXPECTED, proof=proof)


def _suppressed(dossier: Dossier, settings: Settings, now: datetime) -> _Found | None:
    """People ordered it, so it holds in every mode. Never for a case that was opened again."""
    if dossier.was_reopened or dossier.hits:
        return None
    for one in sorted(settings.suppressions, key=lambda one: (one.entity is None, one.id)):
        if one.fits(dossier, now):
            reason = Reason("suppressed", f"Suppressed until {one.expires_at:%Y-%m-%d}.")
            return _Found(SUPPRESSED, "suppression", (reason,), suppression=one)
    return None


def _by_rule(
    dossier: Dossier, settings: Settings, wanted: policy.Outcome, now: datetime
) -> _Found | None:
    """What a rule orders. Never for a case that was opened again."""
    match = wanted.ending
    if match is None or dossier.was_reopened or dossier.hits:
        return None
    then = match.rule.definition.then
    if then.action == policy.SNOOZE:
        if dossier.held_growth:  # once is enough: it has slept already
            return None
        until = now + timedelta(hours=then.hours)
        return _Found(SNOOZED, "rule", match.reasons, rule=match.rule, snoozed_until=until)
    if dossier.is_vip or dossier.has_ticket:
        return None
    if settings.mode == DRY:
        return _Found(WOULD_CLOSE, "rule", match.reasons, then.verdict, rule=match.rule)
    outcome = CLOSED if then.action == policy.CLOSE else SUPPRESSED
    return _Found(outcome, "rule", match.reasons, then.verdict, rule=match.rule)


def _reconsider(
    dossier: Dossier, counted: Score, facts: Mapping[str, Value | None]
) -> Judgement | None:
    """A case that the portal closed stays closed unless it has grown or become more severe.

    One that was proven harmless also stays while all that joined is proven, or may yet be.
    """
    if not dossier.has_moved:
        return None
    reasons: tuple[Reason, ...] = (
        Reason("moved", "Alerts joined the closed case, or it became more severe."),
    )
    if dossier.closed_by == "proof":
        proof = prove(dossier)
        if proof.standing is not Standing.REFUSED:
            return None
        reasons += proof.reasons
    return Judgement(REOPENED, "evidence", reasons, counted, known=facts)
