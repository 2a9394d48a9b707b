"""How often a key may ask: so often a minute, and so often a day. Counted in Redis, for all
processes; while that is away each process counts for itself, so that the API stays there and a
runaway program is still held.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from redis.exceptions import RedisError

from csc_portal.hints import connect

logger = logging.getLogger(__name__)

MINUTE_S, DAY_S = 60, 86_400
KEPT_DAYS = 14
_own: dict[str, int] = {}
_MOST_OWN = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """Of the window that is nearer to its end of patience. `wait_s`: 0, or how long to wait."""

    limit: int
    remaining: int
    reset_s: int
    wait_s: int

    @property
    def headers(self) -> dict[str, str]:
        minute, day = settings.API_REQUESTS_PER_MINUTE, settings.API_REQUESTS_PER_DAY
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
            "RateLimit-Policy": f"{minute};w={MINUTE_S}, {day};w={DAY_S}",
        }


def count(key_id: int) -> Quota:
    """Count one request. One round trip."""
    now = int(time.time())
    names = [f"csc:api:{key_id}:m:{now // MINUTE_S}", _day_name(key_id, _today())]
    try:
        minute, day = _count_in_redis(names)
    except (RedisError, OSError):
        logger.warning("redis is away; requests are counted in this process")
        minute, day = _count_here(names)
    windows = (
        (settings.API_REQUESTS_PER_MINUTE, minute, MINUTE_S),
        (settings.API_REQUESTS_PER_DAY, day, DAY_S),
    )
    limit, used, span = max(windows, key=lambda window: window[1] / window[0])
    left = span - now % span
    return Quota(limit, max(0, limit - used), left, left if used > limit else 0)


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


def used_by_day(key_ids: Sequence[int], days: int = 7) -> dict[int, list[int]] | None:
    """Key id -> requests a day, today last; None while Redis is away."""
    today = _today()
    dates = [today - timedelta(days=ago) for ago in reversed(range(days))]
    names = [_day_name(pk, date) for pk in key_ids for date in dates]
    if not names:
        return {}
    try:
        found = connect().mget(names)
    except (RedisError, OSError):
        return None
    numbers = [int(one or 0) for one in found]
    return {pk: numbers[i * days : (i + 1) * days] for i, pk in enumerate(key_ids)}


def _today() -> datetime:
    return datetime.now(UTC)


def _day_name(key_id: int, at: datetime) -> str:
    return f"csc:api:{key_id}:d:{at:%Y%m%d}"
