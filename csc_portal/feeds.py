"""Fetches public lists and news: each by itself, so that one that fails spoils nothing.

start_feeds -> read_feed -> rows in `public` -> tenants are compared anew if a list has changed
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone

from clients.downloads import Download, download
from clients.errors import ApiError, BadPayload
from csc_portal.weaknesses import match_tenants
from posture.news import keep_news
from posture.news_documents import read_news
from posture.threats import keep_epss, keep_kev
from tenants.models import PublicFeed
from ticketing.connections import private_networks

logger = logging.getLogger(__name__)

Kind = PublicFeed.Kind
EVERY = {
    Kind.KEV: timedelta(hours=3),
    Kind.EPSS: timedelta(hours=6),
    Kind.NEWS: timedelta(hours=1),
}
LARGEST = {Kind.KEV: 16 * 2**20, Kind.EPSS: 32 * 2**20, Kind.NEWS: 4 * 2**20}
TITLES = {
    Kind.KEV: "CISA's list of known exploited vulnerabilities",
    Kind.EPSS: "EPSS, how likely exploitation is",
}
NAMES = {Kind.KEV: "CISA", Kind.EPSS: "FIRST", Kind.NEWS: "The feed"}
STUCK_AFTER = timedelta(minutes=10)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one feed. `entries`: taken; None if it has not changed."""

    entries: int | None = None
    error: str = ""


def known_feeds() -> list[PublicFeed]:
    """All of them; those of the settings are made on the way."""
    for kind in TITLES:
        PublicFeed.objects.get_or_create(kind=kind, defaults={"name": TITLES[kind]})
    for url in settings.NEWS_FEEDS:
        name = urlsplit(url).hostname or "News"
        PublicFeed.objects.get_or_create(kind=Kind.NEWS, url=url[:500], defaults={"name": name})
    return list(PublicFeed.objects.all())


def url_of(feed: PublicFeed) -> str:
    """Where it is fetched; "" for one that is switched off by the settings."""
    urls = {str(Kind.KEV): settings.KEV_URL, str(Kind.EPSS): settings.EPSS_URL}
    return str(urls.get(feed.kind, feed.url))


def fetch(feed: PublicFeed, now: datetime) -> Fetched:
    """Once. A fault is noted on the row, and what is stored stays."""
    try:
        found = _download(feed)
        entries = None if found.body is None else _take(feed, found, found.body, now)
    except ApiError as err:
        return _failed(feed, err, now)
    except SoftTimeLimitExceeded:
        # A file can be made so that reading it takes forever: it has to wait like one that fails.
        return _failed(feed, BadPayload(f"{NAMES[Kind(feed.kind)]} took too long to read."), now)
    changes: dict[str, object] = {
        "asked_at": now, "checked_at": now, "failures": 0, "problem": "",
        "next_at": now + EVERY[Kind(feed.kind)],
    }  # fmt: skip
    if entries is not None:
        changes |= {
            "etag": found.etag, "last_modified": found.last_modified, "changed_at": now,
            "entries": entries, "as_of": feed.as_of,
        }  # fmt: skip
    PublicFeed.objects.filter(pk=feed.pk).update(**changes)
    return Fetched(entries)


def _failed(feed: PublicFeed, err: ApiError, now: datetime) -> Fetched:
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(feed.failures, 8))
    told = timedelta(seconds=err.retry_after_s or 0)
    PublicFeed.objects.filter(pk=feed.pk).update(
        asked_at=now, failures=feed.failures + 1, problem=str(err)[:300],
        next_at=now + max(wait, min(told, LONGEST_WAIT)),
    )  # fmt: skip
    logger.warning("feed not read id=%s kind=%s", feed.pk, type(err).__name__)
    return Fetched(error=str(err))


def _download(feed: PublicFeed) -> Download:
    kind = Kind(feed.kind)
    is_news = kind == Kind.NEWS
    return download(
        url_of(feed),
        name=NAMES[kind],
        max_bytes=LARGEST[kind],
        etag=feed.etag,
        last_modified=feed.last_modified,
        # News is typed by people, so it may not lead inside; the lists are set by the operator.
        private_networks_allowed=private_networks() if is_news else None,
    )


def _take(feed: PublicFeed, found: Download, body: bytes, now: datetime) -> int:
    if feed.kind == Kind.KEV:
        catalogue = keep_kev(body)
        feed.as_of = catalogue.as_of
        return len(catalogue.entries)
    if feed.kind == Kind.EPSS:
        count, feed.as_of = keep_epss(body)
        return count
    items = read_news(body, found.url, found.content_type, now)
    keep_news(feed, items, now)
    return len(items)


@shared_task(time_limit=60, soft_time_limit=50)
def start_feeds() -> None:
    """Start every feed that is due, each once."""
    now = timezone.now()
    for feed in known_feeds():
        if not feed.is_on or not url_of(feed) or (feed.next_at and feed.next_at > now):
            continue
        claimed = PublicFeed.objects.filter(pk=feed.pk, next_at=feed.next_at)
        if claimed.update(next_at=now + STUCK_AFTER):
            # Strangers' servers may hang: they delay each other, and no tenant.
            read_feed.apply_async((feed.pk,), queue="slow")


@shared_task(time_limit=300, soft_time_limit=280)
def read_feed(feed_id: int) -> None:
    """Fetch one feed; let tenants be compared anew if a list of threats has changed."""
    feed = PublicFeed.objects.filter(pk=feed_id, is_on=True).first()
    if feed is None:
        return
    found = fetch(feed, timezone.now())
    if found.entries is not None and feed.kind != Kind.NEWS:
        match_tenants.apply_async(queue="maintenance")
