"""Reads the ledger's windows of one source from Microsoft, page by page, and writes down how."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from alerts.ingest import Counts
from alerts.ledger import extra_window, failed, fetched, page_size, windows_to_read
from alerts.models import Cursor, Poll
from clients.errors import ApiError, BadPayload, Forbidden, Unavailable
from clients.microsoft.graph import Graph
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""Read again before every window: Microsoft's stores agree only after some minutes."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is particular to a source.

    `pages`: as `clients.microsoft.security.alert_pages`. `take` stores one page and gives its
    counts and newest `lastUpdateDateTime`. `path` is read to learn whether the service answers at
    all. An optional source that may not be read leaves no unread window.
    """

    name: str
    path: str
    family: str
    pages: Callable[..., Iterator[list[object]]]
    take: Callable[[list[object]], tuple[Counts, datetime | None]]
    is_optional: bool = False


def read_source(
    tenant: Tenant,
    graph: Graph,
    source: Source,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    begins: datetime | None = None,
) -> Counts:
    """Take every window that the ledger has open; with `since`, that time besides.

    `begins`: where a source that was never read begins, if not at `since` or with all there is.
    Raises ApiError if the youngest window could not be read; what was stored stays, and the ledger
    knows what is missing.
    """
    now = timezone.now()
    with scope(tenant):
        is_first = not Cursor.objects.filter(source=source.name, watermark__isnull=False).exists()
        if since is None or (is_first and until is None):
            windows = windows_to_read(source.name, now, since or begins)
        else:
            windows = [extra_window(source.name, since, until, now)]
    total, error = Counts(), None
    for window in windows:
        counts, error = _read_window(tenant, graph, source, window)
        total += counts
    if error is not None:
        raise error
    return total


def _read_window(
    tenant: Tenant, graph: Graph, source: Source, window: Poll
) -> tuple[Counts, ApiError | None]:
    """Read one window completely and write down how it went."""
    total, edge, throttled_before = Counts(), None, graph.http.throttled
    since = window.since if window.is_extra else window.since - OVERLAP
    try:
        for documents in source.pages(
            graph, since=since, until=window.until, page_size=page_size(window)
        ):
            edge = edge or graph.server_time
            counts, newest = source.take(documents)
            total += counts
            if graph.server_time is None:  # then nothing but our own clock bounds what they say
                edge = max(filter(None, (edge, newest)), default=None)
                edge = min(edge, timezone.now()) if edge else None
    except ApiError as err:
        _log(window, total, err)
        if isinstance(err, Forbidden) and source.is_optional:
            return total, err
        answers = _answers_otherwise(graph, source, err)
        with scope(tenant):
            throttled = graph.http.throttled - throttled_before
            failed(window, err, total, edge=answers, now=timezone.now(), throttled=throttled)
        return total, err
    with scope(tenant):
        throttled = graph.http.throttled - throttled_before
        fetched(window, total, edge, timezone.now(), throttled=throttled)
    _log(window, total, None)
    return total, None


def _answers_otherwise(graph: Graph, source: Source, err: ApiError) -> datetime | None:
    """Microsoft's time, if it is this window and not the service that fails."""
    if not isinstance(err, Unavailable | BadPayload):
        return None
    try:
        graph.get(source.path, {"$top": "1"}, family=source.family)
    except ApiError:
        return None
    return graph.server_time or timezone.now()


def _log(window: Poll, counts: Counts, err: ApiError | None) -> None:
    logger.info(
        "window read source=%s id=%s fetched=%s new=%s updated=%s quarantined=%s error=%s",
        window.source,
        window.pk,
        counts.fetched,
        counts.new,
        counts.updated,
        counts.quarantined,
        type(err).__name__ if err else "-",
    )
