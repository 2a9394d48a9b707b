"""Three customers whose alerts tell stories, read by real workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.lab import FAST, SLOW, Processes, customer, forget, is_settled, wait_for

SLUGS = ("flow-one", "flow-two", "flow-three")


@pytest.fixture(scope="module")
def portal(simulator, django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Processes]:
    """Worker, slow worker and beat; the three customers have been read for the first time."""
    processes = Processes(tmp_path_factory.mktemp("flow-logs"))
    with django_db_blocker.unblock():
        simulator.control.forget_requests()
        try:
            for slug in SLUGS:
                customer(simulator, slug, stories=True)
            processes.beat()
            processes.worker("slow", SLOW, 1)
            processes.worker(queues=FAST)
            wait_for(lambda: all(map(is_settled, SLUGS)), 180, "the first alerts are ticketed")
            processes.first_requests = simulator.control.requests()
            yield processes
        finally:
            processes.stop()
            simulator.control.clear_faults()
            forget(SLUGS)
            connection.close()
