"""Weaknesses read over TLS, page by page; what attackers use is a finding that ends by itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from alerts.models import SourceAbility
from clients.microsoft import defender
from clients.throttle import Limit
from csc_portal.feeds import LARGEST, fetch, known_feeds, read_feed, start_feeds
from csc_portal.weaknesses import FAULT, match_tenants, run_weaknesses, start_weaknesses
from posture.models import Finding, Weakness, WeaknessRead
from posture.news import news_for, recent_news
from simulator import Simulator
from tenants.directories import defender_for, governor
from tenants.models import (
    ExploitScore,
    FindingEntry,
    KnownExploited,
    NewsItem,
    PublicFeed,
    Tenant,
)
from tenants.scope import granted, scope
from tests import payloads

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KEV, EPSS = "known_exploited_vulnerabilities.json", "epss.csv.gz"
PATH = "/api/vulnerabilities"
DEVICES = ("anna-laptop", "host.canary.example")


def weakness(cve: str, exposed: int = 2, severity: str = "High") -> dict[str, Any]:
    return {**payloads.load("microsoft/mde-vulnerability"), "id": cve, "name": cve,
            "exposedMachines": exposed, "severity": severity}  # fmt: skip


def row(cve: str, device: str, product: str) -> dict[str, Any]:
    return {"id": f"{device}-_-{cve}-_-{product}", "cveId": cve, "machineId": device,
            "productVendor": "contoso", "productName": product}  # fmt: skip


def listed(cve: str, ransomware: str = "Unknown") -> dict[str, Any]:
    entry = payloads.load("cisa-kev")["vulnerabilities"][0]
    return {**entry, "cveID": cve, "knownRansomwareCampaignUse": ransomware}


@pytest.fixture
def kev(simulator: Simulator, db: None) -> Iterator[Any]:
    """Sets what CISA's list holds, and reads it."""
    [found] = [one for one in known_feeds() if one.kind == PublicFeed.Kind.KEV]

    def set_entries(*entries: dict[str, Any]) -> Any:
        body = {**payloads.load("cisa-kev"), "vulnerabilities": list(entries)}
        simulator.control.set_feed(KEV, json.dumps(body).encode(), "application/json")
        return fetch(PublicFeed.objects.get(pk=found.pk), NOW)

    return set_entries


@pytest.fixture
def weak(simulator: Simulator, customer: Tenant) -> Tenant:
    """The customer, whose devices have two weaknesses, one of them on no device."""
    control, slug = simulator.control, str(customer.directory_id)
    control.clear_faults()
    governor().set_limit(slug, "defender", Limit(10_000, 60))
    for table in ("weaknesses", "device_weaknesses"):
        control.delete_rows(slug, table)
    rows = [weakness("CVE-2020-1472", 3), weakness("CVE-2024-38063", 0)]
    control.add_rows(slug, "weaknesses", rows)
    rows = [row("CVE-2020-1472", device, "windows_server_2019") for device in DEVICES]
    control.add_rows(slug, "device_weaknesses", rows)
    control.forget_requests()
    return customer


def read(tenant: Tenant, at: datetime = NOW) -> Any:
    return run_weaknesses(Tenant.objects.get(pk=tenant.pk), at)


def stored(tenant: Tenant) -> dict[str, tuple[int, list[str]]]:
    with scope(tenant):
        return {one.cve: (one.exposed, one.products) for one in Weakness.objects.all()}


def findings(tenant: Tenant) -> list[Finding]:
    with scope(tenant):
        return list(Finding.objects.filter(kind=Finding.Kind.EXPLOITED))


def test_what_is_exposed_is_kept_and_no_device(weak: Tenant) -> None:
    found = read(weak)
    assert (found.reading.weaknesses, found.reading.rows, found.error) == (1, 2, "")
    assert stored(weak) == {"CVE-2020-1472": (3, ["contoso/windows_server_2019"])}
    with scope(weak):
        kept = str([*Weakness.objects.values(), *WeaknessRead.objects.values()])
    assert not any(device in kept for device in DEVICES)
    tenant = Tenant.objects.get(pk=weak.pk)
    assert (tenant.weaknesses["total"], tenant.weaknesses["high"]) == (1, 1)
    assert timedelta(hours=12) <= tenant.next_weakness_at - NOW <= timedelta(hours=36)


def test_what_has_gone_is_forgotten_and_a_second_read_changes_nothing(
    simulator: Simulator, weak: Tenant
) -> None:
    read(weak)
    before = stored(weak)
    read(weak)
    assert stored(weak) == before
    simulator.control.delete_rows(str(weak.directory_id), "weaknesses", "CVE-2020-1472")
    assert read(weak).reading.gone == 1
    assert stored(weak) == {}


def test_a_reading_that_was_cut_off_goes_on(
    simulator: Simulator, weak: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defender, "ROWS_A_PAGE", 5)
    monkeypatch.setattr("posture.weaknesses.OVERLAP", 5)
    slug = str(weak.directory_id)
    more = [weakness(f"CVE-2025-1{number:03}") for number in range(18)]
    simulator.control.add_rows(slug, "weaknesses", more)
    simulator.control.fault(
        "status", service="defender", directory=slug, status=400, skip=3, count=1
    )
    assert read(weak).error
    assert len(stored(weak)) == 14
    assert Tenant.objects.get(pk=weak.pk).weaknesses["problem"] == FAULT
    simulator.control.forget_requests()
    assert read(weak, NOW + timedelta(hours=1)).error == ""
    assert len(stored(weak)) == 19
    asked = simulator.control.requests(service="defender", directory=slug)
    assert "skip=10" in asked[0]["target"]
    with scope(weak):
        (one,) = WeaknessRead.objects.all()
    assert one.is_complete


def test_a_missing_permission_and_a_missing_licence_say_what_to_do(
    simulator: Simulator, weak: Tenant
) -> None:
    read(weak)
    slug = str(weak.directory_id)
    for change, permission_is_missing in (
        ({"roles": ["SecurityAlert.Read.All"]}, True),
        ({"licences": {"defender": False}}, False),
    ):
        simulator.control.configure(slug, **change)
        defender_for(weak)._calls.forget_token()
        found = read(weak)
        assert found.error == ""
        assert ("Vulnerability.Read.All" in found.noted) is permission_is_missing
        with scope(weak):
            ability = SourceAbility.objects.get(source="weaknesses")
        expected = SourceAbility.State.NO_PERMISSION if permission_is_missing else "no_licence"
        assert ability.state == expected
        tenant = Tenant.objects.get(pk=weak.pk)
        assert tenant.weaknesses["problem"] == found.noted
        assert tenant.weaknesses["total"] == 1  # what was known stays
        assert ("Vulnerability.Read.All" in tenant.missing_permissions) is permission_is_missing
    simulator.control.configure(slug, roles=["Vulnerability.Read.All"], licences={"defender": True})
    defender_for(weak)._calls.forget_token()
    read(weak)
    assert "problem" not in Tenant.objects.get(pk=weak.pk).weaknesses


def test_exploited_now_and_you_have_it(kev: Any, simulator: Simulator, weak: Tenant) -> None:
    assert kev(listed("CVE-2020-1472")).entries == 1
    assert len(read(weak).exposure.settled.opened) == 1
    (finding,) = findings(weak)
    assert (finding.severity, finding.size, finding.is_open) == (3, 1, True)
    assert finding.summary == "1 weakness that attackers use now; one of them on 3 devices"
    (told,) = finding.facts["weaknesses"]
    assert (told["cve"], told["products"]) == ("CVE-2020-1472", ["contoso/windows_server_2019"])
    with granted([weak.pk]):
        assert FindingEntry.objects.get(public_id=finding.public_id).size == 1
    # Ransomware makes it graver, and one finding stays one.
    kev(listed("CVE-2020-1472", "Known"))
    read(weak)
    (finding,) = findings(weak)
    assert (finding.severity, finding.growth) == (4, 2)
    # Nobody has it any more: it closes by itself.
    rows = weakness("CVE-2020-1472", 0)
    simulator.control.add_rows(str(weak.directory_id), "weaknesses", rows)
    assert len(read(weak, NOW + timedelta(days=1)).exposure.settled.closed) == 1
    assert not findings(weak)[0].is_open


def test_a_new_list_is_compared_without_reading_the_tenant_again(
    kev: Any, simulator: Simulator, weak: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    kev(listed("CVE-2000-0001"))
    read(weak)
    assert findings(weak) == []
    simulator.control.forget_requests()
    body = {**payloads.load("cisa-kev"), "vulnerabilities": [listed("CVE-2020-1472")]}
    simulator.control.set_feed(KEV, json.dumps(body).encode())
    monkeypatch.setattr(match_tenants, "apply_async", lambda **_: match_tenants())
    read_feed(PublicFeed.objects.get(kind="kev").pk)
    assert len(findings(weak)) == 1
    assert simulator.control.requests(service="defender") == []


def test_a_read_that_has_just_ended_is_not_undone(
    weak: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(weak)
    mine = Tenant.objects.filter(pk=weak.pk)
    later = {"read_at": "later", "problem": "Not licensed."}

    @contextmanager
    def turn(tenant_id: int, kind: int) -> Iterator[bool]:
        mine.update(weaknesses=later)
        yield True

    monkeypatch.setattr("csc_portal.weaknesses.turn", turn)
    match_tenants()
    assert mine.get().weaknesses.items() >= later.items()


def test_a_list_that_fails_stays_as_it_was(kev: Any, simulator: Simulator) -> None:
    kev(listed("CVE-2020-1472"))
    feed = PublicFeed.objects.get(kind="kev")
    simulator.control.forget_requests()
    assert fetch(feed, NOW).entries is None  # 304
    (asked,) = simulator.control.requests(service="feeds")
    assert asked["status"] == 304
    for broken in (b"<html>moved</html>", b'{"vulnerabilities": []}'):
        simulator.control.set_feed(KEV, broken)
        assert fetch(feed, NOW).error
    simulator.control.drop_feed(KEV)
    later = NOW + timedelta(hours=5)
    assert fetch(feed, later).error
    feed.refresh_from_db()
    assert (feed.failures, feed.checked_at, feed.as_of) == (1, NOW, "2025.08.25")
    assert feed.next_at > later
    assert KnownExploited.objects.count() == 1


def test_scores_of_first(simulator: Simulator, db: None) -> None:
    head = b"#model_version:v2025.03.14,score_date:2026-11-20T00:00:00Z\ncve,epss,percentile\n"
    lines = b"CVE-2020-1472,0.9,0.99\nCVE-2020-1472,0.91,0.99\nnonsense\n"
    simulator.control.set_feed("epss-dated.csv.gz", gzip.compress(head + lines))
    simulator.control.set_feed(EPSS, redirect="/feeds/epss-dated.csv.gz")
    [feed] = [one for one in known_feeds() if one.kind == PublicFeed.Kind.EPSS]
    assert fetch(feed, NOW).entries == 2
    assert ExploitScore.objects.get(cve="CVE-2020-1472").score == 0.91
    feed.refresh_from_db()
    assert feed.as_of == "2026-11-20"
    simulator.control.set_feed(EPSS, redirect="http://127.0.0.1/x")
    assert "https" in fetch(feed, NOW).error


NEWS = """<rss version="2.0"><channel><title>x</title>
<item><title>Zerologon again</title><description>CVE-2020-1472 &amp; more</description>
<link>/zero</link></item>
<item><title>Holes in Contoso's Windows Server 2019</title></item>
<item><title>Something else</title></item></channel></rss>"""


def test_news_that_matters_to_a_tenant(simulator: Simulator, weak: Tenant) -> None:
    read(weak)
    url = simulator.control.set_feed("news-1.xml", NEWS.encode())
    feed = PublicFeed.objects.create(kind="news", name="News", url=url)
    assert fetch(feed, NOW).entries == 3
    feed.refresh_from_db()
    assert fetch(feed, NOW).entries is None
    assert NewsItem.objects.filter(feed=feed).count() == 3
    items = [one for one in recent_news(NOW - timedelta(days=1)) if one.feed_id == feed.pk]
    first, second = news_for(weak, items)
    assert first.cves == (("CVE-2020-1472", 3),)
    assert first.item.url == url.replace("feeds/news-1.xml", "zero")
    assert second.products == ("windows server 2019",)


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/feed", "https://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/x",
     "file:///etc/passwd", "https://user:pass@news.example/x", "https://[::1]:bad/"],
)  # fmt: skip
def test_news_may_not_lead_inside(url: str, db: None, settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = []
    feed = PublicFeed.objects.create(kind="news", name="Odd", url=url)
    assert fetch(feed, NOW).error
    feed.refresh_from_db()
    assert feed.problem


@pytest.mark.parametrize(
    ("raw", "redirect", "told"),
    [(b"", "https://10.0.0.1/feed", "private address"), (b"", "/feeds/odd.xml", "on and on"),
     (b"x" * (LARGEST["news"] + 1), "", "larger"), (b"<html>", "", "no feed"), (b"", "", "feed")],
)  # fmt: skip
def test_what_a_feed_answers_may_be_anything(
    raw: bytes, redirect: str, told: str, simulator: Simulator, db: None
) -> None:
    url = simulator.control.set_feed("odd.xml", raw, redirect=redirect)
    feed = PublicFeed.objects.create(kind="news", name="Odd", url=url)
    assert told in fetch(feed, NOW).error
    assert not NewsItem.objects.filter(feed=feed).exists()


def test_a_feed_that_takes_forever_has_to_wait(
    simulator: Simulator, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever(*_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("csc_portal.feeds.read_news", forever)
    url = simulator.control.set_feed("slow.xml", b"<rss>")
    feed = PublicFeed.objects.create(kind="news", name="Slow", url=url, failures=5)
    assert "too long" in fetch(feed, NOW).error
    feed.refresh_from_db()
    assert feed.failures == 6
    assert feed.next_at > NOW + timedelta(hours=2)


def test_every_due_tenant_and_feed_is_started_once(
    qa: Tenant, qatest: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, int]] = []
    for name in ("weaknesses.weakness_tenant", "feeds.read_feed"):
        monkeypatch.setattr(
            f"csc_portal.{name}.apply_async",
            lambda words, name=name, **_: started.append((name, words[0])),
        )
    Tenant.objects.filter(pk=qa.pk).update(state="active", next_weakness_at=None)
    Tenant.objects.filter(pk=qatest.pk).update(
        state="active", next_weakness_at=datetime.now(UTC) + timedelta(hours=1)
    )
    known_feeds()
    PublicFeed.objects.update(next_at=None)
    for _ in range(2):
        start_weaknesses()
        start_feeds()
    tenants = [pk for name, pk in started if name.startswith("weak")]
    assert (tenants.count(qa.pk), tenants.count(qatest.pk)) == (1, 0)
    feeds = [pk for name, pk in started if name.startswith("feeds")]
    assert sorted(feeds) == sorted(one.pk for one in known_feeds())
