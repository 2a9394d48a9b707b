"""Onboarding by form, pausing, and sending again what was given up."""

from __future__ import annotations

import uuid

import pytest

from simulator import Simulator
from tenants.models import AuditEntry, Tenant
from tenants.scope import scope
from tests.csc_portal.web.conftest import World
from tests.lab import new_slug
from ticketing.models import Delivery


@pytest.fixture
def given(simulator: Simulator) -> dict[str, str]:
    """What an admin types, for a directory and a help desk that exist."""
    found = simulator.control.add_directory(new_slug("form"), stories=False, populate=False)
    return {
        "slug": found["slug"],
        "name": found["name"],
        "directory_id": found["directory"],
        "client_id": found["client_id"],
        "credential_secret": found["credential_secret"],
        "ticketing": "freshservice",
        "ticketing_url": f"{found['ticketing_url']}/freshservice/{found['slug']}",
        "ticketing_secret": found["ticketing_secret"],
        "enable": "on",
    }


def test_a_tenant_is_onboarded(sign_in, given: dict[str, str]) -> None:
    answer = sign_in("admin").post("/tenants/new/", given)
    assert answer.headers["Location"] == f"/tenants/{given['slug']}/"
    tenant = Tenant.objects.get(slug=given["slug"])
    assert tenant.state == "active"
    assert tenant.ticketing.system == "freshservice"
    assert AuditEntry.objects.filter(action="tenant_onboarded", tenant=tenant).exists()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("slug", "Not A Slug", "A slug is 2 to 40 small letters"),
        ("slug", "public", "is reserved"),
        ("name", "", "This field is required"),
        ("directory_id", "contoso", "Enter a valid UUID"),
        ("directory_id", str(uuid.UUID(int=7)), "AADSTS90002"),
        ("credential_secret", "no-such-secret", "no-such-secret"),
        ("ticketing_url", "", "A ticket system needs this"),
        ("ticketing_secret", "no-such-secret", "no-such-secret"),
    ],
)
def test_bad_input_is_told_and_nothing_is_made(
    field: str, value: str, told: str, sign_in, given: dict[str, str]
) -> None:
    answer = sign_in("admin").post("/tenants/new/", {**given, field: value})
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert not Tenant.objects.filter(name=given["name"]).exists()


def test_pausing_and_starting(sign_in, world: World) -> None:
    client = sign_in("admin", world.tenants["qa"])
    for state in ("paused", "active"):
        client.post("/tenants/qa/state/", {"state": state})
        assert Tenant.objects.get(slug="qa").state == state
        assert AuditEntry.objects.filter(action=f"tenant_{state}").count() == 1
    assert client.post("/tenants/qa/state/", {"state": "offboarded"}).status_code == 404
    Tenant.objects.filter(slug="qa").update(state="offboarded")
    client.post("/tenants/qa/state/", {"state": "active"})
    assert Tenant.objects.get(slug="qa").state == "offboarded"


def test_what_was_given_up_is_sent_again(sign_in, world: World) -> None:
    client = sign_in("analyst", world.tenants["qa"])
    assert "Retry 1 failed" in client.get("/tenants/qa/").content.decode()
    client.post("/tenants/qa/retry/")
    with scope(world.tenants["qa"]):
        delivery = Delivery.objects.get()
    # Tried once, so that the help desk is asked for our reference before anything is made.
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert Tenant.objects.get(slug="qa").next_delivery_at is not None
    assert AuditEntry.objects.get(action="deliveries_retried").facts == {"deliveries": 1}
