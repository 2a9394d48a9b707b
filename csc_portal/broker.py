"""Celery's way to Redis, made to outlive a restart of Redis.

kombu 5.7 ends the worker by an AttributeError when a message is acknowledged or handed back after
the connection that it came by is gone: `Channel._connparams` asks a connection that is None.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as ConnectionLost


class Channel(redis.Channel):
    # What a worker still holds is started again from what Postgres says.
    do_restore = False

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Raises what Celery expects of a connection that is gone."""
        if self.connection is None:
            raise ConnectionLost("the connection is closed")
        params: dict[str, Any] = super()._connparams(asynchronous=asynchronous)
        return params


class Transport(redis.Transport):
    Channel = Channel


def use_for_redis() -> None:
    """From now on `redis://` and `rediss://` are this transport."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
