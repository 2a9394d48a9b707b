"""Reads a tenant's alerts from Microsoft, page by page; the cursor moves when all are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import orjson
from django.db import DataError
from django.utils import timezone

from alerts.ingest import Counts, store_page
from alerts.models import Alert, Cursor, Poll
from alerts.normalise import Unreadable
from alerts.prepare import Prepared, prepare_page, reject
from alerts.records import AlertRecord
from clients.errors import ApiError
from clients.microsoft.graph import Graph
from clients.microsoft.security import alert_pages
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

SOURCE = "alerts_v2"
OVERLAP = timedelta(minutes=10)
"""Read again behind the cursor: Microsoft's stores agree only after some minutes."""
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
"""Before every alert there is; Microsoft keeps about 180 days."""
PAGE_SIZE = 100

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
    """Store every alert changed since the cursor (or `since`), all pages.

    `keep` gets each page's records, for work that follows at once. The cursor moves to the newest
    `lastUpdateDateTime` seen, and only after the last page. Raises ApiError; what was stored stays.
    """
    with scope(tenant):
        start = since or _start()
        poll = Poll.objects.create(
            source=SOURCE, since=start, until=until, started_at=timezone.now()
        )
    total, newest = Counts(), None
    try:
        for documents in alert_pages(graph, since=start, until=until, page_size=PAGE_SIZE):
            counts, seen = take_documents(tenant, documents, pseudonymiser, keep)
            total += counts
            newest = max(filter(None, (newest, seen)), default=None)
    except ApiError as err:
        _finish(tenant, poll, total, None, error=str(err))
        raise
    _finish(tenant, poll, total, newest)
    return total


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


def _start() -> datetime:
    watermark = Cursor.objects.values_list("watermark", flat=True).get(source=SOURCE)
    return watermark - OVERLAP if watermark else BEGINNING


def _finish(
    tenant: Tenant, poll: Poll, counts: Counts, newest: datetime | None, error: str = ""
) -> None:
    with scope(tenant):
        Poll.objects.filter(pk=poll.pk).update(
            finished_at=timezone.now(), counts=asdict(counts), error=error[:300]
        )
        if newest is not None:
            ahead = Cursor.objects.filter(source=SOURCE, watermark__gte=newest).exists()
            if not ahead:
                Cursor.objects.filter(source=SOURCE).update(watermark=newest)
    logger.info(
        "poll finished fetched=%s new=%s updated=%s quarantined=%s failed=%s",
        counts.fetched, counts.new, counts.updated, counts.quarantined, bool(error),
    )  # fmt: skip


def forget_old_polls(tenant: Tenant, before: datetime) -> None:
    """Health shows some days; older reads need no row."""
    with scope(tenant):
        Poll.objects.filter(started_at__lt=before).delete()


def provider_ids(case_id: int, limit: int) -> list[str]:
    """The case's alerts, most severe first. Inside the tenant's scope."""
    alerts = Alert.objects.filter(case_id=case_id).order_by("-severity", "activity_at", "pk")
    return list(alerts.values_list("provider_id", flat=True)[:limit])
