"""Weaknesses: who has those that attackers use, one tenant's list, and news that matters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import F, IntegerField, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from csc_portal.access import tenant_for
from csc_portal.feeds import url_of
from csc_portal.spreadsheet import csv_rows
from csc_portal.typed import moment_of
from csc_portal.web.desk import desk_of, user_of
from posture import weakness_list
from posture.models import Finding, Weakness
from posture.news import news_for, recent_news
from posture.threats import exploited
from posture.weakness_list import Asked, Line
from tenants.audit import record
from tenants.models import PublicFeed, Tenant
from tenants.roles import Right
from tenants.scope import scope

PAGE_SIZE = 50
MOST_EXPORTED = 100_000
NEWS_FOR = timedelta(days=30)
MOST_NEWS = 100
STALE_AFTER = timedelta(days=3)
WHICH = {
    "all": "All",
    "exploited": "Used by attackers",
    "likely": "Likely to be",
    "critical": "Critical",
    "high": "High",
}
COUNTS = ("total", "critical", "high", "likely", "exploited", "ransomware")
COLUMNS = (
    "cve", "severity", "cvss", "devices", "products", "exploited", "ransomware", "epss",
    "published", "first_seen",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListState:
    """How old a public list is. `is_stale`: what follows from it may be out of date."""

    feed: PublicFeed
    is_stale: bool


def list_states(now: datetime) -> list[ListState]:
    """CISA's and FIRST's list. One query."""
    feeds = PublicFeed.objects.exclude(kind=PublicFeed.Kind.NEWS).filter(is_on=True)
    return [
        ListState(feed, feed.checked_at is None or feed.checked_at < now - STALE_AFTER)
        for feed in feeds
        if url_of(feed)
    ]


@require_safe
def vulnerabilities_page(request: HttpRequest) -> HttpResponse:
    """From the tenants' own rows alone: four queries, however many tenants."""
    desk, now = desk_of(request), timezone.now()
    allowed = set(desk.rights.having(Right.SEE_POSTURE))
    ids = [pk for pk in desk.ids if pk in allowed]
    found = Tenant.objects.filter(pk__in=ids).exclude(state=Tenant.State.OFFBOARDED)
    numbers = {key: Sum(Cast(KT(f"weaknesses__{key}"), IntegerField())) for key in COUNTS}
    sums = {key: value or 0 for key, value in found.aggregate(**numbers).items()}
    order = [F(f"weaknesses__{key}").desc(nulls_last=True) for key in ("exploited", "critical")]
    page = Paginator(found.order_by(*order, "name", "pk"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "page": page,
        "lines": [(one, moment_of(one.weaknesses.get("read_at"))) for one in page.object_list],
        "sums": sums,
        "lists": list_states(now),
    }
    return render(request, "vulnerabilities/page.html", context)


@require_safe
def vulnerabilities_tenant(request: HttpRequest, slug: str) -> HttpResponse:
    """Five queries in the tenant's scope, and one for the lists' age."""
    tenant = _tenant(request, slug)
    asked = _asked(request)
    with scope(tenant):
        worst = exploited()
        total = weakness_list.count(asked)
        pages = Paginator(range(total), PAGE_SIZE)
        page = pages.get_page(request.GET.get("page"))
        lines = weakness_list.page(asked, limit=PAGE_SIZE, offset=(page.number - 1) * PAGE_SIZE)
        finding = Finding.objects.filter(kind=Finding.Kind.EXPLOITED, closed_at=None).first()
    ref = desk_of(request).rights.tenants[tenant.pk]
    context = {
        "tenant": tenant,
        "counts": tenant.weaknesses,
        "read_at": moment_of(tenant.weaknesses.get("read_at")),
        "worst": worst,
        "finding": finding,
        "lines": lines,
        "page": page,
        "asked": asked,
        "which": WHICH,
        "query": urlencode({"which": asked.which, "q": asked.text}),
        "lists": list_states(timezone.now()),
        "today": timezone.now().date(),
        "may_export": ref.may(Right.EXPORT),
    }
    return render(request, "vulnerabilities/tenant.html", context)


def _tenant(request: HttpRequest, slug: str, right: Right = Right.SEE_POSTURE) -> Tenant:
    return tenant_for(user_of(request), slug, right, desk_of(request).rights)


def _asked(request: HttpRequest) -> Asked:
    which = request.GET.get("which", "")
    text = request.GET.get("q", "").replace("\0", "").strip()[:60]
    return Asked(which if which in WHICH else "all", text)


@require_safe
def vulnerabilities_export(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """What the filter shows, as CSV."""
    tenant = _tenant(request, slug, Right.EXPORT)
    with scope(tenant):
        lines = weakness_list.page(_asked(request), limit=MOST_EXPORTED)
    record(user_of(request).username, "exported", tenant,
           facts={"format": "csv", "weaknesses": len(lines)})  # fmt: skip
    answer = StreamingHttpResponse(
        csv_rows(map(_exported, lines), COLUMNS), content_type="text/csv; charset=utf-8"
    )
    name = f"{tenant.slug}-weaknesses.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _exported(line: Line) -> dict[str, object]:
    return {
        "cve": line.cve,
        "severity": Weakness.Severity(line.severity).label,
        "cvss": line.cvss,
        "devices": line.exposed,
        "products": ", ".join(line.products),
        "exploited": "yes" if line.is_exploited else "no",
        "ransomware": "yes" if line.by_ransomware else "no",
        "epss": line.score,
        "published": line.published_on,
        "first_seen": line.first_seen_at,
    }


@require_safe
def news_page(request: HttpRequest) -> HttpResponse:
    """All recent news, and how each feed stands."""
    items = recent_news(timezone.now() - NEWS_FOR)
    page = Paginator(items, PAGE_SIZE).get_page(request.GET.get("page"))
    desk = desk_of(request)
    allowed = set(desk.rights.having(Right.SEE_POSTURE))
    context = {
        "page": page,
        "items": list(page.object_list),
        "feeds": list(PublicFeed.objects.filter(kind=PublicFeed.Kind.NEWS, is_on=True)),
        "tenants": [desk.rights.tenants[pk] for pk in desk.ids if pk in allowed],
        "may_manage": Right.MANAGE_PORTAL in desk.rights.everywhere,
    }
    return render(request, "news/page.html", context)


@require_safe
def news_tenant(request: HttpRequest, slug: str) -> HttpResponse:
    """News about what a tenant runs."""
    tenant = _tenant(request, slug)
    found = news_for(tenant, recent_news(timezone.now() - NEWS_FOR))
    context = {"tenant": tenant, "found": found[:MOST_NEWS], "days": NEWS_FOR.days}
    return render(request, "news/tenant.html", context)
