"""Tasks for judgements that fall due by themselves: late facts, watches, snoozes, waits."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.pipeline import active_tenant, after_ingest

logger = logging.getLogger(__name__)

STUCK_AFTER = timedelta(minutes=2)
"""A judgement that was asked for and not noted as done by then is asked for again."""


@shared_task(time_limit=60, soft_time_limit=50)
def start_judgements() -> None:
    """Start the judgement of every tenant that is due, each once."""
    now = timezone.now()
    tenants = due("next_judgement_at", now, late=500)
    for tenant in claimed(tenants, "next_judgement_at", now + STUCK_AFTER):
        # Many may fall due at once; no poll should wait behind them.
        judge_tenant.apply_async((tenant.pk,), queue="slow")


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POLL)
def judge_tenant(tenant_id: int) -> None:
    """Ask again what is due, watch, decide, and send what is owed then."""
    tenant = active_tenant(tenant_id)
    if tenant is not None:
        after_ingest(tenant, {}, patience_s=0, is_due=True)
