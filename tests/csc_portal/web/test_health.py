"""Health: what is shown of the ledger, and reading again by button."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from alerts.feed import SOURCE
from alerts.models import Poll
from csc_portal.heat import heat_map
from csc_portal.web import health
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited


@pytest.fixture
def active(world) -> Tenant:
    tenant = world.tenants["qa"]
    Tenant.objects.filter(pk=tenant.pk).update(state="active", next_poll_at=None)
    return Tenant.objects.get(pk=tenant.pk)


def window(tenant: Tenant, hours_ago: float, state: str, **more: object) -> Poll:
    # Within one hour of the clock, whenever the test runs.
    since = timezone.now().replace(minute=5) - timedelta(hours=hours_ago)
    with scope(tenant):
        return Poll.objects.create(
            source=SOURCE,
            since=since,
            until=since + timedelta(minutes=20),
            state=state,
            started_at=since,
            counts={"fetched": 3, "new": 2},
            **more,
        )


def queued() -> int:
    return int(redis.Redis.from_url(settings.BACKING.redis_url).llen("maintenance"))


def test_an_hour_shows_the_worst_of_its_windows(active):
    window(active, 5, "fetched")
    window(active, 5, "failed", error="Microsoft Graph answered 500.")
    window(active, 8, "fetched")
    window(active, 8, "fetched", is_extra=True)
    (row,) = heat_map([active], timezone.now())
    states = [cell.state for cell in row.cells if cell.state]
    assert len(row.cells) == 24
    assert set(states) == {"fetched", "failed"}
    (failed,) = [cell for cell in row.cells if cell.state == "failed" and cell.error]
    assert "Microsoft Graph answered 500." in failed.words
    assert sum(cell.fetched for cell in row.cells) == 9


def test_the_map_has_pages(sign_in, world, monkeypatch):
    monkeypatch.setattr(health, "HEAT_ROWS", 2)
    client = sign_in("viewer", *world.tenants.values())
    first = client.get("/health/heat/?tenant=qa&tenant=qatest&tenant=third").content.decode()
    named = {slug for slug in world.tenants if f"/tenants/{slug}/" in first}
    assert len(named) == 2
    address = re.search(r'rel="next" href="([^"]+)"', first)
    second = client.get(f"/health/heat/{html.unescape(address[1])}").content.decode()
    assert {slug for slug in world.tenants if f"/tenants/{slug}/" in second} == (
        set(world.tenants) - named
    )


@pytest.mark.parametrize("what", ["poll", "windows", "window", "quarantined"])
def test_reading_again_is_audited_and_asked_for(what, sign_in, active):
    aside = window(active, 3, "failed")
    before = queued()
    answer = sign_in("analyst", active).post(
        f"/tenants/{active.slug}/again/", {"what": what, "window": aside.pk}
    )
    assert answer.status_code == 302
    assert audited().filter(action=f"read_again_{what}", tenant=active).count() == 1
    asked = queued() > before
    due = Tenant.objects.get(pk=active.pk).next_poll_at is not None
    assert (asked, due) == ((True, False) if what in ("window", "quarantined") else (False, True))
    with scope(active):
        state = Poll.objects.get(pk=aside.pk).state
    assert state == ("retrying" if what == "windows" else "failed")


@pytest.mark.parametrize("fields", [{}, {"what": "all"}, {"what": "window", "window": "1;x"}])
def test_nonsense_is_refused(fields, sign_in, active):
    answer = sign_in("analyst", active).post(f"/tenants/{active.slug}/again/", fields)
    assert answer.status_code == 404


def test_a_viewer_may_not_read_again(sign_in, active):
    answer = sign_in("viewer", active).post(f"/tenants/{active.slug}/again/", {"what": "poll"})
    assert answer.status_code == 404
