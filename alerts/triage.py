"""What people do to cases: assign, start, resolve, reopen, judge. Inside the tenant's scope.

Every function takes the cases with the version that the person saw, changes those that are still
at it, all in one transaction, and tells the timeline and the shared queue. Cases that somebody else
changed meanwhile are left alone and reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from alerts.models import Case, CaseEvent
from alerts.refresh import publish

logger = logging.getLogger(__name__)

Status, Verdict = Case.Status, Case.Verdict
STALE = "Somebody changed this case meanwhile. Look at it again, then repeat."


class Refused(ValueError):
    """The change makes no sense for any case; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ids of the cases that changed, that were so already, and that had moved on meanwhile."""

    changed: tuple[int, ...] = ()
    unchanged: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()


def assign(
    tenant_id: int, seen: Mapping[int, int], *, actor_id: int, assignee_id: int | None
) -> Outcome:
    """Give the cases to a user, or to nobody. The caller checks that user's rights."""
    return _change(tenant_id, seen, actor_id, "assigned", lambda case: {"assignee_id": assignee_id})


def start(tenant_id: int, seen: Mapping[int, int], *, actor_id: int) -> Outcome:
    """In progress; a case of nobody becomes the actor's. Closed cases are reopened instead."""

    def wanted(case: Case) -> dict[str, object]:
        if not case.is_open:
            return {}
        return {"status": Status.IN_PROGRESS, "assignee_id": case.assignee_id or actor_id}

    return _change(tenant_id, seen, actor_id, "started", wanted)


def resolve(tenant_id: int, seen: Mapping[int, int], *, actor_id: int, verdict: str) -> Outcome:
    """Close with a verdict. Raises Refused without one."""
    if not verdict:
        raise Refused("Choose a verdict: a case is closed with a reason.")
    _check(verdict)

    def wanted(case: Case) -> dict[str, object]:
        return {"status": Status.RESOLVED, "verdict": verdict}

    return _change(tenant_id, seen, actor_id, "resolved", wanted)


def reopen(tenant_id: int, seen: Mapping[int, int], *, actor_id: int) -> Outcome:
    """Open again: its verdict no longer holds."""

    def wanted(case: Case) -> dict[str, object]:
        if case.is_open:
            return {}
        status = Status.IN_PROGRESS if case.assignee_id else Status.NEW
        return {"status": status, "verdict": ""}

    return _change(tenant_id, seen, actor_id, "reopened", wanted)


def judge(tenant_id: int, seen: Mapping[int, int], *, actor_id: int, verdict: str) -> Outcome:
    """Set the verdict without closing; "" takes it away from open cases. Raises Refused."""
    _check(verdict)

    def wanted(case: Case) -> dict[str, object]:
        return {"verdict": verdict} if verdict or case.is_open else {}

    return _change(tenant_id, seen, actor_id, "judged", wanted)


def _check(verdict: str) -> None:
    if verdict and verdict not in Verdict.values:
        raise Refused(f"Choose a verdict of: {', '.join(map(str, Verdict.labels))}.")


@transaction.atomic
def _change(
    tenant_id: int,
    seen: Mapping[int, int],
    actor_id: int,
    kind: str,
    wanted: Callable[[Case], Mapping[str, object]],
) -> Outcome:
    """Five statements, however many cases."""
    cases = Case.objects.select_for_update().filter(pk__in=seen).exclude(status=Status.MERGED)
    current = {case.pk: case for case in cases.order_by("pk")}
    changed: list[Case] = []
    unchanged: list[int] = []
    events: list[CaseEvent] = []
    for pk, case in current.items():
        if case.version != seen[pk]:
            continue
        wish = wanted(case)
        before = {name: getattr(case, name) for name in wish}
        after = {name: value for name, value in wish.items() if value != before[name]}
        if not after:
            unchanged.append(pk)
            continue
        for name, value in after.items():
            setattr(case, name, value)
        case.version += 1
        case.changed_at = Now()
        changed.append(case)
        facts = {"before": {name: before[name] for name in after}, "after": after}
        events.append(CaseEvent(case_id=pk, actor_id=actor_id, kind=kind, facts=facts))
    if changed:
        Case.objects.bulk_update(
            changed, ["status", "verdict", "assignee_id", "version", "changed_at"]
        )
        CaseEvent.objects.bulk_create(events)
        publish(tenant_id, [case.pk for case in changed])
        logger.info("cases changed kind=%s count=%s", kind, len(changed))
    done = {case.pk for case in changed} | set(unchanged)
    stale = tuple(pk for pk in seen if pk not in done)
    return Outcome(tuple(case.pk for case in changed), tuple(unchanged), stale)
