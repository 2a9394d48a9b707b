"""A customer that no worker reads: the tests do, in the foreground."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import customer, forget, new_slug


@pytest.fixture
def slug(simulator, committed) -> Iterator[str]:
    name = new_slug("fault")
    customer(simulator, name, enable=False)
    yield name
    simulator.control.clear_faults()
    simulator.control.settings(filter_lag_s=0)
    forget([name])
