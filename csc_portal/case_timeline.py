"""All that happened to a case in one stream: providers' alerts, what was found out, what the portal
and people did, what went to Microsoft and to the ticket. In the tenant's scope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts.models import Alert, AlertFact, CaseEvent, Decision, WriteBack
from csc_portal.case_file import MOST_ALERTS, CaseHead
from csc_portal.case_words import KNOWN, MFA, TOLD, operation_name, step_detail, step_text
from enrichment.facts import AlertFacts, Known
from enrichment.stored import from_json
from ticketing.models import Delivery

MOST_EVENTS = 300
MOST_STEPS = 500
OUTWARD = ("ticket", "told_", "overruled_", "commented")
ALREADY_TOLD = frozenset(
    {Decision.Outcome.CLOSED, Decision.Outcome.SUPPRESSED, Decision.Outcome.SNOOZED,
     Decision.Outcome.REOPENED, Decision.Outcome.WOULD_CLOSE}
)  # fmt: skip
"""Outcomes that are events of their own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line. `stream`: provider, enrichment, automation, people or outward."""

    at: datetime
    stream: str
    kind: str
    text: str
    detail: str = ""
    actor_id: int | None = None
    alert: Alert | None = None
    facts: dict[str, Any] = field(default_factory=dict)


STREAMS = {
    "provider": "Provider",
    "enrichment": "Enrichment",
    "automation": "Portal",
    "people": "People",
    "outward": "Ticket and Microsoft",
}


def read_timeline(head: CaseHead) -> list[Step]:
    """Four queries. The newest first."""
    case_id = head.case.pk
    events = CaseEvent.objects.filter(case_id=case_id).order_by("-at", "-pk")[:MOST_EVENTS]
    alerts = Alert.objects.filter(case_id=case_id).order_by("-activity_at", "-pk")[:MOST_ALERTS]
    facts = AlertFact.objects.filter(alert__case_id=case_id, asked_at__isnull=False)
    waiting = WriteBack.objects.filter(
        case_id=case_id, state__in=[WriteBack.State.PENDING, WriteBack.State.FAILED]
    )
    steps = [_event(event) for event in events]
    steps += [_alert(alert) for alert in alerts]
    steps += [_found_out(row) for row in facts[:MOST_ALERTS]]
    steps += _decided(head.decisions)
    steps += [_written(row) for row in waiting[:20]]
    steps += [_delivery(row) for row in head.deliveries if row.state == Delivery.State.FAILED]
    steps.sort(key=lambda step: step.at, reverse=True)
    return steps[:MOST_STEPS]


def _event(event: CaseEvent) -> Step:
    stream = "people" if event.actor_id else "automation"
    is_outward = event.kind.startswith(OUTWARD) or event.kind.endswith(("_microsoft", "_ticket"))
    if is_outward and not event.actor_id:
        stream = "outward"
    text = step_text(event.kind, event.facts)
    return Step(
        event.at, stream, event.kind, text, "", event.actor_id, facts=event.facts
    )  # fmt: skip


def detail_of(step: Step, product: Any) -> str:
    """Below the line; reasons name products as the page does."""
    return step.detail or step_detail(step.kind, step.facts, product)


def _alert(alert: Alert) -> Step:
    return Step(alert.activity_at, "provider", "alert", alert.title, alert=alert)


def _found_out(row: AlertFact) -> Step:
    facts = from_json(row.alert_id, row.facts)
    return Step(
        row.asked_at or row.alert.created_at, "enrichment", "facts",
        "Facts were looked up", said_of(facts),
    )  # fmt: skip


def said_of(facts: AlertFacts) -> str:
    """One sentence of what was found out about an alert."""
    one = facts.sign_in
    if facts.sign_in_known is Known.YES and one is not None:
        result = "succeeded" if one.succeeded else "did not succeed"
        said = f"The sign-in {result}; MFA: {MFA[one.mfa.value].lower()}."
    else:
        said = f"Sign-in: {KNOWN[facts.sign_in_known.value].lower()}."
    if facts.audits:
        names = dict.fromkeys(operation_name(audit.operation) for audit in facts.audits)
        said += f" Directory changes: {', '.join(names)}."
    return said


def _decided(decisions: Sequence[Decision]) -> list[Step]:
    steps = []
    for one in decisions:
        if one.outcome in ALREADY_TOLD:
            continue
        words = {"raised": "Decided: people look at it", "waiting": "Waits for facts"}
        reasons = " ".join(str(reason[1]) for reason in one.reasons[:3] if len(reason) > 1)
        text = f"{words.get(one.outcome, one.get_outcome_display())}, priority {one.priority}"
        steps.append(Step(one.at, "automation", f"decision_{one.outcome}", text, reasons))
    return steps


def _written(row: WriteBack) -> Step:
    text = f"{TOLD[row.state]} ({row.kind})"
    return Step(row.created_at, "outward", "write_back", text, row.error)


def _delivery(row: Delivery) -> Step:
    names = {"create": "The ticket", "note": "A note", "update": "The new state"}
    text = f"{names.get(row.kind, 'Something')} could not be sent, {row.attempts} attempts"
    return Step(row.created_at, "outward", "not_sent", text, row.error)
