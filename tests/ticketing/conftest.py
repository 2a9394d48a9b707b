"""The stand-ins for ticket systems, served once for all tests of adapters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ticketing.desks import ENTRIES
from tests.ticketing.wire.server import serving


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    state = tmp_path_factory.mktemp("desks")
    with serving({name: entry.desk for name, entry in ENTRIES.items()}, state) as origin:
        yield origin, state / "ca.pem"


@pytest.fixture
def desks_url(_served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """The origin below which each stand-in has its address; all of them empty."""
    origin, authority = _served
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    for entry in ENTRIES.values():
        entry.desk.reset()
    return origin
