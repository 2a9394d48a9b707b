"""Buckets, pauses and slots: what was taken lately, in Redis or in the memory of this process.

The library `limits` counts one bucket a call by the caller's clock. A call to Microsoft needs up to
three buckets, a pause and a slot at once, all or none, by one clock, in one round trip; hence a
script. Both classes keep the times of the last calls, newest first: if the n-th last one is out of
the window, n more may follow. That is exact: no window ever holds more calls than allowed.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

SLOT_LIVES_S = 180.0
"""Longer than any call's deadline: the slot of a process that died is free again then."""
SLOT_WAIT_S = 0.2
_LONGEST_BACK_OFF_S = 300.0
_REDIS_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """`allowed` of its `calls` per `window_s` may be in use after this call."""

    name: str
    allowed: int
    calls: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """Leave for `cost` calls: no pause by these names, room in all buckets, one of the slots."""

    pauses: tuple[str, ...]
    buckets: tuple[Bucket, ...]
    cost: int
    slots: str = ""
    at_once: int = 0


class Buckets(Protocol):
    def take(self, wish: Wish, slot: str) -> float:
        """0 if everything was taken, else the seconds to wait; then nothing was."""

    def give_back(self, slots: str, slot: str) -> None:
        """The call that held the slot has ended."""

    def pause(self, name: str, seconds: float) -> None:
        """Begin a pause, or lengthen the one that there is."""

    def back_off(self, name: str, seconds: float) -> float:
        """A pause at least so long, and twice the last one if that ended just now; its length."""

    def look(self, buckets: Sequence[Bucket]) -> list[tuple[int, float]]:
        """(calls in the window, seconds that a pause of the same name still lasts) for each."""


# KEYS: pauses, buckets, slots. ARGV: numbers of pauses and buckets, cost, slot, at once, its life
# in ms, then allowed, calls and window in ms for each bucket. Times are milliseconds by Redis.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local pauses, buckets, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at_once, slots, wait = tonumber(ARGV[5]), KEYS[pauses + buckets + 1], 0
for i = 1, pauses do
  wait = math.max(wait, redis.call('PTTL', KEYS[i]))
end
for i = 1, buckets do
  local allowed = tonumber(ARGV[4 + 3 * i])
  cost = math.min(cost, allowed)
  local taken = redis.call('LINDEX', KEYS[pauses + i], allowed - cost)
  if taken then wait = math.max(wait, taken + ARGV[6 + 3 * i] - now) end
end
if at_once > 0 then
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  if redis.call('ZCARD', slots) >= at_once then wait = math.max(wait, SLOT_WAIT) end
end
if wait > 0 then return wait end
for i = 1, buckets do
  local key = KEYS[pauses + i]
  for _ = 1, cost do redis.call('LPUSH', key, now) end
  redis.call('LTRIM', key, 0, ARGV[5 + 3 * i] - 1)
  redis.call('PEXPIRE', key, ARGV[6 + 3 * i])
end
if at_once > 0 then
  redis.call('ZADD', slots, now + ARGV[6], ARGV[4])
  redis.call('PEXPIRE', slots, ARGV[6])
end
return 0
""".replace("SLOT_WAIT", str(int(SLOT_WAIT_S * 1000)))
# KEYS: the pause, its memory. ARGV: ms, whether it grows, the longest that it grows to.
_PAUSE = """
local wanted, left = tonumber(ARGV[1]), redis.call('PTTL', KEYS[1])
if ARGV[2] == '1' and left <= 0 then
  local last = redis.call('GET', KEYS[2])
  if last then wanted = math.max(wanted, math.min(2 * last, ARGV[3])) end
  redis.call('SET', KEYS[2], wanted, 'PX', 3 * wanted + 10000)
end
if wanted > left then redis.call('SET', KEYS[1], 1, 'PX', wanted) end
return math.max(wanted, left)
"""
# KEYS: pause and bucket for each. ARGV: window in ms for each.
_LOOK = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = {}
for i = 1, #ARGV do
  local used = 0
  for _, taken in ipairs(redis.call('LRANGE', KEYS[2 * i], 0, -1)) do
    if taken + ARGV[i] > now then used = used + 1 end
  end
  found[#found + 1] = used
  found[#found + 1] = math.max(0, redis.call('PTTL', KEYS[2 * i - 1]))
end
return found
"""


class SharedBuckets:
    """In Redis, for all processes. Every method is one round trip and may raise RedisError."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
            # One more try, for a connection that Redis closed while it was idle.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        self._take = self._redis.register_script(_TAKE)
        self._pause = self._redis.register_script(_PAUSE)
        self._look = self._redis.register_script(_LOOK)

    def take(self, wish: Wish, slot: str) -> float:
        keys = [f"csc:pause:{name}" for name in wish.pauses]
        keys += [f"csc:calls:{bucket.name}" for bucket in wish.buckets]
        keys += [f"csc:slots:{wish.slots}"] if wish.at_once else []
        numbers: list[int | str] = [
            len(wish.pauses), len(wish.buckets), wish.cost, slot, wish.at_once, _ms(SLOT_LIVES_S)
        ]  # fmt: skip
        for bucket in wish.buckets:
            numbers += [bucket.allowed, bucket.calls, _ms(bucket.window_s)]
        return _seconds(self._take(keys=keys, args=numbers))

    def give_back(self, slots: str, slot: str) -> None:
        self._redis.zrem(f"csc:slots:{slots}", slot)

    def pause(self, name: str, seconds: float) -> None:
        self._make_pause(name, seconds, grows=False)

    def back_off(self, name: str, seconds: float) -> float:
        return self._make_pause(name, seconds, grows=True)

    def _make_pause(self, name: str, seconds: float, *, grows: bool) -> float:
        keys = [f"csc:pause:{name}", f"csc:pause:last:{name}"]
        numbers = [max(1, _ms(seconds)), int(grows), _ms(_LONGEST_BACK_OFF_S)]
        return _seconds(self._pause(keys=keys, args=numbers))

    def look(self, buckets: Sequence[Bucket]) -> list[tuple[int, float]]:
        keys = [f"csc:{what}:{bucket.name}" for bucket in buckets for what in ("pause", "calls")]
        found = self._look(keys=keys, args=[_ms(bucket.window_s) for bucket in buckets])
        numbers = [int(str(number)) for number in found]
        return [(used, left / 1000) for used, left in zip(numbers[::2], numbers[1::2], strict=True)]


class LocalBuckets:
    """The same in this process alone."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[str, deque[float]] = {}
        self._pauses: dict[str, float] = {}
        self._last_pauses: dict[str, tuple[float, float]] = {}
        self._slots: dict[str, dict[str, float]] = {}

    def take(self, wish: Wish, slot: str) -> float:
        with self._lock:
            now = self._clock()
            waits = [self._pauses.get(name, 0.0) - now for name in wish.pauses]
            cost = min(wish.cost, *(bucket.allowed for bucket in wish.buckets))
            for bucket in wish.buckets:
                calls = self._calls.setdefault(bucket.name, deque())
                if len(calls) > bucket.allowed - cost:
                    waits.append(calls[bucket.allowed - cost] + bucket.window_s - now)
            held = self._slots.setdefault(wish.slots, {}) if wish.at_once else {}
            for other in [other for other, ends_at in held.items() if ends_at <= now]:
                del held[other]
            if wish.at_once and len(held) >= wish.at_once:
                waits.append(SLOT_WAIT_S)
            if (wait := max(waits, default=0.0)) > 0:
                return wait
            for bucket in wish.buckets:
                calls = self._calls[bucket.name]
                calls.extendleft([now] * cost)
                while len(calls) > bucket.calls:
                    calls.pop()
            if wish.at_once:
                held[slot] = now + SLOT_LIVES_S
            return 0.0

    def paused_for(self, names: Sequence[str]) -> float:
        """Seconds that the longest of these pauses still lasts; 0 if there is none."""
        now = self._clock()
        return max(0.0, *(self._pauses.get(name, 0.0) - now for name in names))

    def give_back(self, slots: str, slot: str) -> None:
        with self._lock:
            self._slots.get(slots, {}).pop(slot, None)

    def pause(self, name: str, seconds: float) -> None:
        with self._lock:
            now = self._clock()
            self._pauses = {key: end for key, end in self._pauses.items() if end > now}
            self._pauses[name] = max(now + seconds, self._pauses.get(name, 0.0))

    def back_off(self, name: str, seconds: float) -> float:
        now = self._clock()
        left = self._pauses.get(name, 0.0) - now
        if left <= 0:
            last, remembered_until = self._last_pauses.get(name, (0.0, 0.0))
            if remembered_until > now:
                seconds = max(seconds, min(2 * last, _LONGEST_BACK_OFF_S))
            self._last_pauses[name] = (seconds, now + 3 * seconds + 10)
        self.pause(name, seconds)
        return max(seconds, left)

    def look(self, buckets: Sequence[Bucket]) -> list[tuple[int, float]]:
        with self._lock:
            now = self._clock()
            return [
                (
                    sum(at + bucket.window_s > now for at in self._calls.get(bucket.name, ())),
                    max(0.0, self._pauses.get(bucket.name, 0.0) - now),
                )
                for bucket in buckets
            ]


def new_slot() -> str:
    return uuid.uuid4().hex


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _seconds(milliseconds: object) -> float:
    return float(str(milliseconds)) / 1000
