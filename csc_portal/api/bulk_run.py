"""Carries out tasks of the API. Postgres knows how far each is: one that was killed goes on."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from itertools import islice

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from alerts.rules import Refused as BadText
from alerts.triage import Refused
from csc_portal import queue
from csc_portal.access import Rights
from csc_portal.api.keys import is_alive, rights_of_key
from csc_portal.filters import ANY, Filter
from csc_portal.many import AT_ONCE, GONE, NO_EFFECT, Order, run_order
from tenants.models import ApiTask
from tenants.roles import Right

logger = logging.getLogger(__name__)

STILL_AFTER = timedelta(minutes=2)
KEPT = timedelta(days=7)
EVERYTHING = Filter(status=(ANY,), severity=(ANY,), snoozed=ANY)
NO_KEY = "The key is no longer valid."
State = ApiTask.State
Told = tuple[str, str]


@shared_task(time_limit=900, soft_time_limit=840)
def carry_out(task_id: int) -> None:
    """One worker a task: whoever sets it running. What is done of it is saved part by part."""
    now = timezone.now()
    mine = ApiTask.objects.filter(pk=task_id).filter(
        Q(state=State.PENDING) | Q(state=State.RUNNING, moved_at__lt=now - STILL_AFTER)
    )
    if not mine.update(state=State.RUNNING, moved_at=now):
        return
    task = ApiTask.objects.select_related("key__owner").get(pk=task_id)
    results = list(task.results)
    left = iter(task.cases[len(results) :])
    while part := list(islice(left, AT_ONCE)):
        results += _part(task, part)
        ApiTask.objects.filter(pk=task_id).update(results=results, moved_at=timezone.now())
    ApiTask.objects.filter(pk=task_id).update(state=State.DONE, moved_at=timezone.now())
    logger.info("api task done id=%s cases=%s", task_id, len(results))


def _part(task: ApiTask, part: list[uuid.UUID]) -> list[Told]:
    """Rights are asked for anew: a key may be revoked, and roles change."""
    task.key.refresh_from_db()
    if not is_alive(task.key, timezone.now()):
        return [("refused", NO_KEY)] * len(part)
    rights = rights_of_key(task.key)
    order = Order(task.order["do"], task.order["fields"], task.key.owner_id)
    try:
        found = run_order(_workable(rights), _seen(rights, part), order)
    except (Refused, BadText) as err:
        return [("refused", str(err))] * len(part)
    told = {result.public_id: _told(result.message) for result in found if result.public_id}
    return [told.get(str(case), ("refused", GONE)) for case in part]


def _workable(rights: Rights) -> Rights:
    """Without tenants that the key may only look at: their cases are not here for it."""
    ids = set(rights.having(Right.ACT))
    return Rights({pk: ref for pk, ref in rights.tenants.items() if pk in ids})


def _seen(rights: Rights, part: list[uuid.UUID]) -> dict[str, str]:
    """As they are now: a program that wants to be sure names a version, case by case."""
    ids = rights.having(Right.ACT)
    rows = queue.page(EVERYTHING, ids, 0, limit=AT_ONCE, public_ids=part, total=0).rows
    return {str(row.public_id): row.seen_state for row in rows}


def _told(message: str) -> Told:
    if not message:
        return ("changed", "")
    return ("unchanged" if message == NO_EFFECT else "refused", message)


@shared_task(time_limit=60, soft_time_limit=50)
def start_api_tasks() -> None:
    """What waits, or stands still because its worker is gone; and old ones go."""
    now = timezone.now()
    waiting = ApiTask.objects.exclude(state=State.DONE).filter(
        Q(state=State.PENDING, moved_at__lt=now - timedelta(seconds=20))
        | Q(moved_at__lt=now - STILL_AFTER)
    )
    for task_id in waiting.values_list("pk", flat=True)[:100]:
        carry_out.apply_async((task_id,), queue="maintenance")
    ApiTask.objects.filter(state=State.DONE, moved_at__lt=now - KEPT).delete()
