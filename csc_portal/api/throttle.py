"""How often a key may ask: so often a minute, and so often a day; and how often it did.

Counted in Redis, for all processes; while that is away each process counts for itself, so that the
API stays there and a runaway program is still held. Nothing else keeps these numbers: who empties
Redis begins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from redis.exceptions import RedisError

from csc_portal.hints import connect
from tenants.models import ApiKey

logger = logging.getLogger(__name__)

MINUTE_S, DAY_S = 60, 86_400
SHOWN_DAYS = 30
KEPT_DAYS = SHOWN_DAYS + 1
_REQUESTS, _ERRORS, _THROTTLED = "d", "e", "t"
_own: dict[str, int] = {}
_MOST_OWN = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """Of the window that matters most. `wait_s`: 0, or how long to wait."""

    limit: int
    remaining: int
    reset_s: int
    wait_s: int
    a_day: int

    @property
    def headers(self) -> dict[str, str]:
        minute = settings.API_REQUESTS_PER_MINUTE
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
            "RateLimit-Policy": f"{minute};w={MINUTE_S}, {self.a_day};w={DAY_S}",
        }


@dataclass(frozen=True, slots=True)
class Use:
    """What a key did on a day (UTC). `requests`: those that were let through."""

    day: date
    requests: int
    errors: int
    throttled: int


def requests_a_day(key: ApiKey) -> int:
    """As many as all keys may, or fewer."""
    most: int = settings.API_REQUESTS_PER_DAY
    return min(most, key.requests_a_day or most)


def count(key: ApiKey) -> Quota:
    """Count one request. One round trip, two for one that is refused."""
    now = int(time.time())
    names = [f"csc:api:{key.pk}:m:{now // MINUTE_S}", _name(key.pk, _REQUESTS, _today())]
    try:
        minute, day = _count_in_redis(names)
    except (RedisError, OSError):
        logger.warning("redis is away; requests are counted in this process")
        minute, day = _count_here(names)
    a_day = requests_a_day(key)
    windows = [
        (limit, used, span - now % span)
        for limit, used, span in (
            (settings.API_REQUESTS_PER_MINUTE, minute, MINUTE_S),
            (a_day, day, DAY_S),
        )
    ]
    if over := [window for window in windows if window[1] > window[0]]:
        limit, _, left = max(over, key=lambda window: window[2])
        _refused(key.pk)
        return Quota(limit, 0, left, left, a_day)
    limit, used, left = max(windows, key=lambda window: window[1] / window[0])
    return Quota(limit, limit - used, left, 0, a_day)


def note_error(key_id: int) -> None:
    """An answer that begins with 4 or 5. Only for people to see, so it may get lost."""
    _add([(_name(key_id, _ERRORS, _today()), 1)])


def _refused(key_id: int) -> None:
    """What was refused uses up nothing of the day: else a program that waits would lose it."""
    today = _today()
    _add([(_name(key_id, _REQUESTS, today), -1), (_name(key_id, _THROTTLED, today), 1)])


def _add(changes: Sequence[tuple[str, int]]) -> None:
    try:
        with connect().pipeline(transaction=False) as pipe:
            for name, by in changes:
                pipe.incrby(name, by)
                pipe.expire(name, KEPT_DAYS * DAY_S)
            pipe.execute()
    except (RedisError, OSError):
        return


def _count_in_redis(names: Sequence[str]) -> list[int]:
    with connect().pipeline(transaction=False) as pipe:
        for name, keep_s in zip(names, (2 * MINUTE_S, KEPT_DAYS * DAY_S), strict=True):
            pipe.incr(name)
            pipe.expire(name, keep_s)
        return [int(one) for one in pipe.execute()[::2]]


def _count_here(names: Sequence[str]) -> list[int]:
    if len(_own) > _MOST_OWN:
        _own.clear()
    for name in names:
        _own[name] = _own.get(name, 0) + 1
    return [_own[name] for name in names]


def used_by_day(key_ids: Sequence[int], days: int = 7) -> dict[int, list[Use]] | None:
    """Key id -> its days, today last; None while Redis is away. One round trip."""
    today = _today()
    dates = [today - timedelta(days=ago) for ago in reversed(range(days))]
    whats = (_REQUESTS, _ERRORS, _THROTTLED)
    names = [_name(pk, what, at) for pk in key_ids for at in dates for what in whats]
    if not names:
        return {}
    try:
        found = connect().mget(names)
    except (RedisError, OSError):
        return None
    numbers = iter([int(one or 0) for one in found])
    return {
        pk: [Use(at, next(numbers), next(numbers), next(numbers)) for at in dates] for pk in key_ids
    }


def _today() -> date:
    return datetime.now(UTC).date()


def _name(key_id: int, what: str, at: date) -> str:
    return f"csc:api:{key_id}:{what}:{at:%Y%m%d}"
