"""Findings, weaknesses and news on screen: what people may do with them, and what they see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from csc_portal.finding_tickets import rules_for
from posture.findings import Found, settle
from posture.models import Finding, Weakness
from tenants.models import (
    FindingEntry,
    FindingRule,
    KnownExploited,
    NewsItem,
    PublicFeed,
    Tenant,
)
from tenants.scope import granted, scope
from tests.audit import audited

KIND = str(Finding.Kind.EXPLOITED)
BREAKOUT = '"><script>alert(1)</script>'


def find(tenant: Tenant, severity: int = 3, size: int = 2) -> Finding:
    facts = {"weaknesses": [{"cve": "CVE-2020-1472", "products": ["a/b"], "devices": 3}]}
    with scope(tenant):
        settle(KIND, [Found("kev", severity, f"{size} weaknesses", facts, size)], timezone.now())
        return Finding.objects.get(kind=KIND, closed_at=None)


def entry(tenant: Tenant) -> FindingEntry:
    with granted([tenant.pk]):
        return FindingEntry.objects.get(tenant_id=tenant.pk, kind=KIND)


@pytest.fixture
def tenant(qa: Tenant) -> Tenant:
    qa.state = Tenant.State.ACTIVE
    qa.save()
    return qa


def test_owner_acceptance_and_their_end(sign_in, tenant: Tenant) -> None:
    lead = sign_in("lead", tenant, name="lea")
    finding = find(tenant)
    address = f"/findings/{finding.public_id}/"
    assert "CVE-2020-1472" in lead.get(address).content.decode()
    lead.post(f"{address}act/", {"do": "assign", "owner": lead.person.pk})
    assert entry(tenant).owner_id == lead.person.pk
    assert "lea" in lead.get("/findings/?status=mine").content.decode()
    until = timezone.now().date() + timedelta(days=30)
    fields = {"do": "accept", "why": "planned", "until": until.isoformat()}
    assert lead.post(f"{address}act/", fields).status_code == 302
    assert entry(tenant).accepted_why == "planned"
    assert "2 weaknesses" not in lead.get("/findings/").content.decode()
    assert "2 weaknesses" in lead.get("/findings/?status=accepted").content.decode()
    exported = b"".join(lead.get("/findings/export.csv?status=any").streaming_content).decode()
    assert f"{finding.public_id},qa,{KIND},3,2 weaknesses" in exported
    # It has become worse than what was accepted.
    find(tenant, severity=4)
    assert "2 weaknesses" in lead.get("/findings/").content.decode()
    lead.post(f"{address}act/", fields)
    lead.post(f"{address}act/", {"do": "end"})
    assert entry(tenant).accepted_until is None
    entries = audited().filter(subject=f"finding {finding.public_id}")
    assert list(entries.order_by("pk").values_list("action", flat=True)) == [
        "finding_assigned", "finding_accepted", "finding_accepted", "finding_acceptance_ended",
    ]  # fmt: skip


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_no_acceptance_for_the_past_or_for_ever(sign_in, tenant: Tenant, days: int) -> None:
    lead = sign_in("lead", tenant)
    finding = find(tenant)
    day = (timezone.now() + timedelta(days=days)).date()
    fields = {"do": "accept", "why": "own", "until": day.isoformat()}
    assert lead.post(f"/findings/{finding.public_id}/act/", fields).status_code == 422
    assert entry(tenant).accepted_until is None


def test_an_analyst_assigns_and_does_not_accept(sign_in, tenant: Tenant) -> None:
    analyst, ciso = sign_in("analyst", tenant), sign_in("customer_ciso", tenant)
    address = f"/findings/{find(tenant).public_id}/"
    assert analyst.post(f"{address}act/", {"do": "assign", "owner": ""}).status_code == 302
    for client, do in ((analyst, "accept"), (ciso, "assign"), (ciso, "accept")):
        assert client.post(f"{address}act/", {"do": do}).status_code == 404
    analyst.post(f"{address}act/", {"do": "assign", "owner": analyst.person.pk})
    assert analyst.person.username not in ciso.get(address).content.decode()
    stranger = sign_in("analyst")
    outsider = {"do": "assign", "owner": "999999"}
    assert stranger.post(f"{address}act/", outsider).status_code == 404


def test_what_closed_meanwhile_is_not_worked_on(sign_in, tenant: Tenant) -> None:
    analyst = sign_in("analyst", tenant)
    finding = find(tenant)
    with scope(tenant):
        settle(KIND, [], timezone.now())
    answer = analyst.post(f"/findings/{finding.public_id}/act/", {"do": "assign", "owner": ""},
                          follow=True)  # fmt: skip
    assert "closed by itself" in answer.content.decode()


def test_rules_for_tickets(sign_in, tenant: Tenant, qatest: Tenant) -> None:
    lead, admin = sign_in("lead", tenant), sign_in("admin")
    address = "/settings/finding-tickets/"
    rule = {"kind": KIND, "is_on": "yes", "min_severity": "3", "min_size": "5"}
    assert admin.post(address, {**rule, "place": "all"}).status_code == 302
    assert rules_for(tenant) == rules_for(qatest) == [
        {"kind": KIND, "min_severity": 3, "min_size": 5}
    ]  # fmt: skip
    assert lead.post(address, {**rule, "place": "qa", "is_on": "no"}).status_code == 302
    assert (rules_for(tenant), len(rules_for(qatest))) == ([], 1)
    for place in ("all", "qatest"):
        assert lead.post(address, {**rule, "place": place}).status_code == 404
    assert lead.post(address, {**rule, "place": "qa", "min_size": "0"}).status_code == 422
    for_all = FindingRule.objects.get(tenant=None)
    assert lead.post(f"{address}{for_all.pk}/drop/").status_code == 404
    assert admin.post(f"{address}{for_all.pk}/drop/").status_code == 302
    assert rules_for(qatest) == []


def test_weaknesses_on_screen(sign_in, tenant: Tenant) -> None:
    viewer, now = sign_in("viewer", tenant), timezone.now()
    address = "/vulnerabilities/qa/"
    assert "Nothing is known yet" in viewer.get(address).content.decode()
    with scope(tenant):
        for number, cve in enumerate(("CVE-2020-1472", "CVE-2024-1", "TVM-2020-0002")):
            Weakness.objects.create(
                cve=cve, severity=4 - number, cvss=9.8, exposed=3, products=["contoso/100%_x"],
                generation=1, first_seen_at=now, read_at=now,
            )  # fmt: skip
    past = now.date() - timedelta(days=1)
    KnownExploited.objects.update_or_create(
        cve="CVE-2020-1472", defaults={"name": BREAKOUT, "added_on": past, "due_on": past}
    )
    counts = {"total": 3, "critical": 1, "high": 1, "likely": 0, "exploited": 1, "ransomware": 0}
    Tenant.objects.filter(pk=tenant.pk).update(
        weaknesses={**counts, "read_at": now.isoformat(), "problem": "It was refused."}
    )
    shown = viewer.get(address).content.decode()
    assert BREAKOUT not in shown
    for said in ("Attackers use 1 of them now", "has passed", "It was refused.", "CVE-2024-1"):
        assert said in shown
    exploited = viewer.get(f"{address}?which=exploited").content.decode()
    assert ("CVE-2020-1472" in exploited, "CVE-2024-1" in exploited) == (True, False)
    assert '<td class="note-cell">contoso/100%_x</td>' in shown
    for text, count in (("100%_", 3), ("%", 3), ("_", 3), ("tvm", 1), ("\\", 0), ("0'; --", 0)):
        found = viewer.get(f"{address}weaknesses.csv", {"q": text})
        assert len(b"".join(found.streaming_content).decode().splitlines()) == 1 + count, text
    assert "QA" in viewer.get("/vulnerabilities/").content.decode()


def test_news_on_screen_is_text(sign_in, tenant: Tenant) -> None:
    feed = PublicFeed.objects.create(kind="news", name=BREAKOUT[:80], url="https://n.example/x")
    NewsItem.objects.create(
        feed=feed, key="1", title=f"About CVE-2020-1472 {BREAKOUT}", url="javascript:alert(1)",
        cves=["CVE-2020-1472"], published_at=timezone.now(), seen_at=timezone.now(),
    )  # fmt: skip
    with scope(tenant):
        Weakness.objects.create(
            cve="CVE-2020-1472", severity=4, exposed=3, generation=1,
            first_seen_at=timezone.now(), read_at=timezone.now(),
        )  # fmt: skip
    viewer = sign_in("viewer", tenant)
    for address in ("/news/", "/news/qa/"):
        shown = viewer.get(address).content.decode()
        assert "About CVE-2020-1472" in shown
        assert BREAKOUT not in shown
        assert 'href="javascript' not in shown
    assert "is on 3 devices here" in shown


def test_feeds_are_an_admins(sign_in, tenant: Tenant, monkeypatch, settings) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = []
    admin, address = sign_in("admin"), "/settings/feeds/"
    for url in ("http://news.example/x", "https://u:p@news.example/", "ftp://x", "x", "https://["):
        assert admin.post(address, {"name": "N", "url": url}).status_code == 422, url
    assert admin.post(address, {"name": "N", "url": "https://news.example/?feed=rss2"})
    feed = PublicFeed.objects.get(url="https://news.example/?feed=rss2")
    assert admin.post(address, {"name": "M", "url": feed.url}).status_code == 422
    asked: list[tuple] = []
    monkeypatch.setattr("csc_portal.feeds.read_feed.apply_async", lambda *a, **_: asked.append(a))
    for do in ("off", "on", "now", "remove"):
        assert admin.post(f"{address}{feed.public_id}/do/", {"do": do}).status_code == 302
    assert asked == [((feed.pk,),)]
    assert not PublicFeed.objects.filter(pk=feed.pk).exists()
    actions = audited().filter(subject=f"feed {feed.public_id}").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "feed_added", "feed_off", "feed_on", "feed_removed",
    ]  # fmt: skip
