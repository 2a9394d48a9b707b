"""Microsoft's own Graph SDK reads what the simulator serves.

The SDK has its host built in: its request adapter's base_url is set to the simulator, and its
httpx client gets the simulator's CA.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from azure.core.credentials import AccessToken
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.security.alert import Alert
from msgraph.generated.models.security.alert_status import AlertStatus
from msgraph.generated.models.security.user_evidence import UserEvidence

from simulator import Simulator
from tests.simulator.conftest import Caller

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Token:
    """A credential that holds a token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_more: Any) -> AccessToken:
        return AccessToken(self._token, 4_000_000_000)


def run(
    sim: Simulator, slug: str, use: Callable[[GraphServiceClient], Coroutine[Any, Any, Any]]
) -> Any:
    async def inside() -> Any:
        context = ssl.create_default_context(cafile=str(sim.ca_file))
        graph = Caller(sim, slug)
        token = str(graph.session.headers["Authorization"]).removeprefix("Bearer ")
        # The provider compares hosts without their port; an empty list means every host.
        provider = AzureIdentityAuthenticationProvider(Token(token), allowed_hosts=[])
        async with httpx.AsyncClient(verify=context, timeout=20) as client:
            adapter = GraphRequestAdapter(provider, client)
            adapter.base_url = f"{sim.url}/v1.0"
            return await use(GraphServiceClient(request_adapter=adapter))

    return asyncio.run(inside())


def test_the_sdk_reads_alerts_and_evidence(sim: Simulator) -> None:
    async def use(client: GraphServiceClient) -> list[Alert]:
        found: list[Alert] = []
        page = await client.security.alerts_v2.get()
        while page is not None:
            found += page.value or []
            if not page.odata_next_link:
                break
            page = await client.security.alerts_v2.with_url(page.odata_next_link).get()
        return found

    alerts = run(sim, sim.tenants[0]["slug"], use)
    assert len(alerts) > 40
    assert all(alert.created_date_time and alert.title and alert.status for alert in alerts)
    evidence = [item for alert in alerts for item in alert.evidence or []]
    assert len({type(item) for item in evidence}) == 48
    people = [item for item in evidence if isinstance(item, UserEvidence)]
    assert all(item.user_account and item.user_account.user_principal_name for item in people)
    unread = [(type(item), item.additional_data) for item in evidence if item.additional_data]
    assert unread == []


def test_the_sdk_writes_and_understands_refusals(sim: Simulator) -> None:
    slug = sim.tenants[1]["slug"]
    key = sim.control.alerts(slug)[0]["id"]

    async def use(client: GraphServiceClient) -> Alert | None:
        item = client.security.alerts_v2.by_alert_id(key)
        return await item.patch(Alert(status=AlertStatus.InProgress, assigned_to="soc@csc.example"))

    changed = run(sim, slug, use)
    assert (changed.status, changed.assigned_to) == (AlertStatus.InProgress, "soc@csc.example")

    async def missing(client: GraphServiceClient) -> Alert | None:
        return await client.security.alerts_v2.by_alert_id("nowhere").get()

    with pytest.raises(ODataError) as refused:
        run(sim, slug, missing)
    assert refused.value.error is not None
    assert refused.value.error.code == "ResourceNotFound"


def test_the_sdk_reads_the_rest(sim: Simulator) -> None:
    async def use(client: GraphServiceClient) -> tuple[Any, ...]:
        return (
            await client.security.incidents.get(),
            await client.security.secure_scores.get(),
            await client.security.secure_score_control_profiles.get(),
            await client.audit_logs.sign_ins.get(),
            await client.audit_logs.directory_audits.get(),
            await client.users.get(),
            await client.identity_protection.risk_detections.get(),
            await client.organization.get(),
        )

    pages = run(sim, sim.tenants[0]["slug"], use)
    assert all(page.value for page in pages)
    for row in (page.value[0] for page in pages):
        assert row.additional_data == {} or set(row.additional_data) <= {"@odata.context"}
