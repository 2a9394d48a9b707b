"""The stage between cases and tickets: find out, then decide.

`Tenant.next_judgement_at` says when something falls due by itself: facts to be asked again, a
watch, a snooze or a wait that ends. `csc_portal.judge_due` has the tasks that obey it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from alerts.decide import Decided, decide, next_due
from alerts.feed import Content
from alerts.rejudge import judge_all_again
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)


def judge(tenant: Tenant, content: Content, now: datetime) -> Decided:
    """Facts about what is new or due, then the decisions. `content`: alerts that are in memory."""
    decided = decide(tenant, now)
    note_next(tenant, now)
    return decided


def note_next(tenant: Tenant, now: datetime) -> None:
    """Write down when the tenant is to be looked at again without news."""
    with scope(tenant):
        due = next_due(now)
    Tenant.objects.filter(pk=tenant.pk).update(next_judgement_at=due)


def judge_everything_again(tenants: Iterable[Tenant], now: datetime) -> None:
    """Rules, weights or the mode of these tenants have changed: soon all open cases are judged."""
    for tenant in tenants:
        with scope(tenant):
            judge_all_again()
        Tenant.objects.filter(pk=tenant.pk).update(next_judgement_at=now)
