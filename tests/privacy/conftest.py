"""One run of the scenario, whose traces all tests here search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tenants.models import User
from tests.lab import Processes, forget
from tests.privacy.scenario import Scenario, start


@pytest.fixture(scope="module")
def logged() -> Iterator[list[str]]:
    """Every line that this very process logs, down to DEBUG, as texts."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter("%(name)s %(message)s").format(record))

    root, handler = logging.getLogger(), Keep(logging.DEBUG)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(before)
    root.removeHandler(handler)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("canary-tmp")


@pytest.fixture(scope="module")
def scenario(
    simulator, django_db_setup, django_db_blocker, tmp_path_factory, logged, temporary
) -> Iterator[Scenario]:
    processes = Processes(
        tmp_path_factory.mktemp("canary-logs"),
        {"LOG_LEVEL": "DEBUG", "TMPDIR": str(temporary)},
    )
    exports = tmp_path_factory.mktemp("canary-exports")
    with django_db_blocker.unblock():
        found = start(simulator, processes)
        try:
            found.run(exports)
            found.queue_up()
            yield found
        finally:
            processes.stop()
            simulator.control.clear_faults()
            for name in ("analyst", "keeper"):
                User.objects.filter(username=f"{name}-{found.slug}").delete()
            forget([found.slug])
            connection.close()
