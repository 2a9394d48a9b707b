"""Findings open, change and close by themselves: one door for everything that finds something.

A finding of the schema has a slim row in `public` for lists over many tenants. Both are written in
one transaction, in the tenant's scope.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from posture.models import Finding
from tenants.models import FindingEntry
from tenants.scope import tenant_here

CHANGING = ("severity", "summary", "facts", "size")
GROWING = ("peak", "growth", "accepted_until", "accepted_why")
SHOWN = (
    "kind", "severity", "summary", "size", "owner_id", "accepted_until", "accepted_why",
    "ticket_ref", "ticket_url", "opened_at", "changed_at", "closed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What is the matter now. `key`: what it is about, a closed word or a pseudonym.

    `summary` and `facts` hold our own words, counts, times and pseudonyms, never a name. `size`:
    how many things it is about, in the kind's own unit.
    """

    key: str
    severity: int
    summary: str
    facts: dict[str, object] = field(default_factory=dict)
    size: int = 1


@dataclass(frozen=True, slots=True)
class Settled:
    """Public ids of the findings that were opened, changed and closed."""

    opened: tuple[uuid.UUID, ...] = ()
    changed: tuple[uuid.UUID, ...] = ()
    closed: tuple[uuid.UUID, ...] = ()


def settle(kind: str, found: Sequence[Found], now: datetime) -> Settled:
    """Make the open findings of a kind those in `found`: open, update, close the rest.

    In the tenant's scope. Safe to repeat: the same again changes nothing.
    """
    wanted = {one.key: one for one in found}
    with transaction.atomic():
        rows = Finding.objects.select_for_update().filter(kind=kind, closed_at=None)
        known = {row.key: row for row in rows.order_by("pk")}
        changed = [known[key] for key, one in wanted.items() if _take(known.get(key), one, now)]
        closed = [row for key, row in known.items() if key not in wanted]
        for row in closed:
            row.changed_at = row.closed_at = now
        opened = [_new(kind, one, now) for key, one in wanted.items() if key not in known]
        # Somebody else may open the same one at the same time: theirs stays.
        Finding.objects.bulk_create(opened, ignore_conflicts=True)
        Finding.objects.bulk_update(
            [*changed, *closed], [*CHANGING, *GROWING, "changed_at", "closed_at"]
        )
        publish([*opened, *changed, *closed])
    return Settled(*(tuple(row.public_id for row in part) for part in (opened, changed, closed)))


def open_findings(kind: str) -> list[Finding]:
    """In the tenant's scope, newest first."""
    return list(Finding.objects.filter(kind=kind, closed_at=None))


def _take(row: Finding | None, one: Found, now: datetime) -> bool:
    """Whether there is such a finding and it says something else now."""
    if row is None or all(getattr(row, name) == getattr(one, name) for name in CHANGING):
        return False
    is_worse = one.severity > row.severity
    if is_worse or one.size > row.peak:
        row.growth += 1
        row.peak = max(row.peak, one.size)
    if is_worse:  # what was accepted was something less
        row.accepted_until, row.accepted_why = None, ""
    for name in CHANGING:
        setattr(row, name, getattr(one, name))
    row.changed_at = now
    return True


def publish(rows: Sequence[Finding]) -> None:
    """The slim rows of those that were really stored."""
    stored = Finding.objects.filter(public_id__in=[row.public_id for row in rows])
    names = ("public_id", *SHOWN)
    FindingEntry.objects.bulk_create(
        [
            FindingEntry(tenant_id=tenant_here().pk, **dict(zip(names, values, strict=True)))
            for values in stored.order_by("pk").values_list(*names)
        ],
        update_conflicts=True,
        unique_fields=["public_id"],
        update_fields=SHOWN,
    )


def _new(kind: str, one: Found, now: datetime) -> Finding:
    return Finding(
        kind=kind, key=one.key, severity=one.severity, summary=one.summary, facts=one.facts,
        size=one.size, peak=one.size, opened_at=now, changed_at=now,
    )  # fmt: skip
