"""Server-sent events: what changes in the queue, told while a program listens.

A stream reads the same sequence of changes as `cases/changes` (`csc_portal.sync`), and its ids are
cursors of that. The key is looked at again before anything is told, and every few seconds.
Streams are served by a process of their own (`csc_portal.streams`): each holds a thread there.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import Error, close_old_connections, connections
from django.http import QueryDict, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from csc_portal.access import TenantRef
from csc_portal.api.cases import mark_of, position_of, read_changes
from csc_portal.api.documented import TENANT, errors
from csc_portal.api.keys import again, rights_of_key
from csc_portal.api.problems import Problem
from csc_portal.api.scopes import RIGHT_OF, Scope
from csc_portal.api.view import ApiView
from csc_portal.streams.news import NEWS
from csc_portal.sync import Changes, Position, position_now
from csc_portal.webhooks.collect import change_data
from tenants.models import ApiKey

logger = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
EVERY_S = 2.0
CHECK_S = 5.0
"""The key is looked at so often, and whenever there is something to tell."""
BEAT_S = 10.0
LIFE_S = 600.0
AT_ONCE = 200
RETRY_MS = 2000
_LAST = OpenApiParameter(
    "Last-Event-ID",
    str,
    "header",
    description="`id` of the last event, or `next` of cases/changes: goes on behind it",
)
# Few connections to the database, however many listen.
READERS = ThreadPoolExecutor(4, thread_name_prefix="streams")


class Lost(Exception):
    """The stream has to end; the message says why, in one word."""


@dataclass(slots=True)
class Stream:
    """Who listens to what. `query`: as it was asked, with which cursors have to agree."""

    key: ApiKey
    query: QueryDict
    tenants: Mapping[int, TenantRef]
    checked_at: float = 0.0
    is_behind: bool = True

    def read(self, position: Position) -> Changes:
        """What came since, for a key that still has these tenants. Raises Lost, Problem."""
        now, changed, until = time.monotonic(), list(self.tenants), None
        if not self.is_behind:
            changed, until = NEWS.since(position, self.tenants)
        if self.is_behind or now - self.checked_at >= CHECK_S:
            self.check(self.tenants)
            self.checked_at = now
        elif changed:
            self.check(changed)
        if not changed:
            return Changes([], position, False, position)
        found = read_changes(position, changed, AT_ONCE, until)
        self.is_behind &= found.has_more
        return found

    def check(self, among: Collection[int]) -> None:
        """Whether the key still has those of its tenants. Few queries. Raises Lost."""
        key = again(self.key, timezone.now())
        if key is None:
            raise Lost("key")
        rights = rights_of_key(key, None if among is self.tenants else among)
        having = set(rights.having(RIGHT_OF[Scope.CASES_READ]))
        slugs = set(self.query.getlist("tenant"))
        if slugs:
            having = {pk for pk in having if rights.tenants[pk].slug in slugs}
        if having != set(among):
            raise Lost("tenants")

    def mark(self, position: Position) -> str:
        return mark_of(self.query, self.tenants, position)

    def texts(self, found: Changes) -> Iterator[str]:
        for change in found.items:
            name = "case.changed" if change.row else "case.gone"
            data = change_data(change, self.tenants[change.tenant_id].slug)
            yield text_of(name, data, self.mark(change.position))


def text_of(name: str, data: Mapping[str, Any], mark: str = "") -> str:
    """One event. JSON of orjson has no line breaks, which would end it early."""
    own = f"id: {mark}\n" if mark else ""
    return f"event: {name}\n{own}data: {orjson.dumps(data).decode()}\n\n"


def told(
    read: Callable[[Position], Changes], stream: Stream, position: Position, life_s: float
) -> Iterator[str]:
    """The body: what came since, as it comes. Ends by itself; who listens comes again."""
    ends, beat = time.monotonic() + life_s, time.monotonic()
    # An id without data: who loses the connection before the first event misses nothing either.
    yield f"retry: {RETRY_MS}\nid: {stream.mark(position)}\n\n"
    while True:
        try:
            found = read(position)
        except Lost as err:
            yield text_of("end", {"why": str(err)})
            return
        except (Error, Problem) as err:
            logger.warning("stream ended kind=%s", type(err).__name__)
            return
        yield from stream.texts(found)
        position = found.reached
        now = time.monotonic()
        if now >= ends:
            yield text_of("end", {"why": "time"})
            return
        if now - beat >= BEAT_S:
            beat = now
            # With an id: who comes again begins here.
            yield f": still here\nid: {stream.mark(position)}\n\n"
        if not found.has_more:
            time.sleep(min(EVERY_S, ends - now))


def _read_apart(stream: Stream, position: Position) -> Changes:
    """In one of few threads, which keep their connections."""

    def read() -> Changes:
        close_old_connections()
        return stream.read(position)

    return READERS.submit(read).result()


class Seats:
    """How many listen in this process: all, and with one key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    def take(self, key_id: int) -> None:
        """Raises Problem."""
        with self._lock:
            if self._taken[key_id] >= settings.API_STREAMS_PER_KEY:
                raise Problem(429, f"A key has {settings.API_STREAMS_PER_KEY} streams at a time.")
            if self._taken.total() >= settings.API_STREAMS:
                raise Problem(503, "All streams are taken. Ask for cases/changes instead.")
            self._taken[key_id] += 1

    def leave(self, key_id: int) -> None:
        with self._lock:
            self._taken[key_id] -= 1
            if self._taken[key_id] <= 0:
                del self._taken[key_id]


SEATS = Seats()


class EventStream(StreamingHttpResponse):
    """Gives its seat back when the server is done with it, however that came."""

    def __init__(self, texts: Iterator[str], key_id: int) -> None:
        super().__init__(texts, content_type=MEDIA_TYPE)
        self._key_id: int | None = key_id
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back

    def close(self) -> None:
        super().close()
        if self._key_id is not None:
            SEATS.leave(self._key_id)
            self._key_id = None


class Sse(JSONRenderer):
    """For clients that ask for it by `Accept`; errors are problem+json all the same."""

    media_type = MEDIA_TYPE


class Events(ApiView):
    scope = Scope.CASES_READ
    known = frozenset({"tenant"})
    renderer_classes = [JSONRenderer, Sse]
    http_method_names = ["get"]

    @extend_schema(
        operation_id="listen",
        summary="What changes, as server-sent events",
        description=(
            "`case.changed` with the case as a webhook has it, `case.gone`, and `end` before the "
            "stream ends: after ten minutes (`time`), or because the `key` or its `tenants` are "
            "others. Without Last-Event-ID it begins now. An id of another set of tenants answers "
            "410: begin the copy anew. Served by a process of its own; elsewhere it answers 503."
        ),
        parameters=[TENANT, _LAST],
        responses={(200, MEDIA_TYPE): OpenApiTypes.STR, **errors(400, 410, 503)},
    )
    def get(self, request: Request) -> EventStream:
        stream = Stream(self.key, request.query_params, self.tenants())
        position = self._position(stream)
        if not settings.SERVES_STREAMS:
            raise Problem(503, "Streams are served by another process of the portal.")
        read_changes(position, list(stream.tenants), 1)
        NEWS.join(stream.tenants)
        life_s = LIFE_S * random.uniform(0.9, 1.0)  # noqa: S311 - not all come again at once
        texts = told(lambda at: _read_apart(stream, at), stream, position, life_s)
        # The thread waits from now on: its connection serves nobody.
        connections.close_all()
        SEATS.take(self.key.pk)
        return EventStream(texts, self.key.pk)

    def _position(self, stream: Stream) -> Position:
        """Raises Problem."""
        last = self.request.headers.get("Last-Event-ID", "")
        if not last:
            return position_now()
        query = stream.query.copy()
        query["cursor"] = last
        return position_of(query, stream.tenants) or position_now()
