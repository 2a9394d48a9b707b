"""A customer with an Azure of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from simulator import Simulator
from simulator.directory import ALL_ROLES
from tenants.directories import defender_for, graph_for
from tenants.models import Tenant
from tests.posture.lab import Azure


@pytest.fixture(scope="session")
def contoso(simulator: Simulator) -> dict[str, str]:
    """A directory of the simulator without people, named like the tenant; tests empty it first."""
    return simulator.control.add_directory("qa", stories=False, populate=False)


@pytest.fixture
def azure(simulator: Simulator, contoso: dict[str, str]) -> Azure:
    found = Azure(simulator, contoso["directory"])
    found.clear()
    simulator.control.clear_faults()
    simulator.control.forget_requests()
    return found


@pytest.fixture
def customer(simulator: Simulator, qa: Tenant, contoso: dict[str, str]) -> Iterator[Tenant]:
    """The first tenant of the tests, reading that directory, which gives all it is asked for."""
    qa.directory_id = uuid.UUID(contoso["directory"])
    qa.client_id = uuid.UUID(contoso["client_id"])
    qa.credential_secret = contoso["credential_secret"]
    qa.state = Tenant.State.ACTIVE
    qa.save()
    yield qa
    simulator.control.clear_faults()
    simulator.control.configure(
        contoso["directory"], roles=list(ALL_ROLES), licences={"defender": True}
    )
    for client in (graph_for(qa), defender_for(qa)._calls):
        client.forget_token()
