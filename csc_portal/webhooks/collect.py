"""Finds what happened to cases: the queue's changes, compared with what was told of them last.

A page of changes, what follows from it and the new position are saved in one transaction, by one
collector at a time. So a worker that dies loses nothing, and nothing is noted twice.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from alerts.rows import run
from csc_portal.sync import Change, CursorOfAnotherLife, Position, changes_since, position_now
from csc_portal.webhooks.events import Kind, Occurred
from csc_portal.webhooks.hooks import covered, values
from tenants.models import (
    SEVERITIES,
    QueueEntry,
    Tenant,
    Webhook,
    WebhookCase,
    WebhookCursor,
    WebhookDelivery,
)
from tenants.scope import scope

logger = logging.getLogger(__name__)

PAGE = 500
RESOLVED = QueueEntry.Status.RESOLVED
_DECISIONS = """
SELECT DISTINCT ON (case_id) case_id, id, outcome, basis, priority, at FROM alerts_decision
WHERE case_id = ANY(%s) ORDER BY case_id, id DESC
"""

Coverage = Mapping[int, Mapping[str, frozenset[int]]]


@transaction.atomic
def collect(now: datetime) -> bool:
    """One page of changes. Whether there may be more. False too while another one collects."""
    cursor = WebhookCursor.objects.select_for_update(skip_locked=True).first()
    if cursor is None:
        return False
    coverage = covered(Webhook.objects.filter(state=Webhook.State.ON).select_related("owner"))
    ids = sorted({pk for kinds in coverage.values() for ids in kinds.values() for pk in ids})
    if not ids:
        _move(cursor, position_now())
        return False
    try:
        found = changes_since(Position(cursor.change, cursor.place, cursor.gone), ids, PAGE)
    except CursorOfAnotherLife:
        # The database was restored: what happened in between is told by the lists of the API.
        logger.warning("webhooks begin anew")
        _move(cursor, position_now())
        return False
    tenants = Tenant.objects.in_bulk({change.tenant_id for change in found.items})
    known = WebhookCase.objects.in_bulk([change.public_id for change in found.items])
    decisions = _decisions(found.items, coverage, tenants)
    events: list[Occurred] = []
    for change in found.items:
        before, slug = known.get(change.public_id), tenants[change.tenant_id].slug
        events += _of_case(change, before, slug, cursor.began_at, now)
        events += _of_decision(change, before, slug, decisions)
    spread(events, coverage)
    _remember(found.items, known, decisions, now)
    if found.items:
        _move(cursor, found.position)
    return found.has_more


def spread(events: Iterable[Occurred], coverage: Coverage) -> None:
    """A row for every webhook that is to be told; one that is there already stays as it is."""
    rows = [
        WebhookDelivery(**values(hook_id, event))
        for event in events
        for hook_id, kinds in coverage.items()
        if event.tenant_id in kinds.get(event.kind, ())
    ]
    WebhookDelivery.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


def _of_case(
    change: Change, before: WebhookCase | None, slug: str, began_at: datetime, now: datetime
) -> list[Occurred]:
    row = change.row
    if row is None:
        data = change_data(change, slug)
        return [Occurred(uuid.uuid4(), Kind.CASE_GONE, change.tenant_id, now, data)]
    is_new = before is None and row.opened_at >= began_at
    was_closed = before is not None and before.status == RESOLVED
    kinds = [Kind.CASE_CREATED] if is_new else []
    if row.status == RESOLVED and not was_closed:
        kinds.append(Kind.CASE_CLOSED)
    elif not is_new:
        kinds.append(Kind.CASE_UPDATED)
    data = change_data(change, slug)
    return [Occurred(uuid.uuid4(), kind, row.tenant_id, row.changed_at, data) for kind in kinds]


def change_data(change: Change, slug: str) -> dict[str, Any]:
    """How a case is now, or that it is gone: ids, times and words of our own, no title."""
    row = change.row
    if row is None:
        target = str(change.target) if change.target else None
        return {"case": str(change.public_id), "tenant": slug, "merged_into": target}
    return {
        "case": str(row.public_id),
        "number": row.case_id,
        "tenant": slug,
        "status": QueueEntry.Status(row.status).name.lower(),
        "severity": SEVERITIES[row.severity],
        "priority": row.priority,
        "verdict": row.verdict,
        "alert_count": row.alert_count,
        "ticket": row.ticket_ref,
        "opened_at": row.opened_at.isoformat(),
        "changed_at": row.changed_at.isoformat(),
    }


def _decisions(
    changes: Iterable[Change], coverage: Coverage, tenants: Mapping[int, Tenant]
) -> dict[tuple[int, int], tuple[Any, ...]]:
    """(tenant, case) -> the newest decision, in tenants where a webhook wants them."""
    wanted = {pk for kinds in coverage.values() for pk in kinds.get(Kind.DECISION_MADE, ())}
    by_tenant: dict[int, list[int]] = {}
    for change in changes:
        if change.row is not None and change.tenant_id in wanted:
            by_tenant.setdefault(change.tenant_id, []).append(change.row.case_id)
    found: dict[tuple[int, int], tuple[Any, ...]] = {}
    for tenant_id, cases in by_tenant.items():
        with scope(tenants[tenant_id]):
            for row in run(_DECISIONS, [cases]):
                found[tenant_id, row[0]] = row[1:]
    return found


def _of_decision(
    change: Change,
    before: WebhookCase | None,
    slug: str,
    decisions: Mapping[tuple[int, int], tuple[Any, ...]],
) -> list[Occurred]:
    if change.row is None or (change.tenant_id, change.row.case_id) not in decisions:
        return []
    number, outcome, basis, priority, at = decisions[change.tenant_id, change.row.case_id]
    if before is not None and number <= before.decision:
        return []
    data = {
        "case": str(change.public_id),
        "number": change.row.case_id,
        "tenant": slug,
        "decision": number,
        "outcome": outcome,
        "basis": basis,
        "priority": priority,
    }
    return [Occurred(uuid.uuid4(), Kind.DECISION_MADE, change.tenant_id, at, data)]


def _remember(
    changes: Iterable[Change],
    known: Mapping[uuid.UUID, WebhookCase],
    decisions: Mapping[tuple[int, int], tuple[Any, ...]],
    now: datetime,
) -> None:
    seen: dict[uuid.UUID, WebhookCase] = {}
    gone = []
    for change in changes:
        if change.row is None:
            gone.append(change.public_id)
            continue
        before = known.get(change.public_id)
        decision = decisions.get((change.tenant_id, change.row.case_id), (0,))[0]
        seen[change.public_id] = WebhookCase(
            public_id=change.public_id,
            tenant_id=change.tenant_id,
            status=change.row.status,
            decision=max(decision, before.decision if before else 0),
            seen_at=now,
        )
    WebhookCase.objects.filter(pk__in=gone).delete()
    WebhookCase.objects.bulk_create(
        seen.values(),
        update_conflicts=True,
        unique_fields=["public_id"],
        update_fields=["status", "decision", "seen_at"],
    )


def _move(cursor: WebhookCursor, position: Position) -> None:
    WebhookCursor.objects.filter(pk=cursor.pk).update(
        change=position.change, place=position.place, gone=position.gone
    )
