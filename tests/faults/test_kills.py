"""Workers, broker and database die at bad moments: nothing is lost, doubled, or stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.models import F

from csc_portal.pipeline import STUCK_AFTER
from simulator import Simulator
from tenants.models import Tenant
from tenants.scope import scope
from tests.alerts.documents import alert, user
from tests.lab import (
    ROOT,
    Processes,
    check_complete,
    customer,
    forget,
    is_settled,
    new_slug,
    reread,
    restart_servers,
    wait_for,
)
from ticketing.models import Delivery

CASES = 4


@pytest.fixture(scope="module")
def portal(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Processes]:
    processes = Processes(tmp_path_factory.mktemp("kill-logs"))
    with django_db_blocker.unblock():
        processes.beat()
        processes.worker()
        yield processes
        processes.stop()


@pytest.fixture
def slug(simulator, committed) -> Iterator[str]:
    """Enabled by the tests themselves, when alerts and faults are in place."""
    name = new_slug("kill")
    customer(simulator, name, enable=False)
    yield name
    Tenant.objects.filter(slug=name).update(state=Tenant.State.PAUSED)
    simulator.control.clear_faults()
    simulator.control.settings(filter_lag_s=0)
    forget([name])


def give(simulator: Simulator, slug: str, *, pages: int = 1) -> None:
    """Some people's alerts; with two pages, most are of a single person and one case."""
    documents = [alert(f"a{i}", user(f"person{i}"), hours=i) for i in range(CASES)]
    documents += [alert(f"b{i}", user("busy"), hours=i / 10) for i in range(100 * (pages - 1))]
    simulator.control.add_alerts(slug, documents)


def enable(slug: str) -> None:
    Tenant.objects.filter(slug=slug).update(state=Tenant.State.ACTIVE)


def let_time_pass(slug: str, by: timedelta) -> None:
    """Everything that is set for later is due sooner; nothing else is touched."""
    Tenant.objects.filter(slug=slug).update(
        next_poll_at=F("next_poll_at") - by, next_delivery_at=F("next_delivery_at") - by
    )
    with scope(reread(slug)):
        Delivery.objects.update(due_at=F("due_at") - by)


def wait_until_settled(simulator: Simulator, slug: str) -> None:
    wait_for(lambda: is_settled(slug), 60, "all is read and ticketed")
    check_complete(simulator, slug)


def is_hit(simulator: Simulator) -> Callable[[], bool]:
    return lambda: any(fault["hits"] for fault in simulator.control.faults())


def hold_ticket(simulator: Simulator, slug: str, **more: object) -> None:
    """The second ticket is made, but its answer does not come."""
    simulator.control.settings(filter_lag_s=600)
    simulator.control.fault(
        "timeout", service="freshservice", directory=slug, method="POST", when="after",
        seconds=8, skip=1, count=1, **more,
    )  # fmt: skip


def hold_page(simulator: Simulator, slug: str) -> None:
    """The second page does not come."""
    simulator.control.fault("delay", service="graph", directory=slug, seconds=8, skip=1, count=1)


def test_a_worker_dies_between_ticket_and_row(simulator, portal, slug):
    give(simulator, slug)
    hold_ticket(simulator, slug)
    enable(slug)
    wait_for(lambda: len(simulator.control.tickets(slug)) == 2, 60, "the ticket is made")
    portal.kill("worker")
    portal.worker()
    let_time_pass(slug, STUCK_AFTER)
    wait_until_settled(simulator, slug)
    wait_for(lambda: len(simulator.control.tickets(slug)) == CASES, 60, "each case has its ticket")
    check_complete(simulator, slug)


def test_a_worker_dies_in_the_middle_of_the_pages(simulator, portal, slug):
    give(simulator, slug, pages=2)
    hold_page(simulator, slug)
    enable(slug)
    wait_for(is_hit(simulator), 60, "the second page is asked for")
    portal.kill("worker")
    portal.worker()
    let_time_pass(slug, STUCK_AFTER)
    wait_until_settled(simulator, slug)


def test_a_child_that_dies_is_replaced_and_its_task_done_at_once(simulator, portal, slug):
    """As the kernel does when memory is short. Nothing has to be waited for."""
    give(simulator, slug, pages=2)
    hold_page(simulator, slug)
    enable(slug)
    wait_for(is_hit(simulator), 60, "the second page is asked for")
    for child in portal.children("worker"):
        os.kill(child, signal.SIGKILL)
    wait_until_settled(simulator, slug)


def test_the_broker_forgets_everything(simulator, portal, slug):
    """The poll was asked for, and its message is gone."""
    give(simulator, slug)
    portal.kill("worker")
    portal.worker("starter", "maintenance", 1)
    enable(slug)
    wait_for(lambda: reread(slug).next_poll_at, 60, "a poll is asked for")
    with redis.Redis.from_url(settings.BACKING.redis_url) as client:
        wait_for(lambda: client.llen("ingest"), 60, "its message waits")
        client.flushall()
    portal.worker()
    let_time_pass(slug, STUCK_AFTER)
    wait_until_settled(simulator, slug)
    portal.kill("starter")


@pytest.mark.parametrize("while_doing", [hold_page, hold_ticket])
def test_both_servers_stop_and_come_back(simulator, portal, slug, while_doing):
    give(simulator, slug, pages=2)
    while_doing(simulator, slug)
    enable(slug)
    wait_for(is_hit(simulator), 60, "it is at work")
    connection.close()
    restart_servers()
    connection.close()
    let_time_pass(slug, STUCK_AFTER)
    simulator.control.clear_faults()
    wait_until_settled(simulator, slug)


@pytest.mark.parametrize("while_doing", [hold_page, hold_ticket])
def test_a_sync_that_is_killed_is_done_at_once_by_the_next(simulator, portal, slug, while_doing):
    """In the foreground: no lease to wait for."""
    give(simulator, slug, pages=2)
    while_doing(simulator, slug)
    killed = subprocess.Popen(
        [sys.executable, "manage.py", "sync", slug], cwd=ROOT, env=portal.environment
    )
    wait_for(is_hit(simulator), 60, "it is at work")
    killed.kill()
    killed.wait()
    simulator.control.clear_faults()
    done = portal.manage("sync", slug)
    assert done.returncode == 0, done.stderr
    check_complete(simulator, slug)
    again = portal.manage("sync", slug, "--json")
    assert '"tickets": 0' in again.stdout


def test_two_syncs_at_once_make_one_ticket_a_case(simulator, portal, slug):
    give(simulator, slug)
    command = [sys.executable, "manage.py", "sync", slug]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=portal.environment, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait(300) for one in both] == [0, 0]
    check_complete(simulator, slug)
