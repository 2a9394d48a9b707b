"""What becomes an event: over committed changes, with writers and collectors that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from alerts import triage
from alerts.models import Case, Decision
from csc_portal.webhooks.collect import collect
from csc_portal.webhooks.events import Kind
from csc_portal.webhooks.hooks import NewWebhook, create_webhook, send_test, switch
from tenants.models import (
    Grant,
    Tenant,
    User,
    Webhook,
    WebhookCase,
    WebhookCursor,
    WebhookDelivery,
)
from tenants.onboarding import NewTenant, create_tenant, erase_tenant
from tenants.rows import run
from tenants.scope import scope
from tests.csc_portal.api.receiver import receiving
from tests.csc_portal.web.conftest import fill

ALL = tuple(kind.value for kind in Kind)


@pytest.fixture
def live(committed, simulator) -> Iterator[tuple[Tenant, Webhook]]:
    """A tenant and a webhook for all of its events, both committed."""
    new = NewTenant("told", "Told", uuid.uuid4(), uuid.uuid4(), "csc-app-credential")
    tenant = create_tenant(new)
    Tenant.objects.filter(pk=tenant.pk).update(state="active")
    person = User.objects.create_user(f"keeper-{uuid.uuid4().hex[:6]}")
    Grant.objects.create(user=person, tenant=tenant, role="admin")
    hook = create_webhook(person, NewWebhook("Live", "https://example.com/x", ALL), actor="keeper")
    yield tenant, hook
    person.delete()
    if Tenant.objects.filter(pk=tenant.pk).exists():
        erase_tenant(tenant)
    WebhookCursor.objects.all().delete()


def gather() -> None:
    while collect(timezone.now()):
        pass


def kinds(hook: Webhook) -> Counter[str]:
    rows = WebhookDelivery.objects.filter(webhook=hook)
    return Counter(rows.values_list("kind", flat=True))


def resolve(tenant: Tenant, case: Case) -> None:
    with scope(tenant):
        fresh = Case.objects.get(pk=case.pk)
        triage.resolve(tenant.pk, {case.pk: fresh.version}, actor_id=1, verdict="truePositive")


def test_a_case_is_opened_changed_closed_and_opened_again(live: tuple[Tenant, Webhook]) -> None:
    tenant, hook = live
    case = fill(tenant, 1)[0]
    gather()
    assert kinds(hook) == {"case.created": 1}
    with scope(tenant):
        triage.start(tenant.pk, {case.pk: 1}, actor_id=1)
    gather()
    assert kinds(hook) == {"case.created": 1, "case.updated": 1}
    resolve(tenant, case)
    gather()
    assert kinds(hook)["case.closed"] == 1
    with scope(tenant):
        version = Case.objects.get(pk=case.pk).version
        triage.reopen(tenant.pk, {case.pk: version}, actor_id=1)
    gather()
    resolve(tenant, case)
    gather()
    assert kinds(hook) == {"case.created": 1, "case.updated": 2, "case.closed": 2}
    gather()
    assert sum(kinds(hook).values()) == 5, "nothing happened, nothing is told"
    ids = list(WebhookDelivery.objects.filter(webhook=hook).values_list("event_id", flat=True))
    assert len(set(ids)) == 5


def test_bodies_hold_ids_and_words_of_ours_alone(live: tuple[Tenant, Webhook]) -> None:
    tenant, hook = live
    case = fill(tenant, 1)[0]
    gather()
    body = WebhookDelivery.objects.get(webhook=hook).body
    assert body["type"] == "case.created"
    assert body["data"]["case"] == str(case.public_id)
    assert set(body["data"]) == {
        "case", "number", "tenant", "status", "severity", "priority", "verdict", "alert_count",
        "ticket", "opened_at", "changed_at",
    }  # fmt: skip
    assert "Person" not in str(body)
    assert "sign-in" not in str(body)


def test_a_decision_is_told_with_its_case(live: tuple[Tenant, Webhook]) -> None:
    tenant, hook = live
    case = fill(tenant, 1)[0]
    gather()
    with scope(tenant), transaction.atomic():
        Decision.objects.create(case_id=case.pk, outcome="raised", basis="default", priority=40)
        triage.start(tenant.pk, {case.pk: 1}, actor_id=1)
    gather()
    gather()
    told = WebhookDelivery.objects.get(webhook=hook, kind="decision.made").body["data"]
    assert (told["outcome"], told["basis"], told["priority"]) == ("raised", "default", 40)


def test_a_collector_that_dies_loses_and_repeats_nothing(live: tuple[Tenant, Webhook]) -> None:
    tenant, hook = live
    fill(tenant, 3)
    with transaction.atomic():
        collect(timezone.now())
        transaction.set_rollback(True)  # the worker is gone before it committed
    assert kinds(hook) == {}
    gather()
    assert kinds(hook) == {"case.created": 3}


def test_what_commits_late_is_told_and_collectors_do_not_race(live: tuple[Tenant, Webhook]) -> None:
    tenant, hook = live
    early, late = fill(tenant, 2)
    gather()
    begun, may_write = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with scope(tenant), transaction.atomic():
            run("SELECT pg_current_xact_id()", [])  # lower than that of what is told before
            begun.set()
            may_write.wait(60)
            triage.start(tenant.pk, {late.pk: 1}, actor_id=1)
        connection.close()

    def collector() -> None:
        for _ in range(20):
            collect(timezone.now())
        connection.close()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    begun.wait(60)
    with scope(tenant):
        triage.assign(tenant.pk, {early.pk: 1}, actor_id=1, assignee_id=1)
    gather()
    may_write.set()
    writer.join()
    racing = [threading.Thread(target=collector) for _ in range(3)]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    gather()
    assert kinds(hook) == {"case.created": 2, "case.updated": 2}


def test_a_webhook_is_told_of_what_comes_not_of_what_was(live: tuple[Tenant, Webhook]) -> None:
    tenant, hook = live
    switch(hook, Webhook.State.OFF, actor="keeper")
    fill(tenant, 2)
    gather()
    switch(hook, Webhook.State.ON, actor="keeper")
    gather()
    assert kinds(hook) == {}


def test_an_erased_tenant_leaves_nothing(live: tuple[Tenant, Webhook]) -> None:
    tenant, _ = live
    fill(tenant, 1)
    gather()
    assert WebhookCase.objects.filter(tenant_id=tenant.pk).exists()
    erase_tenant(tenant)
    assert not WebhookCase.objects.filter(tenant_id=tenant.pk).exists()
    assert not WebhookDelivery.objects.filter(tenant_id=tenant.pk).exists()


DELIVER = """
import django
django.setup()
import sys
from csc_portal.webhook_due import deliver_webhook
deliver_webhook(int(sys.argv[1]))
"""


def test_a_killed_process_sends_again_with_the_same_id(live: tuple[Tenant, Webhook]) -> None:
    """At least once: the receiver has it, the portal does not know."""
    _, hook = live
    with receiving() as receiver:
        Webhook.objects.filter(pk=hook.pk).update(url=receiver.url)
        held = threading.Event()
        receiver.answer = lambda: (held.wait(30) or True, (200, {}))[1]
        row = send_test(hook, actor="keeper", now=timezone.now())
        arguments = [sys.executable, "-c", DELIVER, str(hook.pk)]
        process = subprocess.Popen(arguments, env=dict(os.environ))
        assert receiver.came.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        held.set()
        receiver.answer = lambda: (200, {})
        row.refresh_from_db()
        assert (row.state, row.attempts) == ("pending", 1)
        later = timezone.now() - timedelta(seconds=1)
        WebhookDelivery.objects.filter(pk=row.pk).update(due_at=later)
        subprocess.run(arguments, env=dict(os.environ), check=True, timeout=300)
        row.refresh_from_db()
        assert row.state == "sent"
        assert receiver.ids == [str(row.event_id)] * 2
