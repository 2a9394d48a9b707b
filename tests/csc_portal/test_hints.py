"""Hints: kept once, never lost to a worker's death; and what a worker does for them."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from redis.exceptions import ConnectionError as ConnectionLost

from alerts.models import Alert, Subscription
from alerts.push_plan import LIFE
from csc_portal.celery import TaskFailed
from csc_portal.hints import GRAPH, LOOK, MOST, Hint, connect, hints, is_first_use
from csc_portal.push import end_push, follow_hints, hint_tenant, take_hints
from tenants.models import Tenant
from tenants.scope import scope
from tests.alerts.documents import alert, user
from tests.csc_portal.ingress_lab import everything_in
from tests.lab import customer, forget, reread

SUBSCRIPTION = str(uuid.uuid4())


@pytest.fixture
def subject(simulator):
    yield (found := uuid.uuid4())
    hints().forget(found)


def test_they_are_kept_once_and_gone_when_done(subject):
    one = Hint("alert", SUBSCRIPTION, "a1")
    hints().note(subject, [one, one])
    hints().note(subject, [one, LOOK])
    assert subject in hints().due()
    assert hints().take(subject) == {one, LOOK}
    hints().finish(subject)
    assert subject not in hints().due()
    assert hints().take(subject) == frozenset()


def test_what_comes_while_a_worker_reads_is_kept(subject):
    one = Hint("alert", SUBSCRIPTION, "a1")
    hints().note(subject, [one])
    hints().take(subject)
    hints().note(subject, [one])  # it changed again
    hints().finish(subject)
    assert subject in hints().due()
    assert hints().take(subject) == {one}


def test_a_workers_death_loses_nothing(subject):
    hints().note(subject, [LOOK])
    assert hints().claim(subject)
    hints().take(subject)
    assert not hints().claim(subject)
    connect().zadd(f"csc:hints:due:{GRAPH}", {subject.hex: 1})  # as when the claim is over
    hints().note(subject, [Hint("alert", "", "a2")])
    assert hints().claim(subject)
    assert hints().take(subject) == {LOOK, Hint("alert", "", "a2")}


def test_those_that_a_worker_has_keep_no_place_in_the_line(subject, monkeypatch):
    monkeypatch.setattr("csc_portal.hints.AT_ONCE", 1)
    connect().zadd(f"csc:hints:due:{GRAPH}", {subject.hex: 1})
    assert hints().due() == [subject]
    assert hints().claim(subject)
    assert subject not in hints().due()
    hints().note(subject, [LOOK])
    assert subject not in hints().due(), "one worker a subject"
    hints().finish(subject)
    assert hints().claim(subject), "what came meanwhile is due at once"


def test_they_are_bounded_and_expire(subject):
    hints().note(subject, [Hint("alert", SUBSCRIPTION, f"a{n}") for n in range(10 * MOST)])
    assert len(hints().take(subject)) <= MOST + 1
    assert connect().ttl(f"csc:hints:{GRAPH}:{subject.hex}:taken") > 0
    assert connect().ttl(f"csc:hints:due:{GRAPH}") > 0


def test_a_signature_is_used_once(simulator):
    signature = uuid.uuid4().hex
    assert is_first_use(connect(), signature, 60)
    assert not is_first_use(connect(), signature, 60)


# --- what a worker does ---------------------------------------------------------------------------


@pytest.fixture
def tenant(simulator, committed):
    """A customer with a subscription that covers its alerts; its polls are far away."""
    slug = f"hint-{uuid.uuid4().hex[:6]}"
    found = customer(simulator, slug)
    with scope(found):
        Subscription.objects.create(
            resource="/security/alerts_v2", state="active", subscription_id=SUBSCRIPTION,
            expires_at=timezone.now() + LIFE,
        )  # fmt: skip
    later = timezone.now() + timedelta(days=1)
    Tenant.objects.filter(pk=found.pk).update(next_poll_at=later, next_push_at=later)
    simulator.control.forget_requests()
    yield reread(slug)
    simulator.control.clear_faults()
    hints().forget(found.public_id)
    forget([slug])
    connection.close()


def add(simulator, tenant: Tenant, *keys: str) -> None:
    now = timezone.now().isoformat()
    documents = [
        alert(key, user("anna")) | {"createdDateTime": now, "lastUpdateDateTime": now}
        for key in keys
    ]
    simulator.control.add_alerts(tenant.slug, documents)


def stored(tenant: Tenant) -> set[str]:
    with scope(tenant):
        return set(Alert.objects.values_list("provider_id", flat=True))


def told(*keys: str, subscription: str = SUBSCRIPTION) -> set[Hint]:
    return {Hint("alert", subscription, key) for key in keys}


def polls_soon(tenant: Tenant) -> bool:
    return reread(tenant.slug).next_poll_at <= timezone.now() + timedelta(seconds=10)


def test_a_subscription_may_be_spelled_in_capitals(simulator, tenant):
    add(simulator, tenant, "da1")
    with scope(tenant):
        Subscription.objects.update(subscription_id=SUBSCRIPTION.upper())
    follow_hints(tenant, told("da1"))
    assert stored(tenant) == {"da1"}


def test_the_alerts_named_are_read_twenty_a_call(simulator, tenant):
    keys = [f"da{n}" for n in range(45)]
    add(simulator, tenant, *keys, "another")
    follow_hints(tenant, told(*keys))
    assert stored(tenant) == set(keys)
    # Three for the alerts, and at most one for what is known about their user.
    assert simulator.control.count(family="batch", status=200) in (3, 4)
    assert reread(tenant.slug).push_healthy_at is not None
    assert not polls_soon(tenant)
    assert simulator.control.tickets(tenant.slug)


def test_items_of_a_batch_fail_by_themselves(simulator, tenant):
    add(simulator, tenant, "da1", "da2", "da3")
    for key, status in (("da1", 404), ("da2", 403)):
        simulator.control.fault("status", service="graph", path=f"alerts_v2/{key}", status=status)
    follow_hints(tenant, told("da1", "da2", "da3"))
    assert stored(tenant) == {"da3"}
    assert polls_soon(tenant)


def test_a_throttled_batch_leaves_it_to_a_poll_after_the_wait(simulator, tenant):
    add(simulator, tenant, "da1")
    simulator.control.fault(
        "status", service="graph", path="batch", status=429, retry_after=90, count=-1
    )
    follow_hints(tenant, told("da1"))
    wait = reread(tenant.slug).next_poll_at - timezone.now()
    assert timedelta(seconds=60) < wait <= timedelta(seconds=90)


@pytest.mark.parametrize("what", ["look", "signed", "many", "removed", "missed"])
def test_other_hints_lead_to_a_poll(simulator, tenant, what):
    found = {
        "look": {Hint("look", SUBSCRIPTION)},
        "signed": {LOOK},
        "many": told(*(f"da{n}" for n in range(MOST + 1))),
        "removed": {Hint("lifecycle", SUBSCRIPTION, "subscriptionRemoved")},
        "missed": {Hint("lifecycle", SUBSCRIPTION, "missed")},
    }[what]
    follow_hints(tenant, found)
    assert polls_soon(tenant)
    assert simulator.control.count(family="batch") == 0


def test_a_signed_hint_with_ids_is_no_proof_of_push(simulator, tenant):
    add(simulator, tenant, "da1")
    follow_hints(tenant, told("da1", subscription=""))
    assert stored(tenant) == {"da1"}
    assert reread(tenant.slug).push_healthy_at is None


def test_an_unknown_subscription_is_looked_into_and_not_followed(simulator, tenant):
    add(simulator, tenant, "da1")
    follow_hints(tenant, told("da1", subscription=str(uuid.uuid4())))
    assert stored(tenant) == set()
    assert reread(tenant.slug).next_push_at < timezone.now() + timedelta(hours=7)


def test_a_failing_tenant_keeps_its_wait(tenant):
    Tenant.objects.filter(pk=tenant.pk).update(failures=3)
    follow_hints(reread(tenant.slug), {LOOK})
    assert not polls_soon(tenant)


@pytest.mark.parametrize("state", ["paused", "offboarded", "onboarding"])
def test_hints_of_tenants_that_are_not_read_are_forgotten(simulator, tenant, state):
    hints().note(tenant.public_id, [LOOK])
    hints().claim(tenant.public_id)
    Tenant.objects.filter(pk=tenant.pk).update(state=state)
    take_hints()
    assert tenant.public_id not in hints().due()
    hint_tenant(tenant.pk)
    assert not polls_soon(tenant)
    assert simulator.control.count(service="graph") == 0


def test_hints_of_unknown_tenants_are_forgotten(subject, committed):
    hints().note(subject, [LOOK])
    take_hints()
    assert subject.hex not in everything_in(connect())


def test_a_hint_that_nobody_can_follow_becomes_a_poll(tenant):
    hints().note(tenant.public_id, [Hint("alert", "", "no such id <>\ud7ff")])
    connect().sadd(f"csc:hints:{GRAPH}:{tenant.public_id.hex}:new", "not one of ours")
    with pytest.raises(TaskFailed, match="ValueError"):
        hint_tenant(tenant.pk)
    assert polls_soon(tenant)
    assert tenant.public_id not in hints().due()


def test_push_ends_at_microsoft_also_while_redis_is_away(tenant, monkeypatch):
    def away() -> None:
        raise ConnectionLost

    ended: list[Tenant] = []
    monkeypatch.setattr("csc_portal.push.hints", away)
    monkeypatch.setattr("csc_portal.push.end_subscriptions", lambda one, *_: ended.append(one))
    assert end_push(tenant) == "Redis could not be reached."
    assert ended == [tenant]


def test_a_tenants_hints_are_one_task(tenant):
    hints().note(tenant.public_id, [LOOK])
    hints().claim(tenant.public_id)
    hint_tenant(tenant.pk)
    assert polls_soon(tenant)
    assert tenant.public_id.hex not in everything_in(connect())
