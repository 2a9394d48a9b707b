"""soak: real workers through faults of every kind; what is lost, doubled, open, and how late.

Alerts appear at the simulator while Microsoft and the ticket system fail, workers are killed,
Valkey is flushed and both servers are restarted. Real time: five minutes, with --quick 30 s.
"""

from __future__ import annotations

import json
import os
import statistics

from django.conf import settings

from benchmarks import HOME
from benchmarks.lab.report import options, progress
from simulator import Simulator
from tests.faults.fault_run import FaultRun, Outcome, percentiles
from tests.lab import SLOW, Processes, customer

SLUGS = [f"soak-{number}" for number in range(1, 6)]


def main() -> None:
    wanted = options(__doc__ or "")
    seconds, rate = (30.0, 12.0) if wanted.quick else (300.0, 12.0)
    with Simulator(HOME / "simulator", directories=1, empty=True) as simulator:
        use(simulator)
        processes = Processes(HOME / "logs", {"POLL_INTERVAL_MAX_S": "2", "LOG_LEVEL": "INFO"})
        try:
            for slug in SLUGS:
                customer(simulator, slug)
            processes.beat()
            processes.worker("slow", SLOW, 1)
            processes.worker()
            progress(f"{seconds:.0f} s of trouble for {len(SLUGS)} tenants")
            outcome = FaultRun(simulator, processes, SLUGS, seed=2026).run(
                seconds, alerts_per_s=rate, patience_s=300
            )
        finally:
            processes.stop()
    show(outcome, as_json=wanted.json)


def use(simulator: Simulator) -> None:
    """Point this process and its children at the simulator."""
    os.environ.update(simulator.environment)
    settings.AZURE_KEY_VAULT_URL = simulator.environment["AZURE_KEY_VAULT_URL"]
    for name in settings.ENDPOINT_OVERRIDES:
        settings.ENDPOINT_OVERRIDES[name] = simulator.environment[name]


def show(outcome: Outcome, *, as_json: bool) -> None:
    result = {
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
    print(
        "Polling only (1 to 2 s apart), faults going on: delays are those of trouble, not of peace."
    )


if __name__ == "__main__":
    main()
