"""Hints: "look at this tenant now". Kept in Redis, a small set a tenant, until a worker took them.

Only proven posts make hints, and a hint makes nobody do more than read what a poll would read.
Redis holds our public ids, subscription ids and Microsoft's alert ids, nothing else:

    csc:hints:due:<lane>             sorted set: whose hints wait, and when they are looked at;
                                     that lies ahead while a worker has them
    csc:hints:<lane>:<id>:new        set of members that came since they were taken last
    csc:hints:<lane>:<id>:taken      those that a worker acts on; they outlive its death
    csc:hints:seen:<digest>          a signature that was used (expires)

A member is `<kind>|<subscription id or empty>|<value>`. The lane `graph` is keyed by tenants, the
lane `tickets` by ticket connections. Every function raises redis.RedisError when Redis is away.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

GRAPH, TICKETS = "graph", "tickets"
MOST = 60
"""More alerts than this at once are read as a poll reads: a page of a hundred is one request."""
KEEP_S = 24 * 3600
CLAIM_S = 300
AT_ONCE = 200
ALERT_ID = re.compile(r"[A-Za-z0-9._:;=+/-]{1,200}")

_NOTE = """
for i = 4, #ARGV do
  if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    redis.call('SADD', KEYS[1], 'look||')
    break
  end
  redis.call('SADD', KEYS[1], ARGV[i])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], 'NX', redis.call('TIME')[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
"""
_CLAIM = """
local now, at = redis.call('TIME')[1], redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at or tonumber(at) > tonumber(now) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return 1
"""
_TAKE = """
redis.call('SUNIONSTORE', KEYS[2], KEYS[2], KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return redis.call('SMEMBERS', KEYS[2])
"""
_FINISH = """
redis.call('DEL', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[1])
end
"""


@dataclass(frozen=True, slots=True, order=True)
class Hint:
    """`kind`: alert (value: its id), look, lifecycle (value: the event) or tickets.

    `subscription` is Microsoft's id of it, empty for a hint that came another way.
    """

    kind: str
    subscription: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}|{self.subscription}|{self.value}"

    @classmethod
    def parse(cls, member: str) -> Hint:
        kind, subscription, value = member.split("|", 2)
        return cls(kind, subscription, value)


LOOK = Hint("look")


class Hints:
    """The hints of one lane in one Redis. Safe to share between threads."""

    def __init__(self, client: redis.Redis, lane: str = GRAPH) -> None:
        self._redis = client
        self._lane = lane
        self._due = f"csc:hints:due:{lane}"
        self._note = client.register_script(_NOTE)
        self._claim = client.register_script(_CLAIM)
        self._take = client.register_script(_TAKE)
        self._finish = client.register_script(_FINISH)

    def note(self, subject: uuid.UUID, hints: Iterable[Hint]) -> None:
        """Remember them, each once; too many become one `look`."""
        members = [str(hint) for hint in hints]
        if members:
            self._note(
                keys=[self._key(subject, "new"), self._due],
                args=[subject.hex, MOST, KEEP_S, *members],
            )

    def due(self) -> list[uuid.UUID]:
        """Whose hints wait and are not claimed, longest first; some at a time."""
        now, _ = self._redis.time()
        members = self._redis.zrange(self._due, "-inf", now, byscore=True, offset=0, num=AT_ONCE)
        return [uuid.UUID(str(member)) for member in members]

    def claim(self, subject: uuid.UUID) -> bool:
        """True if hints wait and nobody acts on them now: the caller does, for CLAIM_S."""
        return bool(self._claim(keys=[self._due], args=[subject.hex, CLAIM_S]))

    def take(self, subject: uuid.UUID) -> frozenset[Hint]:
        """What waits. It waits on until `finish`, in case that the worker dies."""
        members = self._take(
            keys=[self._key(subject, "new"), self._key(subject, "taken")], args=[KEEP_S]
        )
        return frozenset(map(Hint.parse, members))

    def finish(self, subject: uuid.UUID) -> None:
        """Forget what was taken; what came meanwhile stays."""
        keys = [self._key(subject, name) for name in ("new", "taken")]
        self._finish(keys=[*keys, self._due], args=[subject.hex])

    def forget(self, subject: uuid.UUID) -> None:
        """Nobody wants this subject's hints."""
        self._redis.delete(*(self._key(subject, name) for name in ("new", "taken")))
        self._redis.zrem(self._due, subject.hex)

    def _key(self, subject: uuid.UUID, name: str) -> str:
        return f"csc:hints:{self._lane}:{subject.hex}:{name}"


def is_first_use(client: redis.Redis, name: str, keep_s: int) -> bool:
    """False if this name (a signature, say) was used within the last `keep_s` seconds."""
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
    return bool(client.set(f"csc:hints:seen:{digest}", 1, nx=True, ex=keep_s))


@cache
def connect() -> redis.Redis:
    """Waits half a second at most: Microsoft waits three for an answer."""
    return redis.Redis.from_url(
        settings.BACKING.redis_url,
        decode_responses=True,
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
        # One more try, for a connection that Redis closed while it was idle.
        retry=Retry(NoBackoff(), 1),
    )


@cache
def hints(lane: str = GRAPH) -> Hints:
    return Hints(connect(), lane)
