"""Reads a tenant's alerts from Microsoft, page by page; the cursor moves when all are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import orjson
from django.db import DataError
from django.utils import timezone

from alerts.ingest import Counts, store_page
from alerts.ledger import (
    extra_window,
    failed,
    fetched,
    page_size,
    windows_to_read,
)
from alerts.models import Alert, Cursor, Poll
from alerts.normalise import Unreadable
from alerts.prepare import Prepared, prepare_page, reject
from alerts.records import AlertRecord
from clients.errors import ApiError, BadPayload, Unavailable
from clients.microsoft.graph import Graph
from clients.microsoft.security import ALERTS, alert_pages
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

SOURCE = "alerts_v2"
OVERLAP = timedelta(minutes=10)
"""Read again before every window: Microsoft's stores agree only after some minutes."""

UNSTORABLE = (DataError, orjson.JSONEncodeError)
"""What Postgres or JSON can't hold: a NUL, half a surrogate pair, a year 10000."""

Content = dict[str, AlertRecord]
"""Records by provider id, for the length of one task. Never stored."""


def read_alerts(
    tenant: Tenant,
    graph: Graph,
    pseudonymiser: Pseudonymiser,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    keep: Callable[[Content], None] = lambda content: None,
) -> Counts:
    """Store every alert of the windows that the ledger has open; with `since`, of that time.

    `keep` gets each page's records, for work that follows at once. Raises ApiError if the youngest
    window could not be read; what was stored stays, and the ledger knows what is missing.
    """
    now = timezone.now()
    with scope(tenant):
        is_first = not Cursor.objects.filter(source=SOURCE, watermark__isnull=False).exists()
        if since is None or (is_first and until is None):
            windows = windows_to_read(SOURCE, now, since)
        else:
            windows = [extra_window(SOURCE, since, until, now)]
    total, error = Counts(), None
    for window in windows:
        counts, error = _read_window(tenant, graph, pseudonymiser, window, keep)
        total += counts
    if error is not None:
        raise error
    return total


def _read_window(
    tenant: Tenant,
    graph: Graph,
    pseudonymiser: Pseudonymiser,
    window: Poll,
    keep: Callable[[Content], None],
) -> tuple[Counts, ApiError | None]:
    """Read one window completely and write down how it went."""
    total, edge = Counts(), None
    since = window.since if window.is_extra else window.since - OVERLAP
    try:
        for documents in alert_pages(
            graph, since=since, until=window.until, page_size=page_size(window)
        ):
            edge = edge or graph.server_time
            counts, newest = take_documents(tenant, documents, pseudonymiser, keep)
            total += counts
            if graph.server_time is None:  # then nothing but our own clock bounds what they say
                edge = max(filter(None, (edge, newest)), default=None)
                edge = min(edge, timezone.now()) if edge else None
    except ApiError as err:
        answers = _answers_otherwise(graph, err)
        with scope(tenant):
            failed(window, err, total, edge=answers, now=timezone.now())
            _log(window, total, err)
        return total, err
    with scope(tenant):
        fetched(window, total, edge, timezone.now())
        _log(window, total, None)
    return total, None


def _answers_otherwise(graph: Graph, err: ApiError) -> datetime | None:
    """Microsoft's time, if it is this window and not the service that fails."""
    if not isinstance(err, Unavailable | BadPayload):
        return None
    try:
        graph.get(ALERTS, {"$top": "1"}, family="alerts")
    except ApiError:
        return None
    return graph.server_time or timezone.now()


def _log(window: Poll, counts: Counts, err: ApiError | None) -> None:
    logger.info(
        "window read id=%s fetched=%s new=%s updated=%s quarantined=%s error=%s",
        window.pk,
        counts.fetched,
        counts.new,
        counts.updated,
        counts.quarantined,
        type(err).__name__ if err else "-",
    )


def take_documents(
    tenant: Tenant,
    documents: Iterable[object],
    pseudonymiser: Pseudonymiser,
    keep: Callable[[Content], None] = lambda content: None,
) -> tuple[Counts, datetime | None]:
    """Store one page; its counts and its newest `lastUpdateDateTime`."""
    found = list(documents)
    page = prepare_page(found, pseudonymiser)
    try:
        with scope(tenant):
            counts = store_page(tenant.pk, page, pseudonymiser.version)
    except UNSTORABLE:
        logger.error("a page was refused by the database, its documents are taken one by one")
        counts = _take_one_by_one(tenant, found, pseudonymiser)
    keep(page.records)
    return counts, max((alert.updated_at for alert in page.alerts), default=None)


def _take_one_by_one(
    tenant: Tenant, documents: list[object], pseudonymiser: Pseudonymiser
) -> Counts:
    """The one document that the database can't hold is set aside; it stops no other."""
    total = Counts()
    for document in documents:
        page = prepare_page([document], pseudonymiser)
        try:
            with scope(tenant):
                total += store_page(tenant.pk, page, pseudonymiser.version)
        except UNSTORABLE as err:
            problem = Unreadable("document", f"could not be stored ({type(err).__name__})")
            rejected = reject(document, problem, pseudonymiser)
            with scope(tenant):
                total += store_page(
                    tenant.pk, Prepared((), (rejected,), {}, 0), pseudonymiser.version
                )
    return total


def forget_old_polls(tenant: Tenant, before: datetime) -> None:
    """Health shows some days; older reads need no row."""
    with scope(tenant):
        Poll.objects.filter(state=Poll.State.FETCHED, started_at__lt=before).delete()


def provider_ids(case_id: int, limit: int) -> list[str]:
    """The case's alerts, most severe first. Inside the tenant's scope."""
    alerts = Alert.objects.filter(case_id=case_id).order_by("-severity", "activity_at", "pk")
    return list(alerts.values_list("provider_id", flat=True)[:limit])
