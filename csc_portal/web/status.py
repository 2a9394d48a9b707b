"""Whether the process answers, and whether it can work. Public: they tell nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
TIMEOUT_S = 2.0


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """503 while the database or Redis is away."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        Redis.from_url(
            settings.BACKING.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        ).ping()
    except (DatabaseError, RedisError, OSError) as err:
        logger.error("not ready kind=%s", type(err).__name__)
        return HttpResponse("not ready", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


PROBES = {"/healthz": healthz, "/readyz": readyz}


class Probes:
    """Middleware, before those that look at the Host or need the vault: probes come by an address,
    and a vault that is away is no reason to start the process again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)
