"""Everything goes wrong at once, for a while; then nothing may be lost, doubled or left open.

Used by a short test and, for longer, by `scripts/bench soak`. Alerts are added and changed at the
simulator while faults hit Microsoft and the ticket system, workers are killed, Valkey is flushed
and both servers are restarted.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings
from django.db import OperationalError, connection

from alerts.ledger import unread_count
from alerts.models import Alert
from simulator import Simulator
from tenants.scope import scope
from tests.alerts.documents import alert, device, stamp, user
from tests.lab import Processes, is_settled, make_due, reread, restart_servers, wait_for
from ticketing.models import Ticket

GRAPH: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 401},
    {"kind": "timeout", "seconds": 2},
    {"kind": "drop"},
    {"kind": "truncate"},
    {"kind": "garbage"},
    {"kind": "duplicate"},
    {"kind": "malformed"},
    {"kind": "stale"},
    {"kind": "empty_page"},
)
TICKETS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 500},
    {"kind": "drop", "when": "after"},
    {"kind": "drop"},
    {"kind": "truncate", "when": "after"},
)


@dataclass(slots=True)
class Outcome:
    """What the run ended with. Delays in milliseconds from 'added at Microsoft'."""

    faults: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    lost: int = 0
    duplicate_tickets: int = 0
    open_windows: int = 0
    to_case_ms: list[float] = field(default_factory=list)
    to_ticket_ms: list[float] = field(default_factory=list)


class FaultRun:
    """One run over some tenants, given by slug; the workers' names begin with 'worker'."""

    def __init__(
        self, simulator: Simulator, processes: Processes, slugs: Sequence[str], seed: int
    ) -> None:
        self.control = simulator.control
        self.processes = processes
        self.slugs = slugs
        self.random = random.Random(seed)
        self.added: dict[str, dict[str, datetime]] = {slug: {} for slug in slugs}
        self.outcome = Outcome()

    def run(self, seconds: float, *, alerts_per_s: float, patience_s: float = 120) -> Outcome:
        """Trouble for so many seconds, then peace until all is well, or patience is at its end."""
        end = time.monotonic() + seconds
        disasters = [self.kill_worker, self.flush, self.kill_worker, self.restart, self.rotate]
        next_disaster = time.monotonic() + seconds / 8
        while time.monotonic() < end:
            self.add_alert()
            if self.random.random() < 0.2:
                self.change_alert()
            if self.random.random() < 0.25:
                self.break_something()
            if disasters and time.monotonic() > next_disaster:
                began = time.monotonic()
                disasters.pop(0)()
                took = time.monotonic() - began  # a slow machine shall not have fewer alerts
                end, next_disaster = end + took, next_disaster + took + seconds / 6
            time.sleep(1 / alerts_per_s)
        self.control.clear_faults()
        self.settle(patience_s)
        return self.judge()

    # --- what happens ------------------------------------------------------------------------

    def add_alert(self) -> tuple[str, str]:
        """(tenant, id of the alert)."""
        slug = self.random.choice(self.slugs)
        now = datetime.now(UTC)
        key = f"run{len(self.added[slug])}-{slug}"
        people = [user(f"person{self.random.randrange(60)}")]
        if self.random.random() < 0.5:
            people.append(device(f"pc{self.random.randrange(60)}"))
        times = {
            name: stamp(now)
            for name in (
                "createdDateTime",
                "lastUpdateDateTime",
                "firstActivityDateTime",
                "lastActivityDateTime",
            )
        }
        self.control.add_alert(slug, alert(key, *people) | times)
        self.added[slug][key] = now
        return slug, key

    def change_alert(self) -> None:
        slug = self.random.choice(self.slugs)
        if self.added[slug]:
            key = self.random.choice(list(self.added[slug]))
            severity = self.random.choice(["low", "medium", "high"])
            self.control.change_alert(slug, key, severity=severity)

    def break_something(self) -> None:
        service, faults = self.random.choice([("graph", GRAPH), ("freshservice", TICKETS)])
        fault = dict(self.random.choice(faults))
        where = {"directory": self.random.choice(self.slugs)} if service == "graph" else {}
        self.control.fault(
            fault.pop("kind"), service=service, count=self.random.randint(1, 4), **where, **fault
        )
        self.outcome.faults[service] += 1

    def kill_worker(self) -> None:
        self.processes.kill("worker")
        self.outcome.faults["workers killed"] += 1
        self.processes.worker("worker")

    def flush(self) -> None:
        redis.Redis.from_url(settings.BACKING.redis_url).flushall()
        self.outcome.faults["Valkey flushed"] += 1

    def restart(self) -> None:
        restart_servers()
        connection.close()
        self.outcome.faults["servers restarted"] += 1

    def rotate(self) -> None:
        self.control.rotate_app_secret()
        self.outcome.faults["secret rotated"] += 1

    # --- how it ended ------------------------------------------------------------------------

    def settle(self, patience_s: float) -> None:
        """Until all is read and sent; nobody waits for the longest backoffs."""
        for slug in self.slugs:
            retried(lambda slug=slug: make_due(slug))
        try:
            wait_for(self.is_well, patience_s, "all is read and sent")
        except AssertionError:
            return  # the judge says what is missing

    def is_well(self) -> bool:
        try:
            for slug in self.slugs:
                if not is_settled(slug):
                    make_due(slug)
                    time.sleep(1)
                    return False
                with scope(reread(slug)):
                    if unread_count() or Alert.objects.count() < len(self.added[slug]):
                        return False
        except OperationalError:
            connection.close()
            return False
        return True

    def judge(self) -> Outcome:
        outcome = self.outcome
        for slug in self.slugs:
            added = self.added[slug]
            with scope(reread(slug)):
                stored = dict(Alert.objects.values_list("provider_id", "ingested_at"))
                cases = dict(Alert.objects.values_list("provider_id", "case_id"))
                opened = dict(Ticket.objects.values_list("case_id", "created_at"))
                outcome.open_windows += unread_count()
            outcome.alerts += len(added)
            outcome.lost += len(added.keys() - stored.keys())
            references = Counter(
                tag
                for ticket in self.control.tickets(slug)
                for tag in ticket["tags"]
                if tag.startswith("CSC-")
            )
            outcome.duplicate_tickets += sum(count - 1 for count in references.values())
            self.measure(added, stored, {key: opened.get(case) for key, case in cases.items()})
        return outcome

    def measure(
        self,
        added: dict[str, datetime],
        stored: dict[str, datetime],
        ticketed: dict[str, datetime | None],
    ) -> None:
        """Delays of one tenant's alerts, by when Postgres stored them and their tickets."""
        for key, at in added.items():
            if key in stored:
                self.outcome.to_case_ms.append((stored[key] - at).total_seconds() * 1000)
                ticket_at = ticketed.get(key)
                if ticket_at and ticket_at > at:
                    self.outcome.to_ticket_ms.append((ticket_at - at).total_seconds() * 1000)


def retried(action: Callable[[], None]) -> None:
    """The connection may still be that of before the restart."""
    try:
        action()
    except OperationalError:
        connection.close()
        action()


def percentiles(values: list[float]) -> dict[str, int]:
    """p50, p95 and p99 in whole milliseconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49]), "p95": round(cuts[94]), "p99": round(cuts[98])}
