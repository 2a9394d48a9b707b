"""Is the process there, and can it do its work? It needs Redis and the keys, no Postgres."""

from __future__ import annotations

import redis
from django.http import HttpRequest, HttpResponse

from csc_portal.hints import connect
from csc_portal.ingress.bounds import plain
from csc_portal.ingress.door import KEYS
from csc_portal.ingress.keys import KeysAway


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return plain("ok")


def readyz(request: HttpRequest) -> HttpResponse:
    """Notifications can be checked and noted."""
    try:
        KEYS.get()
        connect().ping()
    except (KeysAway, redis.RedisError):
        return plain("not ready", 503)
    return plain("ok")
