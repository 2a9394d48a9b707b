"""Token buckets that all processes share, so that we stay below the vendors' limits.

A bucket belongs to a key (a directory, an account of a ticket system) and a family of calls that
the vendor counts together. Limits: https://learn.microsoft.com/graph/throttling-limits, with a
margin, because the vendor counts by its own clock. Secure Score allows four calls at once only;
`secure_score` is kept so slow that this never matters.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from clients.errors import RateLimited

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """`calls` per `window_s` seconds for each key.

    `all_keys` holds for all keys together in the same window. `within` names another family whose
    bucket is charged, too, because the vendor counts both together.
    """

    calls: int
    window_s: int
    all_keys: int | None = None
    within: str = ""


LIMITS: Mapping[str, Limit] = {
    "alerts": Limit(140, 60),  # 150 a minute per app and tenant, with the next two
    "incidents": Limit(50, 60, within="alerts"),
    "secure_score": Limit(20, 60, within="alerts"),
    # 5 and 122 in 10 s. The longer window makes up for time on the wire.
    "audit_logs": Limit(5, 11, all_keys=115),
    "identity_protection": Limit(1, 1),
    "directory": Limit(300, 10),
    "subscriptions": Limit(20, 20, all_keys=36),  # listing: 25 and 40 in 20 s
    "arm": Limit(20, 1),
    "resource_graph": Limit(14, 5),
    "tickets": Limit(80, 60),  # until the account tells its own limit
}

_REDIS_TIMEOUT_S = 1.0
_REDIS_RETRY_S = 10.0
_SHARE_WITHOUT_REDIS = 4  # several processes may count for themselves then


class Governor:
    """Asks for leave before each call. Without Redis every process counts alone, with a quarter of
    each limit.
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
        self._local = _Buckets(MemoryStorage(), None)
        self._shared = _shared_buckets(redis_url) if redis_url else None
        self._redis_away_until = 0.0
        self._overrides: dict[tuple[str, str], Limit] = {}

    def acquire(self, key: str, family: str, *, wait_s: float, cost: int = 1) -> None:
        """Return as soon as `cost` calls may be made, after `wait_s` seconds at the latest.

        Raises RateLimited with `retry_after_s` if it would take longer, KeyError for a family
        without a limit.
        """
        deadline = self._clock() + wait_s
        while True:
            wait = self._try(key, family, cost)
            if wait <= 0:
                return
            if self._clock() + wait > deadline:
                raise RateLimited(
                    f"Calls for {family} have to wait {wait:.0f} s to stay within the limits.",
                    code="throttled_here",
                    retry_after_s=wait,
                )
            self._sleep(wait)

    def pause(self, key: str, family: str, seconds: float) -> None:
        """Let nobody call for this key and family for so long (the vendor said Retry-After)."""
        if seconds > 0:
            name = _name(key, family)
            self._run(lambda buckets, _share: buckets.pause(name, seconds, self._clock()))

    def set_limit(self, key: str, family: str, limit: Limit) -> None:
        """Use another limit for one key, as its account told it. Known to this process only."""
        with self._lock:
            self._overrides[(key, family)] = limit

    def burst(self, family: str) -> int:
        """How many calls of a family can be asked for at once."""
        return max(1, self._limits[family].calls // _SHARE_WITHOUT_REDIS)

    def _try(self, key: str, family: str, cost: int) -> float:
        limit = self._overrides.get((key, family), self._limits[family])
        name = _name(key, family)
        buckets = [(name, limit.calls, limit.window_s)]
        if limit.within:
            other = self._limits[limit.within]
            buckets.append((_name(key, limit.within), other.calls, other.window_s))
        if limit.all_keys is not None:
            buckets.append((family, limit.all_keys, limit.window_s))

        def attempt(store: "_Buckets", share: int) -> float:
            wait = store.paused_for(name, self._clock())
            return wait if wait > 0 else store.take(buckets, cost, share)

        return self._run(attempt)

    def _run(self, action: "Callable[[_Buckets, int], float]") -> float:
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


class _Buckets:
    """Counters and pauses in Redis, or in the memory of this process when `client` is None."""

    def __init__(self, storage: RedisStorage | MemoryStorage, client: "redis.Redis | None") -> None:
        self._limiter = MovingWindowRateLimiter(storage)
        self._client = client
        self._pauses: dict[str, float] = {}

    def paused_for(self, name: str, now: float) -> float:
        """Seconds that a pause still lasts, 0 if there is none."""
        if self._client is None:
            return max(0.0, self._pauses.get(name, 0.0) - now)
        left_ms = self._client.pttl(f"csc:pause:{name}")
        return max(0.0, float(str(left_ms)) / 1000)

    def pause(self, name: str, seconds: float, now: float) -> float:
        """Begin or lengthen a pause; a shorter one never cuts a longer one. Returns its length in
        seconds.
        """
        if seconds <= self.paused_for(name, now):
            return seconds
        if self._client is None:
            self._pauses = {key: end for key, end in self._pauses.items() if end > now}
            self._pauses[name] = now + seconds
        else:
            self._client.set(f"csc:pause:{name}", 1, px=max(1, int(seconds * 1000)))
        return seconds

    def take(self, buckets: list[tuple[str, int, int]], cost: int, share: int) -> float:
        """Take `cost` from each (name, calls, window_s) and return 0, or the seconds to wait."""
        items = [(name, _item(calls, window_s, share)) for name, calls, window_s in buckets]
        cost = min(cost, *(item.amount for _name, item in items))
        # First look at those that others use as well: a call that one of them refuses must not
        # use up the key's own share.
        for name, item in items[1:]:
            if not self._limiter.test(item, name, cost=cost):
                return self._until_reset(item, name)
        for name, item in items:
            if not self._limiter.hit(item, name, cost=cost):
                return self._until_reset(item, name)
        return 0.0

    def _until_reset(self, item: RateLimitItem, name: str) -> float:
        reset_at = self._limiter.get_window_stats(item, name).reset_time
        return max(0.01, reset_at - time.time())  # limits reads this clock, not ours


def _item(calls: int, window_s: int, share: int) -> RateLimitItem:
    return RateLimitItemPerSecond(max(1, calls // share), window_s, namespace="csc")


def _name(key: str, family: str) -> str:
    # A directory id or an account's host name tells who the customer is, so only its hash goes to
    # Redis.
    digest = hashlib.blake2b(key.encode(), digest_size=16, person=b"csc-throttle").hexdigest()
    return f"{family}:{digest}"


def _shared_buckets(redis_url: str) -> _Buckets:
    uri = f"redis+{redis_url}" if redis_url.startswith("unix://") else redis_url
    storage = RedisStorage(
        uri,
        key_prefix="csc:limit",
        socket_timeout=_REDIS_TIMEOUT_S,
        socket_connect_timeout=_REDIS_TIMEOUT_S,
    )
    return _Buckets(storage, storage.storage)
