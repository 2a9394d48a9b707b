"""Gives deliveries that were given up another chance."""

from __future__ import annotations

from django.db.models.functions import Now

from ticketing.models import Delivery


def retry_failed() -> int:
    """Failed deliveries are due now; returns how many. Inside the tenant's scope.

    They count as tried once, so that the ticket system is asked for our reference first.
    """
    failed = Delivery.objects.filter(state=Delivery.State.FAILED)
    return failed.update(state=Delivery.State.PENDING, attempts=1, due_at=Now())
