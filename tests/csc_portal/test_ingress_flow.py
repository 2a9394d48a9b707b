"""The whole way: an alert at Microsoft's stand-in, its notification, our worker, a stored alert."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from alerts.models import Alert, Case, Subscription
from csc_portal.hints import TICKETS, connect, hints
from tenants.directories import graph_for, master_keys
from tenants.models import Tenant, TicketConnection
from tenants.push_keys import webhook_token
from tenants.scope import scope
from tests.alerts.documents import alert, user
from tests.csc_portal.ingress_lab import Ingress, everything_in
from tests.lab import Processes, customer, forget, reread, wait_for

SLUG = "pushed"


@pytest.fixture(scope="module")
def portal(simulator, django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Any]:
    """A subscribed customer, ingress, worker and beat; polls are an hour apart."""
    home = tmp_path_factory.mktemp("push")
    ingress = Ingress(home, settings.BACKING.redis_url)
    processes = Processes(home, {"PUBLIC_INGRESS_URL": ingress.url, "POLL_INTERVAL_S": "3600"})
    with django_db_blocker.unblock():
        try:
            simulator.control.settings(push_alerts=True)
            customer(simulator, SLUG, enable=True)
            shown = processes.manage("subscriptions", SLUG, "--json")
            assert shown.returncode == 0, shown.stderr
            processes.worker()
            processes.beat()
            wait_for(lambda: reread(SLUG).polled_at, 60, "the first poll")
            yield processes, ingress
        finally:
            processes.stop()
            ingress.stop()
            simulator.control.settings(push_alerts=False)
            forget([SLUG])
            connection.close()


@pytest.fixture(autouse=True)
def _committed(portal, committed):
    """Every test talks to processes."""


def add(simulator, key: str) -> None:
    now = timezone.now().isoformat()
    times = {"createdDateTime": now, "lastUpdateDateTime": now}
    simulator.control.add_alerts(SLUG, [alert(key, user("canary.anna")) | times])


def stored() -> set[str]:
    with scope(reread(SLUG)):
        return set(Alert.objects.values_list("provider_id", flat=True))


def subscribed() -> dict[str, Subscription]:
    with scope(reread(SLUG)):
        return {row.resource: row for row in Subscription.objects.filter(state="active")}


def calm() -> None:
    """No poll is due, so what arrives was pushed."""
    later = timezone.now() + timedelta(days=1)
    Tenant.objects.filter(slug=SLUG).update(next_poll_at=later, next_push_at=later)


def test_an_alert_is_here_without_a_poll(simulator, portal):
    calm()
    polled_at = reread(SLUG).polled_at
    key = f"da{uuid.uuid4().hex}"
    before = timezone.now()
    add(simulator, key)
    wait_for(lambda: key in stored(), 60, "the alert is stored")
    assert reread(SLUG).polled_at == polled_at
    assert reread(SLUG).push_healthy_at > before
    wait_for(lambda: simulator.control.tickets(SLUG), 60, "its ticket")
    processes, ingress = portal
    for text in (ingress.log(), processes.log("worker"), everything_in(connect())):
        assert "canary" not in text


def test_notices_of_the_end_lead_to_renewal(simulator):
    calm()
    wait_for(lambda: not connect().exists("csc:hints:due:graph"), 60, "no hints wait")
    row = subscribed()["/security/alerts_v2"]
    simulator.control.forget_requests()
    simulator.control.lifecycle(SLUG, row.subscription_id, "reauthorizationRequired")
    wait_for(lambda: subscribed()["/security/alerts_v2"].expires_at > row.expires_at, 60, "renewed")
    assert simulator.control.count(family="alerts", method="GET") == 0


def test_a_removed_subscription_is_recreated_and_caught_up_with(simulator):
    calm()
    row = subscribed()["/security/alerts_v2"]
    simulator.control.settings(push_alerts=False)  # nothing is told for a while
    key = f"da{uuid.uuid4().hex}"
    add(simulator, key)
    simulator.control.settings(push_alerts=True)
    graph_for(reread(SLUG)).delete(f"/subscriptions/{row.subscription_id}")
    other = subscribed()["/security/incidents"]
    simulator.control.lifecycle(SLUG, other.subscription_id, "subscriptionRemoved")
    wait_for(
        lambda: subscribed()["/security/alerts_v2"].subscription_id != row.subscription_id,
        60, "it is recreated",
    )  # fmt: skip
    wait_for(lambda: key in stored(), 60, "the missed alert is read")


def test_missed_notifications_are_caught_up_with(simulator):
    calm()
    simulator.control.settings(push_alerts=False)
    key = f"da{uuid.uuid4().hex}"
    add(simulator, key)
    simulator.control.settings(push_alerts=True)
    row = subscribed()["/security/alerts_v2"]
    simulator.control.lifecycle(SLUG, row.subscription_id, "missed")
    wait_for(lambda: key in stored(), 60, "the missed alert is read")


def test_signed_hints_by_a_script_that_knows_the_key(simulator, portal, tmp_path):
    calm()
    processes, ingress = portal
    simulator.control.settings(push_alerts=False)
    key = f"da{uuid.uuid4().hex}"
    add(simulator, key)
    simulator.control.settings(push_alerts=True)
    shown = json.loads(processes.manage("subscriptions", SLUG, "--keys", "--json").stdout)
    script = """
now=$(date +%s)
signature=$(printf '%s.' "$now" | openssl dgst -sha256 -hmac "$HINT_KEY" -r | cut -d' ' -f1)
curl --silent --show-error --fail --request POST "$HINT_URL" \
     --header "X-CSC-Timestamp: $now" --header "X-CSC-Signature: v1=$signature"
"""
    environment = {"PATH": "/usr/bin:/bin", "HINT_KEY": shown["hint_key"],
                   "HINT_URL": shown["hint_url"]}  # fmt: skip
    ran = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    wait_for(lambda: key in stored(), 60, "the alert is read")
    assert shown["webhook_url"].startswith(ingress.url)


# --- webhooks of the help desk --------------------------------------------------------------------


def connection_at_rest() -> TicketConnection:
    """Nobody looks at the tickets for a day, so what is seen was told by a webhook."""
    later = timezone.now() + timedelta(days=1)
    Tenant.objects.filter(slug=SLUG).update(next_outcome_at=later)
    TicketConnection.objects.filter(tenant__slug=SLUG).update(next_read_at=later, hinted_at=None)
    return TicketConnection.objects.get(tenant__slug=SLUG)


def newest() -> Case:
    with scope(reread(SLUG)):
        return Case.objects.exclude(ticket_ref="").latest("pk")


def wait_until_hints_are_taken(ingress: Ingress) -> None:
    """A call for a connection that does not exist is the last in line, and is dropped, too."""
    last = uuid.uuid4()
    token = webhook_token(master_keys()[0][1], last)
    headers = {"Authorization": f"Bearer {token}"}
    assert ingress.post(f"/webhooks/tickets/{last}/", headers=headers).status_code == 202
    wait_for(lambda: not hints(TICKETS).due(), 60, "the worker looked at all hints")


def test_a_ticket_closed_there_closes_the_case_and_microsofts_alert(simulator, portal):
    """Help desk -> ingress -> hint -> worker -> case -> Microsoft, each as its own process."""
    calm()
    _, ingress = portal
    key = f"da{uuid.uuid4().hex}"
    add(simulator, key)
    wait_for(lambda: key in stored(), 60, "the alert is stored")
    with scope(reread(SLUG)):
        case = Alert.objects.get(provider_id=key).case_id
    ticketed = Case.objects.filter(pk=case).exclude(ticket_ref="")

    def ticket_number() -> int:
        with scope(reread(SLUG)):
            return int(ticketed.values_list("ticket_ref", flat=True).first() or 0)

    wait_for(ticket_number, 60, "its ticket")
    connection, number = connection_at_rest(), ticket_number()
    path = f"/webhooks/tickets/{connection.public_id}/"
    master = master_keys()[0][1]

    simulator.control.change_ticket(SLUG, number, status=5)
    strangers = [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {webhook_token(b'0' * 32, connection.public_id)}"},
        {"Authorization": f"Bearer {webhook_token(master, uuid.uuid4())}"},
        {"X-CSC-Token": webhook_token(master, reread(SLUG).public_id)},
        {"Cookie": f"token={webhook_token(master, connection.public_id)}"},
    ]
    for headers in strangers:
        answer = ingress.post(path, {"ticket_status": "Closed"}, headers=headers)
        assert answer.status_code in {401, 429}
    wait_until_hints_are_taken(ingress)
    connection.refresh_from_db()
    assert connection.hinted_at is None
    assert newest().pk == case
    assert newest().status == Case.Status.NEW, "nobody was believed"

    token = webhook_token(master, connection.public_id)
    headers = {"Authorization": f"Bearer {token}"}
    simulator.control.set_webhook(SLUG, f"{ingress.url}{path}", headers)
    try:
        simulator.control.change_ticket(SLUG, number, priority=1)
        wait_for(lambda: newest().status == Case.Status.RESOLVED, 60, "the case is closed")
    finally:
        simulator.control.set_webhook(SLUG)
    wait_for(
        lambda: simulator.control.alert(SLUG, key)["status"] == "resolved", 60, "Microsoft knows"
    )
    wait_for(lambda: reread(SLUG).next_outcome_at > timezone.now(), 60, "nothing is owed")

    version = newest().version
    connection_at_rest()
    simulator.control.forget_requests()
    assert ingress.post(path, {"ticket_status": "Open"}, headers=headers).status_code == 202
    wait_until_hints_are_taken(ingress)
    wait_for(
        lambda: TicketConnection.objects.get(pk=connection.pk).next_read_at, 60, "it was read again"
    )
    assert newest().version == version, "a repeated call changes nothing"
    changes = [one["method"] for one in simulator.control.requests(directory=SLUG)]
    assert not {"PUT", "PATCH"} & set(changes)
