"""The table and the page of a tenant: pausing, and sending again what was given up."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from ticketing.models import Delivery


def test_pausing_and_starting(sign_in, world: World) -> None:
    client = sign_in("admin", world.tenants["qa"])
    for state in ("paused", "active"):
        client.post("/tenants/qa/state/", {"state": state})
        assert Tenant.objects.get(slug="qa").state == state
        assert audited().filter(action=f"tenant_{state}").count() == 1
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
    assert audited().get(action="deliveries_retried").facts == {"deliveries": 1}


def test_the_table_says_what_needs_attention(sign_in, world: World) -> None:
    Tenant.objects.filter(slug="qa").update(
        missing_permissions=["AuditLog.Read.All"],
        credential_expires_at=timezone.now() + timedelta(days=9, hours=1),
        subscriptions_active=2,
        subscriptions_expire_at=timezone.now(),
    )
    Tenant.objects.filter(slug="qatest").update(
        unlicensed=["sign-ins"], credential_expires_at=timezone.now() - timedelta(days=2)
    )
    page = sign_in("admin").get("/tenants/").content.decode()
    for told in ("1 missing", "9 days", "2 active", "1 not licensed", "Ended", "No date"):
        assert told in page, told
    page = sign_in("viewer", world.tenants["qa"]).get("/tenants/qa/").content.decode()
    assert "Permissions are missing: AuditLog.Read.All" in page
    assert "/tenants/qa/setup/" not in page
