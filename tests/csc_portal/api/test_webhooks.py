"""Webhooks: signed, sent at least once, to public addresses, for tenants of their owner."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from csc_portal.webhook_due import start_webhooks, tidy_webhooks
from csc_portal.webhooks import deliver as delivering
from csc_portal.webhooks.deliver import GIVEN_UP_AFTER, MOST_ATTEMPTS, deliver
from csc_portal.webhooks.events import NEEDED, Kind
from csc_portal.webhooks.hooks import (
    BadWebhook,
    NewWebhook,
    create_webhook,
    new_secret,
    replay,
    secret_of,
    send_test,
    switch,
)
from csc_portal.webhooks.looked_for import look
from posture.findings import settle
from tenants.models import Grant, Tenant, User, Webhook, WebhookDelivery
from tenants.roles import Right
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.api.posture_lab import DROP, make_posture
from tests.csc_portal.api.receiver import Receiver, is_genuine, receiving
from tests.csc_portal.web.conftest import fill
from ticketing.models import Delivery

ALL = tuple(kind.value for kind in Kind)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def receiver(simulator) -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def admin(qa: Tenant, qatest: Tenant) -> User:
    """Of both, not of `third`."""
    person = User.objects.create_user("hook-admin")
    for tenant in (qa, qatest):
        Grant.objects.create(user=person, tenant=tenant, role="admin")
    return person


@pytest.fixture
def hook(admin: User, receiver: Receiver) -> Webhook:
    return create_webhook(admin, NewWebhook("SOAR", receiver.url, ALL), actor="hook-admin")


def at(moment: datetime = NOW) -> Callable[[], datetime]:
    return lambda: moment


def event(hook: Webhook, tenant: Tenant | None, kind: str = "case.created") -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        webhook=hook, event_id=uuid.uuid4(), kind=kind, due_at=NOW,
        tenant_id=tenant.pk if tenant else None, body={"type": kind, "data": {}},
    )  # fmt: skip


def state(row: WebhookDelivery) -> str:
    row.refresh_from_db()
    return row.state


# --- sending --------------------------------------------------------------------------------------


def test_a_call_is_signed_as_standard_webhooks_are(hook: Webhook, receiver: Receiver, qa) -> None:
    row = event(hook, qa)
    assert deliver(hook, at()) == 1
    headers, body = receiver.calls[0]
    assert is_genuine(secret_of(hook), headers, body)
    assert not is_genuine(secret_of(hook), headers, body + b" ")
    assert not is_genuine(secret_of(hook), headers | {"webhook-timestamp": "1"}, body)
    assert headers["webhook-id"] == str(row.event_id)
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert state(row) == "sent"


def test_a_new_secret_makes_the_old_one_void(hook: Webhook, receiver: Receiver, qa) -> None:
    old = secret_of(hook)
    fresh = new_secret(hook, actor="hook-admin")
    event(hook, qa)
    deliver(hook, at())
    headers, body = receiver.calls[0]
    assert is_genuine(fresh, headers, body)
    assert not is_genuine(old, headers, body)


def test_secrets_of_webhooks_differ_and_are_in_no_row(hook: Webhook, admin, receiver) -> None:
    other = create_webhook(admin, NewWebhook("B", receiver.url, ALL), actor="hook-admin")
    assert secret_of(other) != secret_of(hook)
    rows = list(Webhook.objects.values_list()) + list(audited().values_list())
    assert secret_of(hook).removeprefix("whsec_") not in repr(rows)


def test_a_failure_is_tried_again_with_the_same_id(hook: Webhook, receiver: Receiver, qa) -> None:
    receiver.answer = lambda: (503, {})
    row = event(hook, qa)
    assert deliver(hook, at()) == 0
    assert state(row) == "pending"
    assert (row.status, row.attempts) == (503, 1)
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since) == (1, NOW)
    assert deliver(hook, at()) == 0, "not before its pause is over"
    assert len(receiver.calls) == 1
    receiver.answer = lambda: (204, {})
    assert deliver(hook, at(NOW + timedelta(minutes=1))) == 1
    assert receiver.ids == [str(row.event_id)] * 2
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since) == (0, None)


def test_one_event_that_is_refused_does_not_hold_up_others(hook, receiver, qa) -> None:
    first, second = event(hook, qa), event(hook, qa)
    answers = iter([(400, {}), (200, {})])
    receiver.answer = lambda: next(answers)
    deliver(hook, at())
    deliver(hook, at(NOW + timedelta(seconds=1)))
    assert (state(first), state(second)) == ("pending", "sent")


def test_an_event_is_given_up_and_can_be_replayed(hook, receiver, qa) -> None:
    row = event(hook, qa)
    WebhookDelivery.objects.filter(pk=row.pk).update(attempts=MOST_ATTEMPTS - 1)
    receiver.answer = lambda: (500, {})
    deliver(hook, at())
    assert state(row) == "failed"
    receiver.answer = lambda: (200, {})
    assert replay(row, actor="hook-admin", now=NOW)
    assert not replay(row, actor="hook-admin", now=NOW), "it waits already"
    deliver(hook, at())
    assert state(row) == "sent"
    assert receiver.ids == [str(row.event_id)] * 2
    assert audited().filter(action="webhook_replayed").count() == 1


def test_after_days_of_failures_it_is_switched_off(hook, receiver, qa) -> None:
    receiver.answer = lambda: (500, {})
    event(hook, qa)
    deliver(hook, at())
    event(hook, qa)
    hook.refresh_from_db()
    deliver(hook, at(NOW + GIVEN_UP_AFTER))
    hook.refresh_from_db()
    assert hook.state == "failed"
    entry = audited().get(action="webhook_switched")
    assert (entry.actor, entry.facts["state"]) == ("system", "failed")
    switch(hook, Webhook.State.ON, actor="hook-admin")
    hook.refresh_from_db()
    assert (hook.state, hook.failing_since) == ("on", None)


def test_a_receiver_that_is_gone_is_called_no_more(hook, receiver, qa) -> None:
    receiver.answer = lambda: (410, {})
    event(hook, qa)
    deliver(hook, at())
    hook.refresh_from_db()
    assert hook.state == "failed"


def test_redirects_are_not_followed(hook, receiver, qa) -> None:
    with receiving() as other:
        receiver.answer = lambda: (307, {"Location": other.url})
        row = event(hook, qa)
        deliver(hook, at())
        assert other.calls == []
    assert state(row) == "pending"
    assert row.status == 307


@pytest.mark.parametrize("networks", [[], ["10.0.0.0/8"]])
def test_private_addresses_are_refused_at_every_call(
    hook, receiver, qa, settings, networks
) -> None:
    """Also when the name led elsewhere as the webhook was made."""
    settings.ALLOWED_PRIVATE_NETWORKS = networks
    row = event(hook, qa)
    deliver(hook, at())
    assert receiver.calls == []
    assert state(row) == "pending"
    assert "private address" in row.problem


def test_a_worker_that_dies_in_the_middle_sends_again(hook, receiver, qa, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    row = event(hook, qa)
    with monkeypatch.context() as patched:
        patched.setattr(delivering, "_end", die)
        with pytest.raises(Killed):
            deliver(hook, at())
    assert state(row) == "pending"
    assert deliver(hook, at(NOW + timedelta(seconds=1))) == 0, "not at once"
    assert deliver(hook, at(NOW + timedelta(seconds=10))) == 1
    assert receiver.ids == [str(row.event_id)] * 2


def test_a_slow_receiver_holds_up_nobody_else(hook, admin, receiver, qa, monkeypatch) -> None:
    """Each webhook has a round of its own, in another queue while it fails, and a time limit."""
    with receiving() as quick:
        other = create_webhook(admin, NewWebhook("Quick", quick.url, ALL), actor="hook-admin")
        quick.answer = lambda: (200, {})
        receiver.came.clear()
        released = receiver.came
        receiver.answer = lambda: (released.clear() or released.wait(60) or True, (200, {}))[1]
        slow_row, quick_row = event(hook, qa), event(other, qa)
        with monkeypatch.context() as impatient:
            policy = delivering.Policy(read_s=0.2, deadline_s=2, attempts=1)
            impatient.setattr(delivering, "POLICY", policy)
            deliver(hook, at())
        deliver(other, at())
        released.set()
    assert (state(slow_row), state(quick_row)) == ("pending", "sent")
    assert "in time" in slow_row.problem
    started: list[tuple[int, str]] = []
    monkeypatch.setattr(
        "csc_portal.webhook_due.deliver_webhook.apply_async",
        lambda args, queue: started.append((args[0], queue)),
    )
    for one in (hook, other):
        event(one, qa)
        Webhook.objects.filter(pk=one.pk).update(next_at=NOW)
    start_webhooks()
    assert sorted(started) == sorted([(hook.pk, "slow"), (other.pk, "tickets")])
    start_webhooks()
    assert len(started) == 2, "a round that runs is not started again"


def test_a_flood_is_sent_in_rounds(hook, receiver, qa) -> None:
    for _ in range(30):
        event(hook, qa)
    assert deliver(hook, at(), round_s=0) == 0
    assert deliver(hook, at()) == 30
    assert len(set(receiver.ids)) == 30


# --- rights ---------------------------------------------------------------------------------------


def test_it_is_told_of_tenants_of_its_owner_only(hook, admin, receiver, qa, third) -> None:
    ours, others = event(hook, qa), event(hook, third)
    deliver(hook, at())
    assert (state(ours), state(others)) == ("sent", "dropped")
    Grant.objects.filter(user=admin, tenant=qa).update(role="viewer")
    later = event(hook, qa)
    deliver(hook, at())
    assert state(later) == "dropped", "who may no more manage webhooks there is told nothing"


def test_it_may_be_narrowed_to_a_tenant(admin, receiver, qa, qatest) -> None:
    new = NewWebhook("A", receiver.url, ALL, tenants=[qatest])
    hook = create_webhook(admin, new, actor="hook-admin")
    left, kept = event(hook, qa), event(hook, qatest)
    deliver(hook, at())
    assert (state(left), state(kept)) == ("dropped", "sent")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": "http://example.com/x"}, "https"),
        ({"url": "https://user:pass@example.com/"}, "user name"),
        ({"url": "https://example.com/?sig=secret"}, "query"),
        ({"url": "https://example.com/" + "x" * 300}, "300"),
        ({"events": ["case.stolen"]}, "events"),
        ({"events": []}, "events"),
        ({"name": " "}, "name"),
    ],
)
def test_what_can_not_be_made(admin, simulator, changes: dict[str, Any], told: str) -> None:
    values = {"name": "X", "url": "https://example.com/hook", "events": ALL} | changes
    with pytest.raises(BadWebhook, match=told):
        create_webhook(admin, NewWebhook(**values), actor="hook-admin")


def test_not_for_a_tenant_of_others(admin, simulator, third) -> None:
    new = NewWebhook("X", "https://example.com/hook", ALL, tenants=[third])
    with pytest.raises(BadWebhook, match="third"):
        create_webhook(admin, new, actor="hook-admin")


# --- what is looked for ---------------------------------------------------------------------------


def test_a_score_that_fell_is_told_once_a_fall(hook, receiver, qa, third) -> None:
    found = {tenant: make_posture(tenant).findings["score_dropped"] for tenant in (qa, third)}
    Tenant.objects.update(state="active")
    now = timezone.now()
    look(now)
    with scope(qa):
        settle("score_dropped", [replace(DROP, severity=4)], now)  # it fell further
    look(now)
    Webhook.objects.filter(pk=hook.pk).update(next_at=now)
    deliver(hook, lambda: timezone.now() + timedelta(seconds=1))
    [told] = receiver.events
    assert told["type"] == "score.dropped"
    assert told["data"] == {
        "tenant": "qa", "finding": str(found[qa]), "severity": "medium",
        "since": DROP.facts["since"], "before": 70.0, "now": 60.0, "own": -10.0,
    }  # fmt: skip
    with scope(qa):
        settle("score_dropped", [], now)
        settle("score_dropped", [DROP], now)  # another fall
    look(now)
    assert WebhookDelivery.objects.filter(kind="score.dropped").count() == 2


def test_who_may_not_see_posture_is_not_told_of_it(hook, qa, monkeypatch) -> None:
    make_posture(qa)
    Tenant.objects.update(state="active")
    monkeypatch.setitem(NEEDED, Kind.SCORE_DROPPED, Right.OFFBOARD)
    Grant.objects.update(role="customer_admin")
    look(timezone.now())
    assert not WebhookDelivery.objects.exists()


def test_failed_tickets_and_silent_tenants_are_told_once(hook, receiver, qa, third) -> None:
    for tenant in (qa, third):
        Tenant.objects.filter(pk=tenant.pk).update(state="active", silent_since=NOW)
        tenant.refresh_from_db()
        case = fill(tenant)[0]
        with scope(tenant):
            Delivery.objects.create(case=case, kind="create", growth=1, state="failed")
    now = timezone.now()
    look(now)
    look(now)
    Webhook.objects.filter(pk=hook.pk).update(next_at=now)
    deliver(hook, lambda: timezone.now() + timedelta(seconds=1))
    assert sorted(receiver.kinds) == ["tenant.silent", "ticket.failed"]
    assert {event["data"]["tenant"] for event in receiver.events} == {"qa"}


def test_a_test_goes_to_the_receiver(hook, receiver) -> None:
    row = send_test(hook, actor="hook-admin", now=NOW)
    WebhookDelivery.objects.filter(pk=row.pk).update(due_at=NOW)
    deliver(hook, at())
    assert receiver.kinds == ["webhook.test"]


def test_old_lines_of_the_log_are_forgotten(hook, qa) -> None:
    old, waiting, young = (event(hook, qa) for _ in range(3))
    long_ago = timezone.now() - timedelta(days=31)
    WebhookDelivery.objects.filter(pk__in=[old.pk, waiting.pk]).update(created_at=long_ago)
    WebhookDelivery.objects.filter(pk__in=[old.pk, young.pk]).update(state="sent")
    tidy_webhooks()
    left = set(WebhookDelivery.objects.values_list("pk", flat=True))
    assert left == {waiting.pk, young.pk}
