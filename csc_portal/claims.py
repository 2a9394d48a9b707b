"""Which tenants are due, and who starts what is due: each is started once.

A column of the tenant's row says when. Whoever starts a task sets it to the time at which the task
is asked for again; the task itself sets it to the next turn. So a lost message costs a delay only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from tenants.models import Tenant


def due(column: str, now: datetime, *, late: int, new: int = 0) -> list[Tenant]:
    """Active tenants whose time has come, at most so many; who waits longest comes first.

    `new`: of those with an empty column, where that means that they never had a turn.
    """
    active = Tenant.objects.filter(state=Tenant.State.ACTIVE)
    return [
        *active.filter(**{column: None}).order_by("pk")[:new],
        *active.filter(**{f"{column}__lte": now}).order_by(column)[:late],
    ]


def claimed(tenants: Iterable[Tenant], column: str, until: datetime) -> Iterator[Tenant]:
    """Those that the caller is to start. Compare and set: of two beats, one gets a tenant."""
    for tenant in tenants:
        mine = Tenant.objects.filter(pk=tenant.pk, **{column: getattr(tenant, column)})
        if mine.update(**{column: until}):
            yield tenant
