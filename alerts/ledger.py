"""The ledger: which windows of a source have been read, are being tried again, or are given up.

A source's windows follow each other without a gap, in Microsoft's time. One that keeps failing is
read in smaller pages, then cut in halves, so that the part that can't be read gets small; that part
is set aside and tried hourly, and the feed goes on meanwhile. Runs inside the tenant's scope.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from alerts.ingest import Counts
from alerts.models import Cursor, Poll
from clients.errors import ApiError

BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
"""Before every alert there is; Microsoft keeps about 180 days."""
PAGE_SIZES = (100, 100, 100, 25, 5)
"""By the number of failed attempts: what is too much at once may come in small pages."""
CUT_AFTER = len(PAGE_SIZES)
SMALLEST = timedelta(minutes=10)
TRIED_AGAIN_AFTER = timedelta(hours=1)
GIVE_UP_AFTER = CUT_AFTER + 24
WINDOWS_A_POLL = 20


def windows_to_read(source: str, now: datetime, first_since: datetime | None = None) -> list[Poll]:
    """Unread windows, oldest first; the last is the open one, made if there is none.

    `first_since`: where a source that was never read begins (default: all there is).
    """
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(source=source)
        head = Poll.objects.filter(source=source, until=None, is_extra=False).first()
        if head is None:
            since = cursor.watermark or first_since or BEGINNING
            head = Poll.objects.create(source=source, since=since, started_at=now)
    older = _unread(source).filter(until__isnull=False).order_by("since")[: WINDOWS_A_POLL - 1]
    return [*older, head]


def extra_window(source: str, since: datetime, until: datetime | None, now: datetime) -> Poll:
    """A read beside the ledger: a replay or a reconciliation."""
    return Poll.objects.create(
        source=source, since=since, until=until, is_extra=True, started_at=now
    )


def page_size(window: Poll) -> int:
    return PAGE_SIZES[min(window.attempts, CUT_AFTER - 1)]


def fetched(
    window: Poll, counts: Counts, edge: datetime | None, now: datetime, *, throttled: int = 0
) -> None:
    """The window has been read. `edge`: Microsoft's time at the first page; closes an open one."""
    changes: dict[str, object] = {
        "state": Poll.State.FETCHED,
        "counts": {**asdict(counts), "throttled": throttled},
        "finished_at": now,
        "error": "",
    }
    with transaction.atomic():
        if window.until is None and not window.is_extra:
            if edge is None or edge <= window.since:
                changes["state"] = Poll.State.PLANNED  # stays open: nothing tells how far it went
            else:
                changes["until"] = edge
                _move_cursor(window.source, edge)
        Poll.objects.filter(pk=window.pk).exclude(state=Poll.State.FETCHED).update(**changes)


def failed(
    window: Poll,
    err: ApiError,
    counts: Counts,
    *,
    edge: datetime | None,
    now: datetime,
    throttled: int = 0,
) -> None:
    """The window could not be read.

    `edge`: Microsoft's time, given when it answers other requests, so that the window itself is to
    blame. Only such failures count: an outage must not end in small pages.
    """
    attempts = window.attempts + (edge is not None)
    changes: dict[str, object] = {
        "state": Poll.State.RETRYING,
        "attempts": attempts,
        "finished_at": now,
        "counts": {**asdict(counts), "throttled": throttled, "error": type(err).__name__},
        "error": str(err)[:300],
    }
    if window.is_extra:
        changes["state"] = Poll.State.FAILED
    elif edge is not None and attempts >= CUT_AFTER:
        if _cut(window, edge, now):
            return
        is_gap = attempts >= GIVE_UP_AFTER
        changes["state"] = Poll.State.GAP if is_gap else Poll.State.FAILED
        if window.until is None:
            changes["until"] = edge
            _move_cursor(window.source, edge)
    Poll.objects.filter(pk=window.pk).update(**changes)


def try_failed_again(source: str, now: datetime) -> int:
    """Windows that were set aside an hour ago are read again with the next poll."""
    aside = Poll.objects.filter(source=source, state=Poll.State.FAILED, is_extra=False)
    return aside.filter(finished_at__lte=now - TRIED_AGAIN_AFTER).update(state=Poll.State.RETRYING)


def try_all_again() -> int:
    """A person asks for it: also what was given up is read again with the next poll."""
    aside = Poll.objects.filter(state__in=[Poll.State.FAILED, Poll.State.GAP], is_extra=False)
    return aside.update(state=Poll.State.RETRYING)


def unread_count() -> int:
    """Windows of all sources that are not read although they should be."""
    states = [Poll.State.RETRYING, Poll.State.FAILED, Poll.State.GAP]
    return Poll.objects.filter(state__in=states, is_extra=False).count()


def _unread(source: str) -> QuerySet[Poll]:
    return Poll.objects.filter(
        source=source, is_extra=False, state__in=[Poll.State.PLANNED, Poll.State.RETRYING]
    )


def _cut(window: Poll, edge: datetime, now: datetime) -> bool:
    """Two halves instead of a window that can't be read; False if it is too small to be cut."""
    until = window.until or edge
    if until - window.since < 2 * SMALLEST:
        return False
    middle = window.since + (until - window.since) / 2
    with transaction.atomic():
        Poll.objects.filter(pk=window.pk).delete()
        Poll.objects.bulk_create(
            Poll(
                source=window.source,
                since=since,
                until=end,
                state=Poll.State.RETRYING,
                attempts=CUT_AFTER - 1,
                started_at=now,
            )
            for since, end in ((window.since, middle), (middle, until))
        )
        if window.until is None:
            _move_cursor(window.source, until)
    return True


def _move_cursor(source: str, edge: datetime) -> None:
    Cursor.objects.filter(source=source).exclude(watermark__gte=edge).update(watermark=edge)
