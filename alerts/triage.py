"""What is decided about cases: assign, start, resolve, reopen, judge. Inside the tenant's scope.

Every function takes the cases with the version that the person saw, changes those that are still
at it, all in one transaction, and tells the timeline and the shared queue. Cases that somebody
else changed meanwhile are left alone and reported. A version ahead of `Case.told_version` is also
the saved intent to tell the ticket system and Microsoft (`alerts.outbox`, `ticketing.plan`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from alerts.models import Case, CaseEvent
from alerts.models.case import AT_ONCE
from alerts.refresh import publish
from alerts.verdicts import FALSE_POSITIVE, SEVERITY_REASONS, problem_of

logger = logging.getLogger(__name__)

Status = Case.Status
Seen = Mapping[int, int]
"""Case id -> the version that the person saw."""
STALE = "Somebody changed this case meanwhile. Look at it again, then repeat."


class Refused(ValueError):
    """The change makes no sense for any case; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ids of the cases that changed, that were so already, and that had moved on meanwhile."""

    changed: tuple[int, ...] = ()
    unchanged: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()


def assign(tenant_id: int, seen: Seen, *, actor_id: int, assignee_id: int | None) -> Outcome:
    """Give the cases to a user, or to nobody. The caller checks that user's rights."""
    return _change(tenant_id, seen, actor_id, "assigned", lambda case: {"assignee_id": assignee_id})


def start(tenant_id: int, seen: Seen, *, actor_id: int) -> Outcome:
    """In progress; a case of nobody becomes the actor's. Closed cases are reopened instead."""

    def wanted(case: Case) -> dict[str, object]:
        if not case.is_open:
            return {}
        return {"status": Status.IN_PROGRESS, "assignee_id": case.assignee_id or actor_id}

    return _change(tenant_id, seen, actor_id, "started", wanted)


def resolve(
    tenant_id: int,
    seen: Seen,
    *,
    actor_id: int,
    verdict: str,
    determination: str = "",
    reason: str = "",
) -> Outcome:
    """Close with a verdict (alerts.verdicts). Raises Refused without one."""
    if not verdict:
        raise Refused("Choose a verdict: a case is closed with a reason.")
    judged = _judged(verdict, determination, reason)
    wish = {"status": Status.RESOLVED, **judged}
    return _change(tenant_id, seen, actor_id, "resolved", lambda case: wish)


def reopen(tenant_id: int, seen: Seen, *, actor_id: int) -> Outcome:
    """Open again: its verdict no longer holds."""
    return _change(tenant_id, seen, actor_id, "reopened", _reopened)


def judge(
    tenant_id: int,
    seen: Seen,
    *,
    actor_id: int,
    verdict: str,
    determination: str = "",
    reason: str = "",
) -> Outcome:
    """Set the verdict without closing; "" takes it away from open cases. Raises Refused."""
    judged = _judged(verdict, determination, reason)

    def wanted(case: Case) -> dict[str, object]:
        return judged if verdict or case.is_open else {}

    return _change(tenant_id, seen, actor_id, "judged", wanted)


def set_severity(
    tenant_id: int, seen: Seen, *, actor_id: int, severity: int, reason: str
) -> Outcome:
    """0 (unknown) to 4 (high), whatever its alerts say. Raises Refused without a known reason."""
    if severity not in range(5):
        raise Refused("Choose a severity.")
    if reason not in SEVERITY_REASONS:
        raise Refused(f"Choose a reason of: {', '.join(SEVERITY_REASONS.values())}.")
    wish = {"severity": severity, "severity_by_hand": severity}
    more = {"reason": reason}
    return _change(tenant_id, seen, actor_id, "severity", lambda case: wish, more)


# --- what others decided: the ticket system, or Microsoft -----------------------------------------


def take_resolved(
    tenant_id: int,
    case_ids: Iterable[int],
    *,
    kind: str,
    verdict: str = "",
    determination: str = "",
) -> Outcome:
    """Close open cases because others did. A verdict of ours stays if they have none."""

    def wanted(case: Case) -> dict[str, object]:
        if not case.is_open:
            return {}
        judged = _judged(verdict, determination, "") if verdict else {}
        return {"status": Status.RESOLVED, **judged}

    return _change(tenant_id, dict.fromkeys(case_ids), None, kind, wanted)


def take_reopened(
    tenant_id: int, case_ids: Iterable[int], *, kind: str, in_progress: bool = False
) -> Outcome:
    """Open closed cases again because others did."""

    def wanted(case: Case) -> dict[str, object]:
        wish = _reopened(case)
        return {**wish, "status": Status.IN_PROGRESS} if wish and in_progress else wish

    return _change(tenant_id, dict.fromkeys(case_ids), None, kind, wanted)


def take_verdict(
    tenant_id: int, case_ids: Iterable[int], *, kind: str, verdict: str, determination: str = ""
) -> Outcome:
    """Judge the cases as others did."""
    judged = _judged(verdict, determination, "")
    return _change(tenant_id, dict.fromkeys(case_ids), None, kind, lambda case: judged)


def _reopened(case: Case) -> dict[str, object]:
    if case.is_open:
        return {}
    status = Status.IN_PROGRESS if case.assignee_id else Status.NEW
    blank = {"verdict": "", "determination": "", "verdict_reason": "", "closed_by": ""}
    return {"status": status, **blank}


def _judged(verdict: str, determination: str, reason: str) -> dict[str, object]:
    if problem := problem_of(verdict, determination, reason):
        raise Refused(problem)
    if verdict == FALSE_POSITIVE and not reason:
        reason = "unstated"
    return {"verdict": verdict, "determination": determination, "verdict_reason": reason}


CHANGING = (
    "status", "verdict", "determination", "verdict_reason", "closed_by", "severity",
    "severity_by_hand", "assignee_id", "judge_at", "version", "changed_at",
)  # fmt: skip


@transaction.atomic
def _change(
    tenant_id: int,
    seen: Mapping[int, int | None],
    actor_id: int | None,
    kind: str,
    wanted: Callable[[Case], Mapping[str, object]],
    more: Mapping[str, object] | None = None,
) -> Outcome:
    """Five statements, however many cases. `seen`: None for whatever version it is at."""
    cases = Case.objects.select_for_update().filter(pk__in=seen).exclude(status=Status.MERGED)
    current = {case.pk: case for case in cases.order_by("pk")}
    changed: list[Case] = []
    unchanged: list[int] = []
    events: list[CaseEvent] = []
    for pk, case in current.items():
        if seen[pk] not in (None, case.version):
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
        case.judge_at = AT_ONCE
        case.changed_at = Now()
        changed.append(case)
        facts = {"before": {name: before[name] for name in after}, "after": after, **(more or {})}
        events.append(CaseEvent(case_id=pk, actor_id=actor_id, kind=kind, facts=facts))
    if changed:
        Case.objects.bulk_update(changed, CHANGING)
        CaseEvent.objects.bulk_create(events)
        publish(tenant_id, [case.pk for case in changed])
        logger.info("cases changed kind=%s count=%s", kind, len(changed))
    done = {case.pk for case in changed} | set(unchanged)
    stale = tuple(pk for pk in seen if pk not in done)
    return Outcome(tuple(case.pk for case in changed), tuple(unchanged), stale)
