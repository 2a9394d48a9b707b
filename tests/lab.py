"""The portal as it runs: real worker and beat processes against the session's servers.

Tests that use it commit what they do. They give their tenants back with `forget`.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from alerts.models import Alert, Case
from csc_portal import services
from csc_portal.onboard import NewTicketing, onboard
from simulator import Simulator
from tenants.models import Tenant
from tenants.onboarding import NewTenant, erase_tenant
from tenants.scope import scope
from ticketing.models import Delivery, Ticket

ROOT = Path(__file__).resolve().parents[1]
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FAST, SLOW = "ingest,tickets,maintenance", "slow"
ALL = f"{FAST},{SLOW}"
T = TypeVar("T")


def wait_for(check: Callable[[], T], seconds: float = 60, what: str = "") -> T:
    """The first truthy answer of `check`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or check}"
        time.sleep(0.05)


class Processes:
    """Workers, beat and commands of the portal, each with a log below `logs`."""

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.logs = logs
        self.environment = {
            **os.environ,
            "POLL_INTERVAL_S": "1",
            "POLL_INTERVAL_MAX_S": "1",
            **(environment or {}),
        }
        self.first_requests: list[dict[str, Any]] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def worker(self, name: str = "worker", queues: str = ALL, size: int = 2) -> None:
        words = ["worker", "-Q", queues, "-c", str(size), "-n", f"{name}@test"]
        self.start(name, _celery(*words, "--without-gossip", "--without-mingle"))
        wait_for(lambda: "ready." in self.log(name), 60, f"{name} is ready")

    def beat(self) -> None:
        schedule = self.logs / "beat-schedule"
        self.start("beat", _celery("beat", "-s", str(schedule), "--pidfile="))

    def start(self, name: str, command: Iterable[str]) -> subprocess.Popen[bytes]:
        """In a process group of its own, so that `kill` takes its children along."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def python(self, name: str, *words: str) -> None:
        self.start(name, [sys.executable, *words])

    def wait(self, name: str, seconds: float = 30) -> int:
        return self._running.pop(name).wait(seconds)

    def manage(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def log(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, name: str, number: signal.Signals) -> None:
        """A signal to the process and all of its children."""
        os.killpg(self._running[name].pid, number)

    def children(self, name: str) -> list[int]:
        pid = self._running[name].pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in found.split()]

    def kill(self, name: str) -> None:
        """No time to tidy up, for it and its children."""
        self.send(name, signal.SIGKILL)
        self._running.pop(name).wait(60)

    def stop(self) -> None:
        """Everything, in order if it can. Raises nothing, so that the rest is cleaned up too."""
        for name, process in self._running.items():
            if process.poll() is None:
                self.send(name, signal.SIGCONT)
                process.terminate()
        for name, process in list(self._running.items()):
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                self.kill(name)
        self._running.clear()


def _celery(*words: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app", "csc_portal", *words]


# --- tenants --------------------------------------------------------------------------------------


_numbers = itertools.count(1)


def new_slug(name: str) -> str:
    """One that no test used before: the simulator keeps its directories for the whole run."""
    return f"{name}-{next(_numbers)}"


def customer(
    simulator: Simulator, slug: str, *, stories: bool = False, enable: bool = True
) -> Tenant:
    """A new directory of the simulator with its help desk, onboarded as a form or command does."""
    given = simulator.control.add_directory(slug, stories=stories, populate=stories)
    tenant, warnings = onboard(
        NewTenant(
            slug,
            given["name"],
            UUID(given["directory"]),
            UUID(given["client_id"]),
            given["credential_secret"],
        ),
        # Each help desk at an address of its own, as in life: limits are counted by address.
        NewTicketing(
            "freshservice",
            f"{given['ticketing_url']}/freshservice/{slug}",
            given["ticketing_secret"],
        ),
        enable=enable,
        actor="test",
    )
    assert warnings == []
    return tenant


def forget(slugs: Iterable[str]) -> None:
    """Erase tenants, so that the next test sees a clean database."""
    for tenant in Tenant.objects.filter(slug__in=list(slugs)):
        erase_tenant(tenant)


def reread(slug: str) -> Tenant:
    return Tenant.objects.select_related("ticketing").get(slug=slug)


def make_due(slug: str) -> None:
    """As if the wait for the next poll and delivery were over."""
    Tenant.objects.filter(slug=slug).update(next_poll_at=None)
    with scope(reread(slug)):
        # A row that a worker holds is being sent already.
        idle = Delivery.objects.select_for_update(skip_locked=True)
        with transaction.atomic():
            due = list(idle.filter(state__in=["pending", "sending"]).values_list("pk", flat=True))
            Delivery.objects.filter(pk__in=due).update(due_at=PAST)
        waiting = Delivery.objects.filter(state__in=["pending", "sending"]).exists()
    if waiting:
        Tenant.objects.filter(slug=slug).update(next_delivery_at=PAST)


@dataclass(frozen=True, slots=True)
class State:
    """All that a poll without news may not change. Late facts may close cases meanwhile."""

    alerts: frozenset[tuple[Any, ...]]
    cases: frozenset[tuple[Any, ...]]
    notes: frozenset[int]


def state_of(slug: str) -> State:
    with scope(reread(slug)):
        return State(
            frozenset(Alert.objects.values_list("pk", "provider_id", "fingerprint", "case_id")),
            frozenset(Case.objects.values_list("pk", "growth", "alert_count")),
            frozenset(Delivery.objects.filter(kind="note").values_list("pk", flat=True)),
        )


def pending(slug: str) -> int:
    with scope(reread(slug)):
        return Delivery.objects.filter(state__in=["pending", "sending"]).count()


def unplanned(slug: str) -> int:
    """Open cases that nobody has planned a ticket for: the poll has not come so far yet."""
    with scope(reread(slug)):
        return owing().filter(deliveries=None).count()


def owing() -> QuerySet[Case]:
    """Open cases that are owed a ticket, or not judged yet. Others may wait: they may close yet."""
    return Case.objects.filter(status__lt=2).exclude(ticket_after__gt=Now(), decided__isnull=False)


def is_settled(slug: str) -> bool:
    """Read at least once, without an error, and everything owed was planned and sent."""
    tenant = reread(slug)
    return (
        bool(tenant.polled_at) and not tenant.failures and not unplanned(slug) and not pending(slug)
    )


def wait_for_polls(slugs: Iterable[str], seconds: float = 90, times: int = 1) -> None:
    """So many whole polls of each, that begin after now and succeed."""
    waiting = list(slugs)
    ends = {slug: {reread(slug).polled_at} for slug in waiting}

    def enough() -> bool:
        for slug, seen in ends.items():
            seen.add(reread(slug).polled_at)
        # One may be under way now, so the next that ends need not have begun after now.
        return all(len(seen) > times + 1 for seen in ends.values())

    wait_for(enough, seconds, f"{waiting} are polled")


def check_complete(simulator: Simulator, slug: str) -> None:
    """Every alert is there, every case shown has its rows, every open case exactly one ticket."""
    control = simulator.control
    wait_for(lambda: not pending(slug), 60, "all that is owed was sent")
    with scope(reread(slug)):
        stored = set(Alert.objects.values_list("provider_id", flat=True))
        loose = Alert.objects.filter(case=None).count()
        owed = set(owing().values_list("pk", flat=True))
        tickets = {row.case_id: row for row in Ticket.objects.select_related("case")}
        unsent = list(
            Delivery.objects.exclude(state__in=["sent", "cancelled"]).values_list("state", "error")
        )
    assert stored == {one["id"] for one in control.alerts(slug)}
    assert loose == 0
    assert unsent == []
    assert owed <= set(tickets)
    theirs: dict[str, int] = {}
    for ticket in control.tickets(slug):
        references = [tag for tag in ticket["tags"] if tag.startswith("CSC-")]
        assert len(references) == 1
        assert ticket["subject"].endswith(f"[{references[0]}]")
        theirs[references[0]] = theirs.get(references[0], 0) + 1
    assert set(theirs.values()) <= {1}, "a case has two tickets"
    assert set(theirs) == {ticket.reference for ticket in tickets.values()}


def data_dir() -> Path:
    return Path(settings.CSC_DATA_DIR)


def restart_servers() -> None:
    services.stop(data_dir())
    services.ensure(data_dir())
