"""soak: faults of every kind; what is lost, doubled, open, and how late.

First in real time, five minutes: alerts appear at the simulator while Microsoft and the ticket
system fail, workers are killed, Valkey is flushed and both servers are restarted. Then in simulated
time, a day: tokens and subscriptions run out, notifications are lost, doubled and forged, and
the clocks are two minutes apart. With --quick 30 seconds and an hour.
"""

from __future__ import annotations

import json
import os
import statistics

from django.conf import settings

from benchmarks import HOME
from benchmarks.lab.report import options, progress
from benchmarks.lab.virtual import VirtualRun
from simulator import Simulator
from tests.csc_portal.ingress_lab import Ingress
from tests.faults.fault_run import FaultRun, Outcome, percentiles
from tests.lab import SLOW, Processes, customer, forget

TENANTS = 5
NOTES = {
    "real": "Polls 1 to 2 s apart and no push. Nearly every request fails: delays of trouble.",
    "simulated": "As configured by default, with push that is lost half of the time. Delays are "
    "exact to 20 s.",
}


def main() -> None:
    wanted = options(__doc__ or "")
    with Simulator(HOME / "simulator", directories=1, empty=True) as simulator:
        use(simulator)
        for time, run in (("real", in_real_time), ("simulated", in_simulated_time)):
            slugs = [f"{time}-{number}" for number in range(1, TENANTS + 1)]
            for slug in slugs:
                customer(simulator, slug)
            show(time, run(simulator, slugs, wanted.quick), as_json=wanted.json)
            forget(slugs)


def in_real_time(simulator: Simulator, slugs: list[str], is_quick: bool) -> Outcome:
    seconds = 30.0 if is_quick else 300.0
    processes = Processes(HOME / "logs", {"POLL_INTERVAL_MAX_S": "2", "LOG_LEVEL": "INFO"})
    try:
        processes.beat()
        processes.worker("slow", SLOW, 1)
        processes.worker()
        progress(f"{seconds:.0f} s of trouble for {len(slugs)} tenants")
        run = FaultRun(simulator, processes, slugs, seed=2026)
        return run.run(seconds, alerts_per_s=12, patience_s=300)
    finally:
        processes.stop()


def in_simulated_time(simulator: Simulator, slugs: list[str], is_quick: bool) -> Outcome:
    ingress = Ingress(HOME, settings.BACKING.redis_url)
    settings.PUBLIC_INGRESS_URL = ingress.url
    simulator.control.settings(push_alerts=True, freshservice_plan="off")
    try:
        run = VirtualRun(simulator, ingress, slugs)
        return run.run_days(1 / 24 if is_quick else 1, alerts_per_hour=60, faults_per_hour=12)
    finally:
        ingress.stop()


def use(simulator: Simulator) -> None:
    """Point this process and its children at the simulator."""
    os.environ.update(simulator.environment)
    settings.AZURE_KEY_VAULT_URL = simulator.environment["AZURE_KEY_VAULT_URL"]
    for name in settings.ENDPOINT_OVERRIDES:
        settings.ENDPOINT_OVERRIDES[name] = simulator.environment[name]


def show(time: str, outcome: Outcome, *, as_json: bool) -> None:
    result = {
        "time": time,
        "faults": outcome.faults.total(),
        "alerts": outcome.alerts,
        "lost": outcome.lost,
        "duplicate_tickets": outcome.duplicate_tickets,
        "open_windows": outcome.open_windows,
        "detect_to_case_ms": percentiles(outcome.to_case_ms),
        "detect_to_ticket_ms": percentiles(outcome.to_ticket_ms),
    }
    if as_json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:20} {value}")
    print("faults by place      " + ", ".join(f"{k} {v}" for k, v in outcome.faults.items()))
    print(f"mean to case         {statistics.fmean(outcome.to_case_ms):.0f} ms")
    print(NOTES[time], end="\n\n")


if __name__ == "__main__":
    main()
