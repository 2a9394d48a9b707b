"""Push: hints become reads, and subscriptions are kept up. The tasks beside those of `pipeline`.

    ingress -> Redis -> take_hints -> hint_tenant -> alerts by id, or a poll at once
    start_push_checks -> check_push: subscriptions compared with Microsoft's, hourly
    lifecycle notification -> check_push at once, and a catch-up poll

A hint is only "look now": whoever sends one causes a read that would have come anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

import redis
from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.db.models import F, Q
from django.utils import timezone

from alerts.models import Subscription
from alerts.push_plan import normal
from alerts.subscriptions import (
    COVERING,
    FAULT_RETRY,
    Check,
    check_subscriptions,
    end_subscriptions,
    next_check,
)
from clients.errors import ApiError
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed
from csc_portal.hints import MOST, Hint, connect, hints, is_first_use
from csc_portal.pipeline import poll_at_once, run_ids
from csc_portal.standing import note_subscriptions
from tenants.directories import BadSecret, graph_for
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

CHECKS_A_ROUND = 20
"""Every 30 s: 2,400 an hour, below Microsoft's limit for listing over all tenants (2 a second)."""
CHECK_IS_LOST = timedelta(minutes=15)
CHECKS_APART_S = 60


@shared_task(time_limit=30, soft_time_limit=25)
def take_hints() -> None:
    """Start at most one task for each tenant that has hints. Others' hints are forgotten."""
    waiting = hints().due()
    if not waiting:
        return
    tenants = Tenant.objects.filter(public_id__in=waiting, state=Tenant.State.ACTIVE)
    known = {tenant.public_id: tenant for tenant in tenants}
    for public_id in waiting:
        tenant = known.get(public_id)
        if tenant is None:
            hints().forget(public_id)
        elif hints().claim(public_id):
            queue = "slow" if tenant.is_failing else "ingest"
            hint_tenant.apply_async((tenant.pk,), queue=queue)


@shared_task(time_limit=280, soft_time_limit=270)
@at_priority(Priority.HINT)
def hint_tenant(tenant_id: int) -> None:
    """Do what the tenant's hints ask for. They stay when the worker dies or Postgres goes away."""
    tenant = _tenant(tenant_id, Tenant.State.ACTIVE)
    if tenant is None:
        return
    try:
        follow_hints(tenant, hints().take(tenant.public_id))
    except (OperationalError, InterfaceError):
        raise  # taken again when the claim has expired
    except Exception:
        poll_at_once(tenant)  # a hint that nobody can follow must not come back for ever
        hints().finish(tenant.public_id)
        raise
    hints().finish(tenant.public_id)


def follow_hints(tenant: Tenant, found: Iterable[Hint]) -> None:
    """Read the alerts named, or poll at once; compare subscriptions if they changed.

    What Microsoft says of a subscription that isn't ours is not followed: ours are compared with
    Microsoft's instead, which ends with a catch-up read if one of ours was missing.
    """
    with scope(tenant):
        rows = Subscription.objects.exclude(subscription_id="")
        ours = {row.subscription_id.lower(): row.resource for row in rows}
    told = {hint for hint in found if hint.subscription in ours or not hint.subscription}
    ids = sorted({hint.value for hint in told if hint.kind == "alert"})
    events = {hint.value for hint in told if hint.kind == "lifecycle"}
    looks = any(hint.kind == "look" for hint in told) or len(ids) > MOST
    if any(normal(ours.get(hint.subscription, "")) == COVERING for hint in told):
        Tenant.objects.filter(pk=tenant.pk).update(push_healthy_at=timezone.now())
    if events or told != set(found):
        check_now(tenant, renew="reauthorizationRequired" in events)
    if looks or events - {"reauthorizationRequired"}:
        poll_at_once(tenant)
    elif ids:
        run_ids(tenant, ids)


def check_now(tenant: Tenant, *, renew: bool = False) -> None:
    """Compare subscriptions; many events in a row cause one comparison a minute."""
    what = f"check {tenant.public_id} renew={renew}"
    if is_first_use(connect(), what, CHECKS_APART_S):
        check_push(tenant.pk, renew)
    else:
        soon = timezone.now() + timedelta(seconds=CHECKS_APART_S)
        Tenant.objects.filter(pk=tenant.pk).update(next_push_at=soon)


@shared_task(time_limit=60, soft_time_limit=50)
def start_push_checks() -> None:
    """Start the comparisons that are due, some at a time."""
    now = timezone.now()
    due = Tenant.objects.filter(
        Q(next_push_at__isnull=True) | Q(next_push_at__lte=now),
        state__in=(Tenant.State.ACTIVE, Tenant.State.PAUSED),
    )
    first = due.order_by(F("next_push_at").asc(nulls_first=True))[:CHECKS_A_ROUND]
    for tenant in claimed(first, "next_push_at", now + CHECK_IS_LOST):
        check_push.apply_async((tenant.pk,), queue="maintenance")


@shared_task(time_limit=300, soft_time_limit=280)
def check_push(tenant_id: int, renew: bool = False) -> None:
    """Compare one tenant's subscriptions with Microsoft's. `renew`: all of them, now."""
    tenant = _tenant(tenant_id, Tenant.State.ACTIVE, Tenant.State.PAUSED)
    if tenant is None:
        return
    try:
        compare(tenant, renew=renew)
    except (ApiError, BadSecret) as err:
        wait_s = getattr(err, "retry_after_s", None) or FAULT_RETRY.total_seconds()
        Tenant.objects.filter(pk=tenant.pk).update(
            next_push_at=timezone.now() + timedelta(seconds=wait_s)
        )
        logger.warning("push not checked tenant_id=%s kind=%s", tenant.pk, type(err).__name__)


def compare(tenant: Tenant, *, renew: bool = False) -> Check:
    """`check_subscriptions`, and what follows: the next turn, and a catch-up poll."""
    now = timezone.now()
    result = check_subscriptions(tenant, graph_for(tenant), now, force=renew)
    Tenant.objects.filter(pk=tenant.pk).update(next_push_at=next_check(tenant, result, now))
    note_subscriptions(tenant)
    if result.catch_up:
        poll_at_once(tenant)
    return result


def end_push(tenant: Tenant) -> str:
    """Best effort: delete what Microsoft has, forget the hints; what went wrong, or ''."""
    try:
        end_subscriptions(tenant, graph_for(tenant), timezone.now())
        hints().forget(tenant.public_id)
    except (ApiError, BadSecret) as err:
        return str(err)
    except redis.RedisError:
        return "Redis could not be reached."
    return ""


def _tenant(tenant_id: int, *states: str) -> Tenant | None:
    tenants = Tenant.objects.select_related("ticketing")
    return tenants.filter(pk=tenant_id, state__in=states).first()
