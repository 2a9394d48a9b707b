"""A short run of everything going wrong; `scripts/bench soak` is the long one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.fault_run import FaultRun
from tests.lab import SLOW, Processes, customer, forget, new_slug


@pytest.fixture
def portal(simulator, committed, tmp_path) -> Iterator[tuple[Processes, list[str]]]:
    processes = Processes(tmp_path / "logs", {"POLL_INTERVAL_MAX_S": "1"})
    slugs = [new_slug("trouble") for _ in range(3)]
    try:
        for slug in slugs:
            customer(simulator, slug)
        processes.beat()
        processes.worker("slow", SLOW, 1)
        processes.worker()
        yield processes, slugs
    finally:
        processes.stop()
        simulator.control.clear_faults()
        forget(slugs)


def test_nothing_is_lost_doubled_or_left_open(simulator, portal):
    processes, slugs = portal
    outcome = FaultRun(simulator, processes, slugs, seed=11).run(
        25, alerts_per_s=12, patience_s=240
    )
    assert outcome.alerts > 50
    assert outcome.faults.total() > 10
    assert (outcome.lost, outcome.duplicate_tickets, outcome.open_windows) == (0, 0, 0)
