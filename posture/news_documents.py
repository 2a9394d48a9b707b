"""What a news feed says: RSS, RDF, Atom or JSON Feed, as plain text. Pure; anything may be in it.

feedparser reads what is really out there. It gets bytes, never an address: it must fetch nothing.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import feedparser

from clients import jsons
from clients.errors import BadPayload
from clients.failures import member
from posture.plain import plain

MOST_ITEMS = 200
LONGEST_TITLE, LONGEST_SUMMARY, LONGEST_URL = 300, 600, 500
MOST_CVES = 50
_CVE = re.compile(r"\bCVE-[0-9]{4}-[0-9]{4,19}\b", re.IGNORECASE)
_WORDS = re.compile(r"[a-z0-9]+(?:[.+#-][a-z0-9]+)*\+*")
COMMON = frozenset(
    {"access", "office", "outlook", "project", "publisher", "reader", "teams", "server", "client",
     "player", "viewer", "agent", "update", "browser", "windows update", "desktop", "manager"}
)  # fmt: skip
"""Names of products that are words as well: they count only beside their vendor's."""
SHORTEST_ALONE = 5
_NONSENSE = (ArithmeticError, AssertionError, LookupError, RecursionError, ValueError)
"""What feedparser lets through: endless numbers, odd encodings, declarations that are none."""


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of news. `key`: digest of what the feed calls it; `cves` in their one form."""

    key: str
    title: str
    summary: str
    url: str
    cves: tuple[str, ...]
    published_at: datetime


@dataclass(frozen=True, slots=True)
class _Raw:
    id: object
    title: object
    texts: tuple[object, ...]
    link: object
    at: datetime | None


def read_news(raw: bytes, url: str, content_type: str, now: datetime) -> list[Item]:
    """At most MOST_ITEMS, as the feed orders them. Raises BadPayload for what is no feed.

    `url`: where it was found, which links may be relative to.
    """
    begins = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    entries = _json(raw) if begins == b"{" else _xml(raw, url, content_type)
    found = (one for entry in entries if (one := _item(entry, url, now)) is not None)
    return list({one.key: one for one in found}.values())[:MOST_ITEMS]


def _xml(raw: bytes, url: str, content_type: str) -> Iterator[_Raw]:
    try:
        feed = feedparser.parse(
            io.BytesIO(raw),
            response_headers={"content-location": url, "content-type": content_type},
            # We keep plain text and make links whole ourselves.
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except _NONSENSE as err:
        raise BadPayload("This feed of news can't be read.") from err
    if not feed.get("version") and not feed.entries:
        raise BadPayload("This is no feed of news: neither RSS, Atom nor JSON Feed.")
    for entry in feed.entries[: 2 * MOST_ITEMS]:
        at = entry.get("published_parsed") or entry.get("updated_parsed")
        texts = [entry.get("summary"), *(part.get("value") for part in entry.get("content", ()))]
        yield _Raw(
            entry.get("id") or entry.get("link"), entry.get("title"), tuple(texts),
            entry.get("link"), _moment(at),
        )  # fmt: skip


def _moment(parts: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(parts), UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _json(raw: bytes) -> Iterator[_Raw]:
    """https://www.jsonfeed.org/version/1.1/"""
    try:
        body = jsons.loads(raw)
    except ValueError:
        raise BadPayload("The feed is no JSON, or only a part of it.") from None
    rows = member(body, "items")
    if not isinstance(rows, list) or "jsonfeed" not in str(member(body, "version")):
        raise BadPayload("This is JSON, but no JSON Feed.")
    for row in rows[: 2 * MOST_ITEMS]:
        if isinstance(row, dict):
            link = row.get("url") or row.get("external_url")
            texts = tuple(row.get(name) for name in ("summary", "content_text", "content_html"))
            at = _iso(row.get("date_published")) or _iso(row.get("date_modified"))
            yield _Raw(row.get("id") or link, row.get("title"), texts, link, at)


def _iso(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at.astimezone(UTC) if at and at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _item(entry: _Raw, url: str, now: datetime) -> Item | None:
    """None without a title. A time that is missing or to come becomes now."""
    summary = next((text for one in entry.texts if (text := plain(one, LONGEST_SUMMARY))), "")
    title = plain(entry.title, LONGEST_TITLE) or plain(summary, 120)
    if not title:
        return None
    name = str(entry.id)[:2_000] if entry.id else title
    texts = (str(one)[:20_000] for one in (entry.title, *entry.texts) if one)
    cves = {match.upper() for text in texts for match in _CVE.findall(text)}
    return Item(
        key=hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest(),
        title=title,
        summary=summary if summary != title else "",
        url=_link(entry.link, url),
        cves=tuple(sorted(cves))[:MOST_CVES],
        published_at=min(entry.at or now, now),
    )


def _link(value: object, base: str) -> str:
    """A whole address of the web, "" for anything else."""
    try:
        found = urljoin(base, value.strip()) if isinstance(value, str) else ""
        parts = urlsplit(found)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ""
    is_plain = found.isprintable() and "@" not in parts.netloc and len(found) <= LONGEST_URL
    return found if is_web and is_plain else ""


@dataclass(frozen=True, slots=True)
class Product:
    """A product as a tenant has it. `label`: for people; `words`: what a text has to say."""

    label: str
    vendor: str
    words: str


def product_of(key: str) -> Product | None:
    """Of "vendor/product" as Defender has it; None for a name that says nothing."""
    vendor, _, name = key.partition("/")
    label = " ".join(name.replace("_", " ").split())
    words = label
    for ending in (" server", " client", " desktop"):
        words = words.removesuffix(ending)
    return Product(label, vendor.replace("_", " "), words) if len(words) > 1 else None


def named_in(text: str, products: Iterable[Product]) -> list[str]:
    """Labels of the products that a text is about."""
    said = f" {' '.join(_WORDS.findall(text.lower()))} "
    return sorted(
        {
            one.label
            for one in products
            if f" {one.words} " in said and (_is_telling(one) or f" {one.vendor} " in said)
        }
    )


def _is_telling(product: Product) -> bool:
    words = product.words
    return words not in COMMON and len(words) >= SHORTEST_ALONE
