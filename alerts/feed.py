"""Reads a tenant's alerts from Microsoft, page by page; the cursor moves when all are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

import orjson
from django.db import DataError

from alerts.ingest import Counts, store_page
from alerts.models import Alert, Poll, Quarantined
from alerts.normalise import Unreadable
from alerts.prepare import Prepared, prepare_page, reject
from alerts.records import AlertRecord
from alerts.windows import Source, read_source
from clients.microsoft.graph import Graph
from clients.microsoft.security import ALERTS, alert_pages
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

SOURCE = "alerts_v2"

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
    source = Source(
        SOURCE,
        ALERTS,
        "alerts",
        alert_pages,
        lambda documents: take_documents(tenant, documents, pseudonymiser, keep),
    )
    return read_source(tenant, graph, source, since=since, until=until)


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


def quarantined_ids() -> list[str]:
    """Ids of the documents that could not be read, where they have one. Inside the scope."""
    rows = Quarantined.objects.filter(resolved_at=None, is_provider_id=True)
    return list(rows.values_list("reference", flat=True))


def provider_ids(case_id: int, limit: int) -> list[str]:
    """The case's alerts, most severe first. Inside the tenant's scope."""
    alerts = Alert.objects.filter(case_id=case_id).order_by("-severity", "activity_at", "pk")
    return list(alerts.values_list("provider_id", flat=True)[:limit])
