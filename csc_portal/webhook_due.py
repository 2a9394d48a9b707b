"""Tasks of webhooks out: find what happened, start what is to be sent, forget what is old."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.db.models import Exists, OuterRef
from django.utils import timezone

from clients.errors import ApiError
from csc_portal.webhooks.collect import collect
from csc_portal.webhooks.deliver import ROUND_S, deliver
from csc_portal.webhooks.looked_for import look
from tenants.directories import BadSecret
from tenants.models import QueueEntry, Webhook, WebhookCase, WebhookDelivery

logger = logging.getLogger(__name__)

PAGES = 20
LEASE = timedelta(seconds=ROUND_S + 20)
"""A round that was started and did not end by then is started again."""
KEEP_LOG = timedelta(days=30)
KEEP_CASES = timedelta(days=90)


@shared_task(time_limit=120, soft_time_limit=110)
def start_webhooks() -> None:
    """What happened since, and a round for every webhook for which something waits."""
    pages = 0
    while pages < PAGES and collect(timezone.now()):
        pages += 1
    now = timezone.now()
    waiting = WebhookDelivery.objects.filter(
        webhook=OuterRef("pk"), state=WebhookDelivery.State.PENDING, due_at__lte=now
    )
    due = Webhook.objects.filter(Exists(waiting), state=Webhook.State.ON, next_at__lte=now)
    for hook in due.order_by("next_at"):
        # Compare and set: two beats start it once.
        if Webhook.objects.filter(pk=hook.pk, next_at=hook.next_at).update(next_at=now + LEASE):
            # A receiver that fails delays only its like.
            queue = "slow" if hook.failures else "tickets"
            deliver_webhook.apply_async((hook.pk,), queue=queue)


@shared_task(time_limit=90, soft_time_limit=75)
def deliver_webhook(hook_id: int) -> None:
    hook = Webhook.objects.select_related("owner").filter(pk=hook_id, state="on").first()
    if hook is None:
        return
    try:
        deliver(hook, timezone.now)
    except (ApiError, BadSecret) as err:
        logger.warning("webhook not signed id=%s kind=%s", hook_id, type(err).__name__)


@shared_task(time_limit=300, soft_time_limit=240)
def look_for_webhooks() -> None:
    look(timezone.now())


@shared_task(time_limit=600, soft_time_limit=540)
def tidy_webhooks() -> None:
    now = timezone.now()
    old = WebhookDelivery.objects.filter(created_at__lt=now - KEEP_LOG)
    old.exclude(state=WebhookDelivery.State.PENDING).delete()
    closed = WebhookCase.objects.filter(status=QueueEntry.Status.RESOLVED)
    closed.filter(seen_at__lt=now - KEEP_CASES).delete()
