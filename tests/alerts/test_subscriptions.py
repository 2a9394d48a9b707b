"""Subscriptions: what the plan says, and what becomes of it at Microsoft's stand-in."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from alerts.models import Subscription
from alerts.push_plan import LIFE, Act, Action, Ours, Place, Theirs, plan
from alerts.subscriptions import ENDED, NO_URL, check_subscriptions, end_subscriptions, next_check
from clients.microsoft.subscriptions import NewSubscription, create_subscription, subscription_pages
from csc_portal.hints import connect
from csc_portal.push import compare
from tenants.directories import graph_for
from tenants.models import Tenant
from tenants.scope import scope
from tests.csc_portal.ingress_lab import Ingress
from tests.lab import customer, forget, reread

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ALERTS, INCIDENTS = "/security/alerts_v2", "/security/incidents"
HERE = Place("https://in/graph/1/", "https://in/life/1/", "k1")


def ours(resource: str = ALERTS, key: str = "s1", **more) -> Ours:
    return Ours(resource, key, **{"key_version": "k1", **more})


def theirs(resource: str = ALERTS, key: str = "s1", url: str = HERE.url, left=LIFE, **more):
    return Theirs(key, resource, url, NOW + left, **more)


# --- the plan -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "listed", "action"),
    [
        (None, [], Action(Act.CREATE, ALERTS)),
        (ours(), [theirs()], Action(Act.KEEP, ALERTS, "s1")),
        (ours(), [theirs("v1.0/Security/Alerts_v2")], Action(Act.KEEP, ALERTS, "s1")),
        (ours(), [theirs(left=LIFE / 3)], Action(Act.RENEW, ALERTS, "s1")),
        (ours(), [theirs(left=LIFE / 3 + timedelta(seconds=1))], Action(Act.KEEP, ALERTS, "s1")),
        (ours(), [], Action(Act.CREATE, ALERTS, was_lost=True)),
        (ours(), [theirs(key="s2")], Action(Act.ADOPT, ALERTS, "s2", was_lost=True)),
        (ours(), [theirs(url="https://old/")], Action(Act.REPLACE, ALERTS, "s1")),
        (ours(key_version="k0"), [theirs()], Action(Act.REPLACE, ALERTS, "s1")),
        (ours(), [theirs(is_genuine=False)], Action(Act.REPLACE, ALERTS, "s1")),
        (ours(), [theirs(is_genuine=True)], Action(Act.KEEP, ALERTS, "s1")),
        (None, [theirs()], Action(Act.ADOPT, ALERTS, "s1", was_lost=True)),
        (None, [theirs(url="https://others/")], Action(Act.CREATE, ALERTS)),
        (ours(key="", retry_at=NOW), [], Action(Act.CREATE, ALERTS)),
        (ours(key="", retry_at=NOW + timedelta(days=7)), [], Action(Act.WAIT, ALERTS)),
        (ours(key=""), [], Action(Act.WAIT, ALERTS)),
    ],
)
def test_what_is_planned_for_one_resource(row, listed, action):
    assert plan([ALERTS], [row] if row else [], listed, HERE, NOW) == [action]


def test_force_renews_everything_and_tries_what_is_polled():
    rows = [ours(), ours(INCIDENTS, "", retry_at=NOW + timedelta(days=7))]
    found = plan([ALERTS, INCIDENTS], rows, [theirs()], HERE, NOW, force=True)
    assert [action.act for action in found] == [Act.RENEW, Act.CREATE]


def test_what_is_not_wanted_is_deleted_and_strangers_are_left_alone():
    rows = [ours(), ours(INCIDENTS, ""), ours("/users", "s3")]
    listed = [theirs(), theirs("/groups", "s4"), theirs("/me", "s5", url="https://others/")]
    assert plan(["/users"], rows, listed, HERE, NOW) == [
        Action(Act.CREATE, "/users", was_lost=True),
        Action(Act.DELETE, ALERTS, "s1"),
        Action(Act.FORGET, INCIDENTS),
        Action(Act.DELETE, "/groups", "s4"),
    ]


def test_a_second_subscription_to_the_same_is_deleted():
    found = plan([ALERTS], [ours()], [theirs(), theirs(key="s2")], HERE, NOW)
    assert found == [Action(Act.KEEP, ALERTS, "s1"), Action(Act.DELETE, ALERTS, "s2")]


# --- at Microsoft's -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ingress(simulator, tmp_path_factory):
    from django.conf import settings

    running = Ingress(tmp_path_factory.mktemp("ingress"), settings.BACKING.redis_url)
    yield running
    running.stop()


@pytest.fixture
def tenant(simulator, committed, settings, ingress):
    """A new customer whose directory accepts push for alerts and incidents."""
    settings.PUBLIC_INGRESS_URL = ingress.url
    for key in connect().scan_iter("csc:calls:*"):  # as if the tests before were long ago
        connect().delete(key)
    slug = f"push-{uuid.uuid4().hex[:6]}"
    simulator.control.settings(push_alerts=True)
    yield customer(simulator, slug)
    simulator.control.settings(push_alerts=False)
    simulator.control.clear_faults()
    forget([slug])
    connection.close()


def at_microsoft(tenant: Tenant) -> dict[str, dict]:
    pages = subscription_pages(graph_for(tenant))
    return {str(item["resource"]): item for page in pages for item in page}


def rows(tenant: Tenant) -> dict[str, Subscription]:
    with scope(tenant):
        return {row.resource: row for row in Subscription.objects.all()}


def check(tenant: Tenant, **more):
    return check_subscriptions(tenant, graph_for(tenant), more.pop("now", timezone.now()), **more)


def refused(simulator, code: str, status: int = 400, **more) -> None:
    simulator.control.fault(
        "status", service="graph", path="/subscriptions", method="POST", status=status,
        body={"error": {"code": code, "message": "anna@contoso.com"}}, **more,
    )  # fmt: skip


def test_they_are_created_by_a_real_handshake_and_kept(simulator, tenant):
    done = check(tenant).done
    assert done == [(Act.CREATE, ALERTS), (Act.CREATE, INCIDENTS)]
    found = at_microsoft(tenant)
    assert set(found) == {ALERTS, INCIDENTS}
    assert str(tenant.public_id) in found[ALERTS]["notificationUrl"]
    assert len(found[ALERTS]["clientState"]) <= 128
    assert found[ALERTS]["clientState"] != found[INCIDENTS]["clientState"]
    assert rows(tenant)[ALERTS].subscription_id == found[ALERTS]["id"]
    assert reread(tenant.slug).push_healthy_at is not None
    for row in rows(tenant).values():
        assert found[row.resource]["clientState"] not in str(row.__dict__)
    assert check(tenant).done == []


def test_they_are_renewed_when_a_third_of_their_life_is_left(tenant):
    check(tenant)
    before = rows(tenant)[ALERTS]
    assert check(tenant, now=timezone.now() + LIFE * 0.6).done == []
    later = timezone.now() + LIFE * 0.7
    assert check(tenant, now=later).done == [(Act.RENEW, ALERTS), (Act.RENEW, INCIDENTS)]
    after = rows(tenant)[ALERTS]
    assert (after.subscription_id, after.expires_at > before.expires_at) == (
        before.subscription_id, True,
    )  # fmt: skip


def test_a_lost_one_is_recreated_and_followed_by_a_read(tenant):
    compare(tenant)
    lost = rows(tenant)[ALERTS].subscription_id
    graph_for(tenant).delete(f"/subscriptions/{lost}")
    Tenant.objects.filter(pk=tenant.pk).update(next_poll_at=timezone.now() + LIFE)
    result = compare(tenant)
    assert (result.done, result.catch_up) == ([(Act.CREATE, ALERTS)], True)
    assert rows(tenant)[ALERTS].subscription_id not in {"", lost}
    assert reread(tenant.slug).next_poll_at <= timezone.now() + timedelta(seconds=10)


def test_one_that_vanishes_between_listing_and_renewal_is_recreated(simulator, tenant):
    check(tenant)
    simulator.control.fault("status", service="graph", path="/subscriptions/", method="PATCH",
                            status=404, count=1)  # fmt: skip
    graph_for(tenant).delete(f"/subscriptions/{rows(tenant)[ALERTS].subscription_id}")
    result = check(tenant, force=True)
    assert result.catch_up
    assert {row.state for row in rows(tenant).values()} == {"active"}


def test_what_is_not_supported_is_polled_and_tried_again_after_a_week(simulator, tenant):
    simulator.control.settings(push_alerts=False)
    now = timezone.now()
    assert check(tenant, now=now).done == []
    row = rows(tenant)[ALERTS]
    assert (row.state, row.retry_at) == ("polled", now + timedelta(days=7))
    assert "400" in row.reason
    assert reread(tenant.slug).push_healthy_at is None
    simulator.control.forget_requests()
    check(tenant, now=now + timedelta(days=6))
    assert simulator.control.count(family="subscriptions") == 0
    simulator.control.settings(push_alerts=True)
    assert check(tenant, now=now + timedelta(days=8)).done == [
        (Act.CREATE, ALERTS), (Act.CREATE, INCIDENTS),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status", "retry_after", "wait"),
    [
        ("Forbidden", 403, None, timedelta(days=1)),
        ("ValidationError", 400, None, timedelta(hours=1)),
        ("TooManyRequests", 429, 77, timedelta(seconds=77)),
        ("ServiceUnavailable", 503, None, timedelta(minutes=5)),
    ],
)
def test_refusals_say_why_and_when_to_try_again(simulator, tenant, code, status, retry_after, wait):
    refused(simulator, code, status, retry_after=retry_after, count=-1)
    now = timezone.now()
    result = check(tenant, now=now)
    row = rows(tenant)[ALERTS]
    assert (row.state, row.retry_at) == ("polled", now + wait)
    assert str(status) in row.reason
    assert "anna" not in row.reason
    due = next_check(tenant, result, now)
    assert due == max(min(now + wait, due), now + timedelta(minutes=1))


def test_an_equal_one_that_is_there_already_is_adopted(simulator, tenant, settings):
    check(tenant)
    first = rows(tenant)[ALERTS].subscription_id
    with scope(tenant):
        Subscription.objects.all().delete()
    simulator.control.fault("empty_page", service="graph", path="/subscriptions", count=1)
    result = check(tenant)  # the list was late, so creating answers 409
    assert rows(tenant)[ALERTS].subscription_id == first
    assert result.done == [(Act.CREATE, ALERTS), (Act.CREATE, INCIDENTS)]
    with scope(tenant):
        Subscription.objects.all().delete()
    assert check(tenant).done == [(Act.ADOPT, ALERTS), (Act.ADOPT, INCIDENTS)]


def test_anothers_subscription_is_not_taken_away(tenant, ingress):
    other = NewSubscription(
        ALERTS, "created,updated", f"{ingress.url}/notifications/graph/{uuid.uuid4()}/",
        f"{ingress.url}/notifications/graph/{uuid.uuid4()}/", timezone.now() + LIFE, "theirs",
    )  # fmt: skip
    graph_for(tenant)
    create_subscription(graph_for(tenant), other)
    check(tenant)
    row = rows(tenant)[ALERTS]
    assert (row.state, "Another installation" in row.reason) == ("polled", True)
    assert at_microsoft(tenant)[ALERTS]["clientState"] == "theirs"


def test_a_new_address_of_the_ingress_replaces_them(tenant, settings, ingress):
    check(tenant)
    settings.PUBLIC_INGRESS_URL = ingress.url.replace("127.0.0.1", "localhost")
    result = check(tenant)
    assert [act for act, _ in result.done] == [Act.REPLACE, Act.REPLACE]
    assert "localhost" in at_microsoft(tenant)[ALERTS]["notificationUrl"]
    assert len(at_microsoft(tenant)) == 2


def test_a_new_key_replaces_them(simulator, tenant):
    check(tenant)
    with scope(tenant):
        Subscription.objects.update(key_version="old")
    assert [act for act, _ in check(tenant).done] == [Act.REPLACE, Act.REPLACE]
    assert check(tenant).done == []


def test_without_an_address_everything_is_polled_without_a_call(simulator, tenant, settings):
    settings.PUBLIC_INGRESS_URL = ""
    simulator.control.forget_requests()
    assert check(tenant).done == []
    assert {row.reason for row in rows(tenant).values()} == {NO_URL}
    assert simulator.control.count(family="subscriptions") == 0


def test_an_unreachable_ingress_is_polled_for_an_hour(tenant, settings):
    settings.PUBLIC_INGRESS_URL = "http://127.0.0.1:9"
    check(tenant)
    assert "ValidationError" in rows(tenant)[ALERTS].reason


def test_the_choice_of_resources_is_the_tenants(tenant, capsys):
    check(tenant)
    call_command("subscriptions", tenant.slug, "--resources", "/security/incidents", "--json")
    assert set(at_microsoft(tenant)) == {INCIDENTS}
    assert reread(tenant.slug).push_healthy_at is None
    call_command("subscriptions", tenant.slug, "--resources", "none")
    assert (at_microsoft(tenant), rows(tenant)) == ({}, {})


def test_a_paused_tenant_has_none(tenant):
    check(tenant)
    tenant.state = Tenant.State.PAUSED
    check(tenant)
    assert (at_microsoft(tenant), rows(tenant)) == ({}, {})


def test_ended_ones_stay_ended_until_asked(tenant):
    check(tenant)
    end_subscriptions(tenant, graph_for(tenant), timezone.now())
    assert at_microsoft(tenant) == {}
    assert check(tenant, now=timezone.now() + timedelta(days=30)).done == []
    assert {row.reason for row in rows(tenant).values()} == {ENDED}
    assert reread(tenant.slug).push_healthy_at is None
    check(tenant, force=True)
    assert len(at_microsoft(tenant)) == 2


def test_offboarding_ends_them(tenant):
    check(tenant)
    graph = graph_for(tenant)
    call_command("offboard", tenant.slug)
    assert list(subscription_pages(graph)) == [[]]


def test_offboarding_goes_on_when_microsoft_is_away(simulator, tenant, capsys):
    check(tenant)
    simulator.control.fault("status", service="graph", status=403, count=-1)
    call_command("offboard", tenant.slug, "--json")
    assert '"erased": false' in capsys.readouterr().out
    assert reread(tenant.slug).state == "offboarded"
