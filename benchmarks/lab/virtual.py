"""Days of trouble in simulated time: the portal's tasks in this process, on a clock of its own.

Beat's schedule is followed step by step; between two steps nothing happens. The simulator gets the
same time, or one that is apart by the skew. Notifications go to a real ingress, which notes hints.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
import requests
import time_machine
from django.conf import settings

from alerts.models import Alert, Subscription
from benchmarks.lab.report import progress
from csc_portal.celery import app
from simulator import Simulator
from simulator.control import Control
from tenants.scope import scope
from tests.csc_portal.ingress_lab import Ingress
from tests.faults.fault_run import FaultRun, Outcome
from tests.lab import Processes, is_settled, reread
from ticketing.models import Ticket

STEP = timedelta(seconds=20)
SKEW_S = (0, 0, 120, -120)
"""How far the simulator's clock is from ours, one after another."""


class Clock:
    """This process's time and the simulator's. `real` is what the machine says."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.now = datetime.now(UTC)
        self._travel = time_machine.travel(self.now, tick=True)
        self._moves = self._travel.start()

    def step(self, skew_s: float) -> None:
        self.now += STEP
        self._moves.move_to(self.now)
        ahead = self.now.timestamp() - time_machine.escape_hatch.time.time()
        self._control.settings(clock_ahead_s=ahead + skew_s)

    def stop(self) -> None:
        self._travel.stop()
        self._control.settings(clock_ahead_s=0)


class Beat:
    """Runs what beat would start, in this process, whenever its turn has come."""

    def __init__(self) -> None:
        app.conf.task_always_eager = True
        app.loader.import_default_modules()
        self._tasks = [(app.tasks[e["task"]], float(e["schedule"])) for e in _schedule()]
        self._ran_at: dict[str, datetime] = {}

    def turn(self, now: datetime) -> None:
        for task, every_s in self._tasks:
            ran_at = self._ran_at.get(task.name)
            if ran_at is None or (now - ran_at).total_seconds() >= every_s:
                self._ran_at[task.name] = now
                task.apply_async()


def _schedule() -> list[dict[str, Any]]:
    return list(app.conf.beat_schedule.values())


class VirtualRun(FaultRun):
    """The faults of FaultRun, fewer and over days, and what only time and push can bring."""

    def __init__(self, simulator: Simulator, ingress: Ingress, slugs: Sequence[str]) -> None:
        processes = Processes(ingress.log_file.parent)
        super().__init__(simulator, processes, slugs, seed=2027)
        self.ingress = ingress
        self.clock = Clock(self.control)
        self.beat = Beat()
        self.random = random.Random(2027)
        self.skew_s = 0.0
        self.unseen: dict[str, set[str]] = {slug: set() for slug in slugs}
        self.unticketed: dict[str, set[str]] = {slug: set() for slug in slugs}
        self.redis = redis.Redis.from_url(settings.BACKING.redis_url)

    def run_days(self, days: float, alerts_per_hour: float, faults_per_hour: float) -> Outcome:
        """Trouble for so many days, then two hours of peace."""
        steps = round(days * 86400 / STEP.total_seconds())
        a_step = STEP.total_seconds() / 3600
        disasters = {
            steps * part // 8: what
            for part, what in enumerate(
                (self.flush, self.restart, self.rotate, self.flush, self.forget_push), start=1
            )
        }
        try:
            for number in range(steps):
                if number % (steps // 8) == 0:
                    progress(f"{number * STEP} of {steps * STEP}")
                self.skew_s = SKEW_S[number * len(SKEW_S) // steps]
                self.traffic(a_step * alerts_per_hour, a_step * faults_per_hour)
                if what := disasters.get(number):
                    what()
                self.step()
            self.control.clear_faults()
            self.control.settings(push_alerts=True)
            for _ in range(round(timedelta(hours=2) / STEP)):
                self.step()
        finally:
            self.clock.stop()
        return self.judge()

    def traffic(self, alerts: float, faults: float) -> None:
        for _ in range(int(alerts + self.random.random())):
            slug, key = self.add_alert()
            self.unseen[slug].add(key)
            self.unticketed[slug].add(key)
        if self.random.random() < alerts / 3:
            self.change_alert()
        if self.random.random() < faults:
            self.break_something()
        if self.random.random() < faults / 4:
            self.control.settings(push_alerts=self.random.random() < 0.5)
            self.outcome.faults["notifications lost from here or there"] += 1
        if self.random.random() < faults / 4:
            self.double_or_forge()

    def step(self) -> None:
        self.clock.step(self.skew_s)
        # The buckets count by Valkey's clock, which does not travel.
        for key in self.redis.scan_iter("csc:calls:*", count=1000):
            self.redis.delete(key)
        self.beat.turn(self.clock.now)
        self.look()

    def double_or_forge(self) -> None:
        """A notification once more, and one that Microsoft did not send."""
        slug = self.random.choice(self.slugs)
        sent = [one for one in self.control.notifications() if one["status"] == 202]
        if sent:
            once_more = self.random.choice(sent)
            requests.post(once_more["url"], json=once_more["body"], timeout=10)
            self.outcome.faults["notifications doubled"] += 1
        forged = {
            "subscriptionId": str(uuid.uuid4()),
            "clientState": "guessed",
            "changeType": "updated",
            "tenantId": str(reread(slug).directory_id),
            "resource": "security/alerts_v2/forged",
            "resourceData": {"id": "forged"},
        }
        self.ingress.notify(reread(slug).public_id, forged)
        self.outcome.faults["notifications forged"] += 1

    def forget_push(self) -> None:
        """Microsoft loses every subscription and says nothing."""
        for slug in self.slugs:
            with scope(reread(slug)):
                rows = Subscription.objects.exclude(subscription_id="")
                lost = list(rows.values_list("subscription_id", flat=True))
            for subscription_id in lost:
                self.control.delete_rows(slug, "subscriptions", subscription_id)
        self.outcome.faults["subscriptions lost"] += 1

    def look(self) -> None:
        """Delays, as exact as a step is long; Postgres' own clock stands at the real time."""
        for slug in self.slugs:
            if not (self.unseen[slug] or self.unticketed[slug]):
                continue
            with scope(reread(slug)):
                wanted = self.unseen[slug] | self.unticketed[slug]
                rows = Alert.objects.filter(provider_id__in=wanted)
                stored = set(rows.values_list("provider_id", flat=True))
                cases = Ticket.objects.values("case_id")
                ticketed = set(rows.filter(case__in=cases).values_list("provider_id", flat=True))
            for key in self.unseen[slug] & stored:
                self.outcome.to_case_ms.append(self._age_ms(slug, key))
            for key in self.unticketed[slug] & ticketed:
                self.outcome.to_ticket_ms.append(self._age_ms(slug, key))
            self.unseen[slug] -= stored
            self.unticketed[slug] -= ticketed

    def _age_ms(self, slug: str, key: str) -> float:
        return (self.clock.now - self.added[slug][key]).total_seconds() * 1000

    def restart(self) -> None:
        super().restart()
        self.redis = redis.Redis.from_url(settings.BACKING.redis_url)

    def judge(self) -> Outcome:
        """A tenant that still fails or owes something counts as a window left open."""
        outcome = super().judge()
        outcome.open_windows += sum(not is_settled(slug) for slug in self.slugs)
        return outcome

    def measure(self, *_: object) -> None:
        """Done while it ran: Postgres' clock did not travel."""
