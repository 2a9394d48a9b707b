"""Pages of a tenant's resources, and how many there are of what. In the tenant's scope."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posture.models import AzureResource, AzureSubscription
from tenants.rows import run

MOST_TYPES = 60
MOST_SUBSCRIPTIONS = 500

# One walk over the table for both lists.
BY_BOTH = """
SELECT subscription, type, count(*), count(*) FILTER (WHERE state = 'watched'),
  count(*) FILTER (WHERE state = 'unwatched'), count(*) FILTER (WHERE state = 'exempt'),
  count(*) FILTER (WHERE state = 'ignored'), count(*) FILTER (WHERE first_seen_at > %s)
FROM posture_azureresource GROUP BY GROUPING SETS ((subscription), (type))
ORDER BY 5 DESC, 3 DESC, 1, 2
"""
NUMBERS = ("total", "watched", "unwatched", "exempt", "ignored", "new")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of the list. Empty fields mean all; `is_new`: first seen since yesterday."""

    state: str = ""
    type: str = ""
    subscription: uuid.UUID | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Resources of one subscription or type, by state."""

    total: int
    watched: int
    unwatched: int
    exempt: int
    ignored: int
    new: int
    type: str = ""
    subscription: uuid.UUID | None = None
    row: AzureSubscription | None = None

    @property
    def unknown(self) -> int:
        return self.total - self.watched - self.unwatched - self.exempt - self.ignored

    @property
    def plans_on(self) -> list[str] | None:
        """Defender for Cloud's plans that are on, None where nobody knows."""
        plans = self.row.plans if self.row else None
        return None if plans is None else sorted(name for name in plans if plans[name])


def groups(new_since: datetime) -> tuple[list[Group], list[Group]]:
    """(subscriptions, types), those with most unwatched resources first. Two queries."""
    known = AzureSubscription.objects.in_bulk()
    subscriptions, types = [], []
    for key, kind, *numbers in run(BY_BOTH, [new_since]):
        counted: dict[str, Any] = dict(zip(NUMBERS, numbers, strict=True))
        if kind is None:
            subscriptions.append(Group(**counted, subscription=key, row=known.pop(key, None)))
        else:
            types.append(Group(**counted, type=kind))
    empty = [Group(0, 0, 0, 0, 0, 0, subscription=key, row=row) for key, row in known.items()]
    return [*subscriptions, *empty][:MOST_SUBSCRIPTIONS], types[:MOST_TYPES]


def page(
    wanted: Wanted, new_since: datetime, *, after: uuid.UUID | None, limit: int
) -> list[AzureResource]:
    """In the order of the pseudonyms, which is no order, but one that can be walked."""
    rows = AzureResource.objects.order_by("pseudonym")
    if wanted.state:
        rows = rows.filter(state=wanted.state)
    if wanted.type:
        rows = rows.filter(type=wanted.type)
    if wanted.subscription:
        rows = rows.filter(subscription=wanted.subscription)
    if wanted.is_new:
        rows = rows.filter(first_seen_at__gt=new_since)
    if after:
        rows = rows.filter(pseudonym__gt=after)
    return list(rows[:limit])


EXEMPT_NOW = """
UPDATE posture_azureresource SET state = 'exempt', why = 'exempt', changed_at = now()
WHERE state = 'unwatched' AND %s IN (pseudonym, resource_group, subscription) RETURNING 1
"""
# What another exemption covers as well stays exempt.
EXEMPT_NO_MORE = """
UPDATE posture_azureresource r SET state = 'unwatched', why = 'expired', changed_at = now()
WHERE state = 'exempt' AND %s IN (pseudonym, resource_group, subscription)
  AND NOT EXISTS (SELECT FROM posture_exemption e WHERE e.until > now()
    AND e.covers IN (r.pseudonym, r.resource_group, r.subscription))
RETURNING 1
"""


def exempt_now(covers: uuid.UUID) -> int:
    """Until the next reading: what lies in it is exempt. Returns how many resources."""
    return len(run(EXEMPT_NOW, [covers]))


def exempt_no_more(covers: uuid.UUID) -> int:
    """Until the next reading judges them by their tags. The exemption itself is gone by then."""
    return len(run(EXEMPT_NO_MORE, [covers]))
