"""The governor: one request budget that all processes share, so that we stay below the limits.

A bucket belongs to a key (a directory, an account of a ticket system) and a family of calls that
the vendor counts together. Limits: https://learn.microsoft.com/graph/throttling-limits, with a
margin, because the vendor counts by its own clock and calls spend time on the wire.

Who asks matters: each priority may fill a bucket up to its share only, so that a person never waits
behind polls.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeVar

import redis

from clients.buckets import Bucket, Buckets, LocalBuckets, SharedBuckets, Wish, new_slot
from clients.errors import RateLimited

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Priority(Enum):
    """Who asks, and how full a bucket may be after their call. The rest is for those above."""

    PERSON = 1.0
    RETRY = 0.9
    HINT = 0.8
    POLL = 0.6
    POSTURE = 0.4


_priority: ContextVar[Priority] = ContextVar("priority", default=Priority.PERSON)


@contextmanager
def at_priority(priority: Priority) -> Iterator[None]:
    """Calls inside are made at this priority; outside of any, somebody is waiting (PERSON).

    Holds for this thread only: a pool's threads have to say it themselves.
    """
    token = _priority.set(priority)
    try:
        yield
    finally:
        _priority.reset(token)


def is_background() -> bool:
    """Nobody waits for this call's answer, and there is another turn for it."""
    return _priority.get() in (Priority.POLL, Priority.POSTURE)


@dataclass(frozen=True, slots=True)
class Limit:
    """`calls` per `window_s` seconds for each key.

    `all_keys` holds for all keys together in the same window, `per_hour` for each key besides, and
    `at_once` for calls that run at one time. `within` names another family whose bucket is charged
    and whose pause is kept, too, because the vendor counts both together.
    """

    calls: int
    window_s: int
    all_keys: int | None = None
    within: str = ""
    per_hour: int | None = None
    at_once: int = 0


LIMITS: Mapping[str, Limit] = {
    "alerts": Limit(140, 60),  # 150 a minute per app and tenant, with secure score
    # 50 a minute and 1,500 an hour. Perhaps counted with the alerts as well: nobody says.
    "incidents": Limit(46, 60, within="alerts", per_hour=1450),
    "secure_score": Limit(60, 60, within="alerts", at_once=4),
    # 5 and 122 in 10 s. The longer window makes up for time on the wire.
    "audit_logs": Limit(5, 11, all_keys=115),
    "identity_protection": Limit(1, 1),  # of all apps together, and without Retry-After
    "directory": Limit(300, 10),
    "subscriptions": Limit(20, 20, all_keys=36),  # listing: 25 and 40 in 20 s
    "arm": Limit(20, 1),
    "resource_graph": Limit(14, 5),
    "defender": Limit(45, 60, per_hour=1400),  # the smallest limit told: 50 and 1,500
    "tickets": Limit(80, 60),  # until the account tells its own limit
}
HOUR_S = 3600
_OWN_BACK_OFF_S = 2.0
_REDIS_RETRY_S = 10.0
_SHARE_WITHOUT_REDIS = 8  # so many processes may count for themselves then


class FamilyState(NamedTuple):
    """How one family of calls stands for one key. `paused_s`: seconds that nobody may call."""

    family: str
    used: int
    limit: int
    window_s: int
    paused_s: float


class Governor:
    """Asks for leave before each call, in one round trip to Redis. Without Redis every process
    counts alone, with an eighth of each limit.
    """

    def __init__(
        self,
        redis_url: str | None,
        limits: Mapping[str, Limit] = LIMITS,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._local = LocalBuckets(clock)
        self._shared = SharedBuckets(redis_url) if redis_url else None
        self._redis_away_until = 0.0
        self._overrides: dict[tuple[str, str], Limit] = {}

    def acquire(self, key: str, family: str, *, wait_s: float, cost: int = 1) -> str:
        """Return as soon as `cost` calls may be made, after `wait_s` seconds at the latest.

        The answer is a slot to `release` after the call where few may run at once, else "". Raises
        RateLimited with `retry_after_s` if it would take longer, KeyError for a family without a
        limit.
        """
        deadline = self._clock() + wait_s
        slot = new_slot() if self._limit(key, family).at_once else ""
        while True:
            wait = self._try(key, family, cost, slot)
            if wait <= 0:
                return slot
            if self._clock() + wait > deadline:
                raise RateLimited(
                    f"Calls for {family} have to wait {wait:.0f} s to stay within the limits.",
                    code="throttled_here",
                    retry_after_s=wait,
                )
            self._sleep(wait)

    def release(self, key: str, family: str, slot: str) -> None:
        """The call that `acquire` gave a slot for has ended."""
        name = _name(key, family)
        self._local.give_back(name, slot)  # Redis may have been away when it was taken
        self._run(lambda store, _share: store.give_back(name, slot))

    def pause(self, key: str, family: str, seconds: float) -> None:
        """Let nobody call for this key and family for so long (the vendor said Retry-After)."""
        if seconds > 0:
            name = _name(key, family)
            self._local.pause(name, seconds)  # known here even if Redis forgets
            self._run(lambda store, _share: store.pause(name, seconds))

    def back_off(self, key: str, family: str, seconds: float = _OWN_BACK_OFF_S) -> float:
        """The vendor refused a call and did not say for how long: let nobody call for at least so
        many seconds, and twice as long as last time if that was just now. Returns the seconds.
        """
        name = _name(key, family)
        length = self._run(lambda store, _share: store.back_off(name, seconds))
        self._local.pause(name, length)
        return length

    def set_limit(self, key: str, family: str, limit: Limit) -> None:
        """Use another limit for one key, as its account told it. Known to this process only."""
        with self._lock:
            self._overrides[(key, family)] = limit

    def burst(self, family: str) -> int:
        """How many calls of a family can well be asked for at once, at the present priority."""
        return max(1, self._allowed(self._limits[family].calls, 1) // 2)

    def state(self, key: str) -> list[FamilyState]:
        """What was used of each limit of a key, and what is paused; one round trip.

        A family with a limit per hour has a second row for that.
        """
        asked: list[tuple[str, Bucket]] = []
        for family in self._limits:
            for bucket in self._own_buckets(key, family, 1):
                asked.append((family, bucket))
        found = self._run(lambda store, _share: store.look([bucket for _, bucket in asked]))
        return [
            FamilyState(family, used, bucket.calls, int(bucket.window_s), paused_s)
            for (family, bucket), (used, paused_s) in zip(asked, found, strict=True)
        ]

    # --- what a call needs ------------------------------------------------------------------------

    def _try(self, key: str, family: str, cost: int, slot: str) -> float:
        def attempt(store: Buckets, share: int) -> float:
            return store.take(self._wish(key, family, cost, share), slot)

        return self._local.paused_for(self._pauses(key, family)) or self._run(attempt)

    def _limit(self, key: str, family: str) -> Limit:
        return self._overrides.get((key, family)) or self._limits[family]

    def _wish(self, key: str, family: str, cost: int, share: int) -> Wish:
        limit = self._limit(key, family)
        name = _name(key, family)
        buckets = self._own_buckets(key, family, share)
        if limit.within:
            buckets += self._own_buckets(key, limit.within, share)
        if limit.all_keys is not None:
            buckets.append(self._bucket(family, limit.all_keys, limit.window_s, share))
        at_once = self._allowed(limit.at_once, share) if limit.at_once else 0
        return Wish(self._pauses(key, family), tuple(buckets), cost, name, at_once)

    def _pauses(self, key: str, family: str) -> tuple[str, ...]:
        within = self._limit(key, family).within
        return tuple(_name(key, one) for one in (family, within) if one)

    def _own_buckets(self, key: str, family: str, share: int) -> list[Bucket]:
        limit, name = self._limit(key, family), _name(key, family)
        buckets = [self._bucket(name, limit.calls, limit.window_s, share)]
        if limit.per_hour is not None:
            buckets.append(self._bucket(f"{name}:hour", limit.per_hour, HOUR_S, share))
        return buckets

    def _bucket(self, name: str, calls: int, window_s: float, share: int) -> Bucket:
        return Bucket(name, self._allowed(calls, share), calls, window_s)

    def _allowed(self, calls: int, share: int) -> int:
        return max(1, int(calls * _priority.get().value) // share)

    # --- with or without Redis --------------------------------------------------------------------

    def _run(self, action: Callable[[Buckets, int], T]) -> T:
        if self._shared is None:
            return action(self._local, 1)
        if self._clock() < self._redis_away_until:
            return action(self._local, _SHARE_WITHOUT_REDIS)
        try:
            result = action(self._shared, 1)
        except redis.RedisError:
            if not self._redis_away_until:
                logger.error("redis is away: each process throttles alone until it is back")
            self._redis_away_until = self._clock() + _REDIS_RETRY_S
            return action(self._local, _SHARE_WITHOUT_REDIS)
        if self._redis_away_until:
            self._redis_away_until = 0.0
            logger.info("redis is back: throttling is shared again")
        return result


def _name(key: str, family: str) -> str:
    # A directory id or an account's host name tells who the customer is, so only its hash goes to
    # Redis.
    digest = hashlib.blake2b(key.encode(), digest_size=16, person=b"csc-throttle").hexdigest()
    return f"{family}:{digest}"
