"""Slows down whoever guesses passwords: counted by user name and address, and by address alone.

A second factor is also counted by account alone: six digits are few, and only somebody who has the
password already can lock an account by guessing them.
"""

from __future__ import annotations

import logging
import math
import time
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from csc_portal.proxies import client_address

logger = logging.getLogger(__name__)

WINDOW_MINUTES = 15
ONE_NAME = RateLimitItemPerMinute(5, WINDOW_MINUTES, namespace="login")
ONE_ACCOUNT = RateLimitItemPerMinute(10, WINDOW_MINUTES, namespace="second-factor")
ONE_ADDRESS = RateLimitItemPerMinute(50, WINDOW_MINUTES, namespace="login-address")
REFUSALS = RateLimitItemPerMinute(20, WINDOW_MINUTES, namespace="refused-stranger")
OPENINGS = RateLimitItemPerMinute(30, 1, namespace="report-link")
_TIMEOUT_S = 1.0


@cache
def _shared() -> FixedWindowRateLimiter:
    """Counts of all web processes, in Redis."""
    storage = storage_from_string(
        settings.BACKING.redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    )
    return FixedWindowRateLimiter(storage)


@cache
def _own() -> FixedWindowRateLimiter:
    """Counts of this process alone, for while Redis is away."""
    return FixedWindowRateLimiter(MemoryStorage())


class Guesses:
    """The wrong passwords of one user name from one address. Neither is kept readable."""

    def __init__(self, username: str, address: str) -> None:
        self._keys = [
            (ONE_NAME, _digest(f"{username.casefold()}\0{address}")),
            (ONE_ADDRESS, _digest(address)),
        ]

    @classmethod
    def of_factor(cls, user_id: int, address: str) -> Guesses:
        """The wrong second factors of a user whose password was right."""
        found = cls(f"second factor\0{user_id}", address)
        found._keys.append((ONE_ACCOUNT, _digest(f"second factor\0{user_id}")))
        return found

    def wait_minutes(self) -> int:
        """0, or how long the next guess has to wait."""
        ends = []
        for limiter in _limiters():
            for item, key in self._keys:
                if not limiter.test(item, key):
                    ends.append(limiter.get_window_stats(item, key).reset_time)
        return max((math.ceil((end - time.time()) / 60) for end in ends), default=0)

    def add(self) -> None:
        for limiter in _limiters():
            for item, key in self._keys:
                limiter.hit(item, key)

    def forget(self) -> None:
        """After the right password. The address keeps its count."""
        for limiter in _limiters():
            for item, key in self._keys:
                if item is not ONE_ADDRESS:
                    limiter.clear(item, key)


def opened_too_often(address: str) -> bool:
    """Counts the opening of a report by a link. What is opened is made anew each time."""
    return not all(limiter.hit(OPENINGS, _digest(address)) for limiter in _limiters())


def refused_too_often(address: str) -> bool:
    """Counts the refusal of somebody of whom nothing is known."""
    return not all(limiter.hit(REFUSALS, _digest(address)) for limiter in _limiters())


def _limiters() -> list[FixedWindowRateLimiter]:
    try:
        _shared().storage.check()
        return [_shared()]
    except (RedisError, OSError):
        logger.warning("redis is away; guesses are counted in this process")
        return [_own()]


def address_of(request: HttpRequest) -> str:
    return client_address(request, settings.PORTAL_PROXIES)


def _digest(text: str) -> str:
    return salted_hmac("login throttle", text, algorithm="sha256").hexdigest()[:32]
