"""Proves that closed windows are complete: Microsoft's count against ours, a second read if not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from alerts.feed import SOURCE, Content, take_documents
from alerts.ingest import Counts
from alerts.models import Alert, Cursor, Poll
from alerts.refresh import publish, summarise
from clients.errors import NotFound, Rejected
from clients.microsoft.graph import Graph
from clients.microsoft.security import alert_pages, alerts_by_id, count_alerts
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

SETTLED_AFTER = timedelta(hours=1)
"""By then Microsoft's own stores agree."""
DELETED = "deleted"
MOST_DELETED = 1000
LONGEST = timedelta(days=7)
"""How much time one comparison may cover, except where a single window is longer."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One comparison. `theirs` is None where Microsoft did not count. `read`: what was mended."""

    since: datetime
    until: datetime
    theirs: int | None
    ours: int
    read: Counts
    content: Content


def reconcile(
    tenant: Tenant, graph: Graph, pseudonymiser: Pseudonymiser, now: datetime
) -> Reconciled | None:
    """Compare the oldest stretch of windows that was not compared yet; None if there is none.

    Costs one request if the counts agree. Raises ApiError; then nothing is marked.
    """
    with scope(tenant):
        windows = _unchecked(now)
        if not windows:
            return None
        since, until = windows[0].since, windows[-1].until or now
        ours = Alert.objects.filter(updated_at__gte=since, updated_at__lt=until).count()
    try:
        theirs = count_alerts(graph, since, until)
    except Rejected:  # counting is documented, but not everywhere understood
        theirs = None
    read, content, seen = Counts(), Content(), set[str]()
    if theirs != ours:
        for documents in alert_pages(graph, since=since, until=until):
            counts, _ = take_documents(tenant, documents, pseudonymiser, content.update)
            read += counts
            seen |= {str(doc.get("id")) for doc in documents if isinstance(doc, dict)}
        _follow_deletions(tenant, graph, since, until, seen)
        logger.warning(
            "reconciled theirs=%s ours=%s new=%s updated=%s", theirs, ours, read.new, read.updated
        )
    with scope(tenant):
        Poll.objects.filter(pk__in=[w.pk for w in windows]).update(checked_at=timezone.now())
    return Reconciled(since, until, theirs, ours, read, content)


def _follow_deletions(
    tenant: Tenant, graph: Graph, since: datetime, until: datetime, seen: set[str]
) -> None:
    """Alerts of ours that the window no longer has, and that Microsoft says are gone, end so."""
    with scope(tenant):
        ours = Alert.objects.filter(updated_at__gte=since, updated_at__lt=until)
        missing = ours.exclude(provider_id__in=seen).exclude(status=DELETED)
        ids = list(missing.values_list("provider_id", flat=True)[:MOST_DELETED])
    answers = alerts_by_id(graph, ids) if ids else {}
    gone = [key for key, answer in answers.items() if isinstance(answer, NotFound)]
    if gone:
        with scope(tenant), transaction.atomic():
            Cursor.objects.select_for_update().get(source="lock")
            alerts = Alert.objects.filter(provider_id__in=gone)
            alerts.update(status=DELETED)
            cases = set(alerts.exclude(case=None).values_list("case_id", flat=True))
            summarise(cases)
            publish(tenant.pk, cases)
        logger.warning("deleted at Microsoft count=%s", len(gone))


def _unchecked(now: datetime) -> list[Poll]:
    """Windows that follow each other, all read and settled, from the oldest not yet compared."""
    rows = Poll.objects.filter(
        source=SOURCE,
        is_extra=False,
        state=Poll.State.FETCHED,
        checked_at=None,
        until__lte=now - SETTLED_AFTER,
    ).order_by("until")
    found: list[Poll] = []
    for row in rows.iterator(chunk_size=500):
        if found and (row.since != found[-1].until or row.until - found[0].since > LONGEST):
            break
        found.append(row)
    return found
