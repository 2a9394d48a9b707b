"""What to do about subscriptions: ours and Microsoft's compared with what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LIFE = timedelta(minutes=4200)
"""Three days: shorter than the least that Graph allows for any directory-wide resource (4,230
minutes), so that a lost subscription is never missed for long."""
RENEW_LEFT = LIFE / 3


class Act(StrEnum):
    KEEP = "keep"
    WAIT = "wait"
    CREATE = "create"
    RENEW = "renew"
    ADOPT = "adopt"
    REPLACE = "replace"
    DELETE = "delete"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Place:
    """Where notifications go, and the version of the key that proves them."""

    url: str
    lifecycle_url: str
    key_version: str


@dataclass(frozen=True, slots=True)
class Ours:
    """A resource as we remember it. Without `subscription_id` it is polled, until `retry_at` if
    that is set."""

    resource: str
    subscription_id: str = ""
    key_version: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Theirs:
    """A subscription as Microsoft lists it.

    `is_genuine`: its clientState was made by us; None if it is not shown.
    """

    subscription_id: str
    resource: str
    url: str
    expires_at: datetime
    is_genuine: bool | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. `was_lost`: nobody told us for a while, so a catch-up read is due."""

    act: Act
    resource: str
    subscription_id: str = ""
    was_lost: bool = False


def normal(resource: str) -> str:
    """Two spellings of one resource are equal by this."""
    path = resource.strip().strip("/").casefold()
    for version in ("v1.0/", "beta/"):
        path = path.removeprefix(version)
    return path


def plan(
    wanted: Sequence[str],
    ours: Iterable[Ours],
    theirs: Iterable[Theirs],
    place: Place,
    now: datetime,
    *,
    force: bool = False,
) -> list[Action]:
    """One action for each wanted or known resource, and for what is left over at Microsoft.

    `force`: renew everything, and try what is polled again. Subscriptions of this app that lead
    elsewhere are another installation's and left alone.
    """
    known = {normal(row.resource): row for row in ours}
    listed = list(theirs)
    actions: list[Action] = []
    for resource in wanted:
        row = known.pop(normal(resource), Ours(resource, retry_at=now))
        actions.append(_action_for(resource, row, listed, place, now, force=force))
    for row in known.values():
        act = Act.DELETE if row.subscription_id else Act.FORGET
        actions.append(Action(act, row.resource, row.subscription_id))
    used = {action.subscription_id for action in actions}
    actions += [
        Action(Act.DELETE, one.resource, one.subscription_id)
        for one in listed
        if one.url == place.url and one.subscription_id not in used
    ]
    return actions


def _action_for(
    resource: str, row: Ours, listed: list[Theirs], place: Place, now: datetime, *, force: bool
) -> Action:
    same = [one for one in listed if normal(one.resource) == normal(resource)]
    mine = next((one for one in same if one.subscription_id == row.subscription_id), None)
    if mine is not None:
        return Action(_act_for_known(mine, row, place, now, force=force), resource,
                      mine.subscription_id)  # fmt: skip
    was_lost = bool(row.subscription_id)
    orphan = next((one for one in same if one.url == place.url), None)
    if orphan is not None:
        act = Act.REPLACE if orphan.is_genuine is False else Act.ADOPT
        return Action(act, resource, orphan.subscription_id, was_lost=True)
    if was_lost or force or (row.retry_at is not None and row.retry_at <= now):
        return Action(Act.CREATE, resource, was_lost=was_lost)
    return Action(Act.WAIT, resource)


def _act_for_known(mine: Theirs, row: Ours, place: Place, now: datetime, *, force: bool) -> Act:
    if mine.url != place.url or row.key_version != place.key_version or mine.is_genuine is False:
        return Act.REPLACE
    return Act.RENEW if force or mine.expires_at - now <= RENEW_LEFT else Act.KEEP
