"""Keeps news, and tells which of it is about what a tenant runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from posture.models import Weakness
from posture.news_documents import Item, named_in, product_of
from tenants.models import NewsItem, PublicFeed, Tenant
from tenants.rows import run
from tenants.scope import scope

KEEP = timedelta(days=120)
MOST_LOOKED_AT = 1_000
PRODUCTS = """
SELECT DISTINCT one FROM posture_weakness w, jsonb_array_elements_text(w.products) AS one LIMIT 5000
"""


@dataclass(frozen=True, slots=True)
class Relevant:
    """News that matters to a tenant. `cves`: (id, devices) of its own; `products`: labels."""

    item: NewsItem
    cves: tuple[tuple[str, int], ...]
    products: tuple[str, ...]


def keep_news(feed: PublicFeed, items: Sequence[Item], now: datetime) -> int:
    """How many are new. What an item says is what it said last; when it came, stays."""
    wanted = [one for one in items if one.published_at > now - KEEP]
    with transaction.atomic():
        known = set(
            NewsItem.objects.filter(feed=feed, key__in=[one.key for one in wanted])
            .values_list("key", flat=True)
        )  # fmt: skip
        NewsItem.objects.bulk_create(
            [
                NewsItem(
                    feed=feed, key=one.key, title=one.title, summary=one.summary, url=one.url,
                    cves=list(one.cves), published_at=one.published_at, seen_at=now,
                )
                for one in wanted
            ],
            update_conflicts=True,
            unique_fields=["feed", "key"],
            update_fields=["title", "summary", "url", "cves"],
        )  # fmt: skip
        NewsItem.objects.filter(published_at__lte=now - KEEP).delete()
    return len(wanted) - len(known)


def recent_news(since: datetime, until: datetime | None = None) -> list[NewsItem]:
    """Of feeds that are on, in [since, until), newest first. One query, in `public`."""
    found = NewsItem.objects.filter(feed__is_on=True, published_at__gte=since)
    if until is not None:
        found = found.filter(published_at__lt=until)
    return list(found.select_related("feed")[:MOST_LOOKED_AT])


def news_for(tenant: Tenant, items: Sequence[NewsItem]) -> list[Relevant]:
    """Those of `items` that are about the tenant's weaknesses or products, own CVEs first.

    Two queries in its scope.
    """
    asked = {cve for item in items for cve in item.cves}
    with scope(tenant):
        exposed = dict(Weakness.objects.filter(cve__in=asked).values_list("cve", "exposed"))
        keys = [key for (key,) in run(PRODUCTS, [])]
    products = [one for key in keys if (one := product_of(key)) is not None]
    found = []
    for item in items:
        cves = tuple((cve, exposed[cve]) for cve in item.cves if cve in exposed)
        names = tuple(named_in(f"{item.title} {item.summary}", products))
        if cves or names:
            found.append(Relevant(item, cves, names))
    return sorted(found, key=lambda one: not one.cves)
