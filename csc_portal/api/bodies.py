"""Answers: rows as JSON. Pseudonyms only; the provider's people are named to the provider alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from alerts.models import Alert, AlertEntity, Case, Decision
from csc_portal.access import TenantRef
from csc_portal.people import People
from csc_portal.queue import Row
from tenants.models import PILLARS, SEVERITIES, QueueEntry, Rule
from tenants.pseudonyms import crockford
from ticketing.models import Delivery, Ticket

STATUSES = ("new", "in_progress", "resolved")
Body = dict[str, Any]


def case_body(row: Row | QueueEntry, ref: TenantRef, found: People) -> Body:
    """A case as lists show it."""
    return {
        "id": row.public_id,
        "number": row.case_id,
        "reference": "CSC-" + crockford(row.public_id.int >> 68, 12),
        "tenant": ref.slug,
        "title": row.title,
        "category": row.category,
        "source": row.source,
        "status": STATUSES[row.status],
        "severity": SEVERITIES[row.severity],
        "priority": row.priority,
        "pillars": pillars(row.pillars),
        "is_vip": row.is_vip,
        "alert_count": row.alert_count,
        "entity_count": row.entity_count,
        "entities": [{"kind": kind, "id": str(pseudonym)} for kind, pseudonym in row.entities],
        "assignee": assignee(row.assignee_id, ref, found),
        "verdict": row.verdict,
        "ticket": {"reference": row.ticket_ref, "url": row.ticket_url} if row.ticket_ref else None,
        "first_activity_at": row.first_activity_at,
        "last_activity_at": row.last_activity_at,
        "opened_at": row.opened_at,
        "changed_at": row.changed_at,
        "due_at": row.due_at,
        "snoozed_until": row.snoozed_until,
    }


def case_detail(row: QueueEntry, ref: TenantRef, found: People, case: Case) -> Body:
    """With what only the tenant's own row knows."""
    return {
        **case_body(row, ref, found),
        "version": case.version,
        "determination": case.determination,
        "verdict_reason": case.verdict_reason,
        "closed_by": case.closed_by,
    }


def assignee(user_id: int | None, ref: TenantRef, found: People) -> Body | None:
    """A customer reads neither who it is nor a number to tell them apart."""
    if user_id is None:
        return None
    person = found.by_id.get(user_id)
    is_known = person is not None and (ref.sees_provider or ref.pk in person.of)
    return {"id": user_id if is_known else None, "name": found.name(user_id, ref)}


def pillars(bits: int) -> list[str]:
    return [name for bit, name in enumerate(PILLARS) if bits >> bit & 1]


def alert_body(
    alert: Alert, ref: TenantRef, case_id: uuid.UUID | None, named: Iterable[AlertEntity]
) -> Body:
    return {
        "source_ref": alert.provider_id,
        "tenant": ref.slug,
        "case": case_id,
        "api": alert.api,
        "title": alert.title,
        "category": alert.category,
        "techniques": list(alert.techniques),
        "severity": SEVERITIES[alert.severity],
        "status": alert.status,
        "classification": alert.classification,
        "determination": alert.determination,
        "service_source": alert.service_source,
        "detection_source": alert.detection_source,
        "product": alert.product,
        "detector": alert.detector_id,
        "incident": alert.incident_id,
        "pillars": pillars(alert.pillars),
        "is_duplicate": alert.duplicate_of_id is not None,
        "created_at": alert.created_at,
        "updated_at": alert.updated_at,
        "first_activity_at": alert.activity_at,
        "last_activity_at": alert.last_activity_at,
        "ingested_at": alert.ingested_at,
        "entities": [
            {
                "kind": link.entity.kind,
                "id": link.entity.pseudonym,
                "roles": [role for role in link.roles.split(",") if role],
                "verdict": link.verdict,
            }
            for link in named
        ],
    }


def ticket_body(ticket: Ticket, ref: TenantRef) -> Body:
    return {
        "case": ticket.case.public_id,
        "tenant": ref.slug,
        "system": ticket.system,
        "reference": ticket.reference,
        "external_id": ticket.external_id,
        "url": ticket.url,
        "status": ticket.status,
        "is_gone": ticket.gone_at is not None,
        "created_at": ticket.created_at,
        "seen_at": ticket.seen_at,
    }


def delivery_body(delivery: Delivery, ref: TenantRef) -> Body:
    return {
        "id": delivery.pk,
        "case": delivery.case.public_id,
        "tenant": ref.slug,
        "kind": delivery.kind,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "error": delivery.error,
        "created_at": delivery.created_at,
        "sent_at": delivery.sent_at,
    }


def decision_body(decision: Decision, ref: TenantRef) -> Body:
    return {
        "id": decision.pk,
        "case": decision.case.public_id,
        "tenant": ref.slug,
        "at": decision.at,
        "outcome": decision.outcome,
        "basis": decision.basis,
        "priority": decision.priority,
        "rule": decision.rule,
        "rule_version": decision.rule_version,
        "reasons": [{"code": code, "detail": words} for code, words in decision.reasons],
    }


def rule_body(rule: Rule, scope_of: Body) -> Body:
    return {
        "id": rule.public_id,
        "name": rule.name,
        "version": rule.version,
        **scope_of,
        "definition": rule.definition,
        "reason": rule.reason,
        "is_enabled": rule.is_enabled,
        "created_at": rule.created_at,
        "changed_at": rule.changed_at,
        "expires_at": rule.expires_at,
    }


def by_alert(named: Sequence[AlertEntity]) -> dict[int, list[AlertEntity]]:
    found: dict[int, list[AlertEntity]] = {}
    for link in named:
        found.setdefault(link.alert_id, []).append(link)
    return found
