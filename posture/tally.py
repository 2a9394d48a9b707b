"""What the inventory amounts to: counts for pages, findings by kind of resource. In a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from posture.coverage import State
from posture.findings import Found, Settled, settle
from posture.models import Finding, InventoryRead
from tenants.rows import run

NEW_FOR = timedelta(days=1)
MOST_GROUPS = 100
LOW, MEDIUM = 2, 3
TELLING = frozenset(
    {
        "microsoft.compute", "microsoft.keyvault", "microsoft.sql", "microsoft.storage",
        "microsoft.containerservice", "microsoft.web", "microsoft.dbforpostgresql",
        "microsoft.documentdb",
    }
)  # fmt: skip
"""Where people and programs work or data lies: worth more than a network's parts."""

# Of the first reading everything is new, so nothing is called so.
BASELINE = "SELECT min(began_at) FROM posture_inventoryread WHERE is_full AND is_complete"
COUNTS = """
SELECT state, count(*), count(*) FILTER (WHERE first_seen_at > %s)
FROM posture_azureresource GROUP BY state
"""
BY_KIND = """
SELECT split_part(type, '/', 1) AS kind, count(*), count(DISTINCT subscription),
  count(*) FILTER (WHERE first_seen_at > %s)
FROM posture_azureresource WHERE state = 'unwatched' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """Resources by state; `new` of the last day, all and unwatched."""

    states: Mapping[State, int]
    new: int
    new_unwatched: int

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def percent(self) -> int | None:
        return percent_of(self.states[State.WATCHED], self.states[State.UNWATCHED])

    def as_json(self) -> dict[str, object]:
        """As it lies on the tenant's row, for the list of all tenants."""
        return {
            **{state.value: self.states[state] for state in State},
            "new": self.new,
            "new_unwatched": self.new_unwatched,
        }


def percent_of(watched: int, unwatched: int) -> int | None:
    """Watched among those that have to be; rounded down, so that 100 means all."""
    judged = watched + unwatched
    return 100 * watched // judged if judged else None


def new_since(now: datetime) -> datetime:
    """What was first seen after this counts as new."""
    ((first,),) = run(BASELINE, [])
    yesterday = now - NEW_FOR
    return max(first, yesterday) if first else yesterday


def tally(since: datetime) -> Tally:
    """One query. What was first seen after `since` is new."""
    found = {state: (number, new) for state, number, new in run(COUNTS, [since])}
    states = {state: found.get(state.value, (0, 0))[0] for state in State}
    unwatched = found.get(State.UNWATCHED.value, (0, 0))
    return Tally(states, sum(new for _, new in found.values()), unwatched[1])


def keep_states(counted: Tally) -> None:
    """With the reading that ended last, so that there is a history of it."""
    last = InventoryRead.objects.exclude(ended_at=None).values("pk")[:1]
    states = {state.value: counted.states[state] for state in State}
    InventoryRead.objects.filter(pk__in=last).update(states=states)


def settle_coverage(now: datetime) -> Settled:
    """One finding for each provider of Azure's whose resources are not all watched."""
    rows = run(BY_KIND, [new_since(now), MOST_GROUPS])
    return settle(str(Finding.Kind.UNWATCHED), [_found(*row) for row in rows], now)


def _found(kind: str, count: int, subscriptions: int, new: int) -> Found:
    things = "resource is" if count == 1 else "resources are"
    return Found(
        key=kind[:100],
        severity=MEDIUM if kind in TELLING else LOW,
        summary=f"{count:,} Azure {things} not watched: {kind}"[:200],
        size=count,
        facts={"count": count, "subscriptions": subscriptions, "new": new},
    )


def last_reads() -> list[InventoryRead]:
    return list(InventoryRead.objects.exclude(ended_at=None)[:5])
