"""Suppressing a detection and snoozing cases: by people, for a time, with a reason, never unseen.

Inside the tenant's scope. A suppressed case is closed by `alerts.decide` with its own badge; a
snoozed one stays open and comes back by itself, or when it grows or becomes more severe.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from alerts.judge import Suppressed
from alerts.models import Alert, Case, CaseEvent, EntityKey, Suppression
from alerts.models.case import AT_ONCE
from alerts.refresh import publish
from alerts.rejudge import judge_all_again
from alerts.rules import LONGEST_REASON, Refused, check_text
from alerts.triage import Outcome

LONGEST = timedelta(days=365)
LONGEST_SNOOZE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """Of one detection, by product and scrubbed title; of one entity of it, or of all."""

    service_source: str
    detection: str
    entity: uuid.UUID | None
    most_severity: int
    reason: str
    expires_at: datetime


def suppressions_now(now: datetime) -> list[Suppressed]:
    """Those that hold. One statement."""
    alive = Suppression.objects.filter(ended_at=None, expires_at__gt=now).order_by("pk")
    return [
        Suppressed(
            row.public_id,
            row.service_source,
            row.detection,
            row.entity,
            row.most_severity,
            row.reason,
            row.expires_at,
        )
        for row in alive
    ]


@transaction.atomic
def suppress(new: NewSuppression, *, actor_id: int, now: datetime) -> Suppression:
    """From now on. Raises Refused: reason and end are needed, and the detection must be known."""
    check_text(new.reason, "reason", LONGEST_REASON)
    if not now < new.expires_at <= now + LONGEST:
        raise Refused("Give an end within a year: a suppression never lasts for ever.")
    if new.most_severity not in range(5):
        raise Refused("Choose the highest severity that is suppressed.")
    named = Q(service_source=new.service_source, title=new.detection)
    if not Alert.objects.filter(named).exists():
        raise Refused("There is no alert of this detection.")
    if new.entity is not None and not EntityKey.objects.filter(pseudonym=new.entity).exists():
        raise Refused("This person or thing is not known.")
    made = Suppression.objects.create(
        service_source=new.service_source,
        detection=new.detection,
        entity=new.entity,
        most_severity=new.most_severity,
        reason=new.reason.strip(),
        actor_id=actor_id,
        expires_at=new.expires_at,
    )
    judge_all_again()
    return made


@transaction.atomic
def end_suppression(public_id: uuid.UUID, *, now: datetime) -> bool:
    """False if it had ended before. What it closed stays closed."""
    mine = Suppression.objects.filter(public_id=public_id, ended_at=None)
    return mine.update(ended_at=now) > 0


@transaction.atomic
def snooze(
    tenant_id: int,
    seen: Mapping[int, int],
    *,
    actor_id: int,
    until: datetime,
    reason: str,
    now: datetime,
) -> Outcome:
    """Out of the queue until then, or until they grow. `seen`: case -> version. Raises Refused."""
    check_text(reason, "reason", LONGEST_REASON)
    if not now < until <= now + LONGEST_SNOOZE:
        raise Refused("Choose a time within the next 30 days.")
    return _hold(tenant_id, seen, actor_id, until, reason.strip())


@transaction.atomic
def wake(tenant_id: int, seen: Mapping[int, int], *, actor_id: int) -> Outcome:
    """Back into the queue."""
    return _hold(tenant_id, seen, actor_id, None, "")


def _hold(
    tenant_id: int, seen: Mapping[int, int], actor_id: int, until: datetime | None, reason: str
) -> Outcome:
    found = Case.objects.select_for_update().filter(pk__in=seen, status__lt=2).order_by("pk")
    changed, unchanged, events = [], [], []
    for case in found:
        if case.version != seen[case.pk]:
            continue
        if case.snoozed_until == until:
            unchanged.append(case.pk)
            continue
        case.snoozed_until = until
        if until is not None:
            case.snoozed_growth, case.snoozed_severity = case.growth, case.severity
        case.judge_at = AT_ONCE
        case.version += 1
        case.changed_at = Now()
        changed.append(case)
        facts = {"until": until.isoformat(), "reason": reason} if until else {}
        kind = "snoozed" if until else "woken"
        events.append(CaseEvent(case=case, actor_id=actor_id, kind=kind, facts=facts))
    if changed:
        names = ["snoozed_until", "snoozed_growth", "snoozed_severity", "judge_at"]
        Case.objects.bulk_update(changed, [*names, "version", "changed_at"])
        CaseEvent.objects.bulk_create(events)
        publish(tenant_id, [case.pk for case in changed])
    done = {case.pk for case in changed} | set(unchanged)
    stale = tuple(pk for pk in seen if pk not in done)
    return Outcome(tuple(case.pk for case in changed), tuple(unchanged), stale)
