"""The onboarding wizard: the later steps, leaving and resuming, and who may."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from alerts.models import SourceAbility
from csc_portal.onboard import NewTicketing, onboard
from simulator import Simulator
from tenants.models import Grant, Onboarding, Tenant, TicketConnection, User
from tenants.onboarding import NewTenant
from tenants.scope import scope
from tests.csc_portal.web.onboarding_lab import (
    Given,
    accept,
    at,
    begin,
    consented,
    customer,
    ticketing,
    typed,
)

# --- the other steps -----------------------------------------------------------------------------


def test_permissions_are_named_with_their_fix(sign_in, given: Given, simulator: Simulator) -> None:
    client = sign_in("admin")
    onboarding = consented(client, simulator, given)
    table = client.get(at(onboarding, "permissions")).context["table"]
    states = {row.permission.name: row for row in table.rows}
    assert states["SecurityAlert.Read.All"].state == "there"
    missing = states["AuditLog.Read.All"]
    assert missing.state == "no_permission"
    assert "b0afded3-3588-46d8-8b3d-9842eff778da" in missing.fix
    assert given["client_id"] in missing.fix
    row = Tenant.objects.get(pk=onboarding.tenant_id)
    assert "AuditLog.Read.All" in row.missing_permissions
    # Granted, consented again: a new token is asked for.
    roles = ["SecurityAlert.Read.All", "Organization.Read.All", "AuditLog.Read.All"]
    simulator.control.configure(
        given["slug"], roles=roles, licences={"entra_id_p1": False, "entra_id_p2": False}
    )
    page = client.post(at(onboarding, "permissions"), {"do": "check"})
    row_now = next(
        r for r in page.context["table"].rows if r.permission.name == "AuditLog.Read.All"
    )
    assert row_now.state == "no_licence"
    assert "Entra ID P1 or P2" in row_now.fix


def test_nothing_is_read_without_the_right_to_alerts(
    sign_in, given: Given, simulator: Simulator
) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    simulator.control.configure(given["slug"], roles=["Organization.Read.All"])
    client.post(at(onboarding, "consent"), {"do": "check"})
    for step, fields in (
        ("permissions", {"do": "next"}),
        ("tickets", {"do": "next"}),
        ("assets", {"auto_close": "dry"}),
    ):
        assert client.post(at(onboarding, step), fields).status_code == 302
    client.post(at(onboarding, "read"))
    assert Tenant.objects.get(directory_id=given["directory"]).state == "onboarding"


def test_steps_are_not_skipped(sign_in, given: Given) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    for step in ("permissions", "tickets", "assets", "read"):
        assert client.get(at(onboarding, step)).headers["Location"] == at(onboarding)
        assert client.post(at(onboarding, step), {"do": "next"}).headers["Location"] == at(
            onboarding
        )
    assert client.get(at(onboarding, "nonsense")).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("url", "", "This field is required"),
        ("url", "https://10.0.0.1/", "private"),
        ("secret_name", "no-such-secret", "no secret named"),
        ("option_requester_email", "nobody", "valid email"),
        ("option_group_id", "seven", "has to be a number"),
        ("option_states", "- a", "names with values"),
        ("pillars", "device: {workspace_id: 1}", "can't differ"),
    ],
)
def test_a_ticket_system_is_tried_first(
    field: str, value: str, told: str, sign_in, given: Given, simulator: Simulator
) -> None:
    client = sign_in("admin")
    onboarding = consented(client, simulator, given)
    client.post(at(onboarding, "permissions"), {"do": "next"})
    address = f"{at(onboarding, 'tickets')}?system=freshservice"
    answer = client.post(address, {**ticketing(given), field: value})
    assert answer.status_code == 422
    errors = [str(one) for found in answer.context["form"].errors.values() for one in found]
    assert told in " ".join(errors)
    assert not TicketConnection.objects.filter(tenant_id=onboarding.tenant_id).exists()


def test_a_test_ticket_is_sent(sign_in, given: Given, simulator: Simulator) -> None:
    client = sign_in("admin")
    onboarding = consented(client, simulator, given)
    client.post(at(onboarding, "permissions"), {"do": "next"})
    client.post(f"{at(onboarding, 'tickets')}?system=freshservice", ticketing(given))
    page = client.post(at(onboarding, "tickets"), {"do": "test"}, follow=True).content.decode()
    assert "It is found by its reference" in page
    assert [one["priority"] for one in simulator.control.tickets(given["slug"])] == [1]


def test_the_wizard_makes_what_the_command_makes(sign_in, simulator: Simulator) -> None:
    by_hand, by_command = customer(simulator), customer(simulator)
    client = sign_in("admin")
    onboarding = begin(client, by_hand)
    for given in (by_hand, by_command):
        simulator.control.configure(
            given["slug"], roles=["SecurityAlert.Read.All", "Organization.Read.All"]
        )
    client.post(at(onboarding, "consent"), {"do": "check"})
    client.post(at(onboarding, "permissions"), {"do": "next"})
    client.post(f"{at(onboarding, 'tickets')}?system=freshservice", ticketing(by_hand))
    client.post(at(onboarding, "tickets"), {"do": "next"})
    page = client.get(at(onboarding, "assets"))
    form = {
        "auto_close": "on",
        **{f"{name}_{kind}": "" for name in ("informational",) for kind in ("touch", "resolve")},
    }
    form |= {
        field.html_name: str(field.value() or "")
        for _, *fields in page.context["sla"].rows
        for field in fields
    }
    assert client.post(at(onboarding, "assets"), form).headers["Location"] == at(onboarding, "read")
    client.post(at(onboarding, "read"))
    onboard(
        NewTenant(by_command["slug"], by_command["name"], uuid.UUID(by_command["directory"]),
                  uuid.UUID(by_command["client_id"]), by_command["credential_secret"]),
        NewTicketing("freshservice", ticketing(by_command)["url"], by_command["ticketing_secret"],
                     "csc@provider.example", {}, {"priorities": {"high": 4}}),
        enable=True, actor="system",
    )  # fmt: skip
    assert shape(by_hand) == shape(by_command)
    assert shape(by_hand)["tenant"]["state"] == "active"


def shape(given: Given) -> dict[str, object]:
    """All that onboarding made, without what has to differ."""
    tenant = Tenant.objects.select_related("ticketing").get(slug=given["slug"])
    differing = {"id", "schema_name", "public_id", "slug", "name", "directory_id"}
    fields = {
        name: value for name, value in Tenant.objects.values().get(pk=tenant.pk).items()
        if name not in differing and not name.endswith("_at")
    }  # fmt: skip
    with scope(tenant):
        abilities = set(SourceAbility.objects.values_list("source", "state", "problem"))
    ticketing = tenant.ticketing
    return {
        "tenant": fields,
        "is_due": tenant.next_poll_at is not None,
        "abilities": abilities,
        "ticketing": (ticketing.system, ticketing.url.replace(given["slug"], "*"),
                      ticketing.secret_name.replace(given["slug"], "*"), ticketing.options,
                      ticketing.mapping, ticketing.is_enabled),
    }  # fmt: skip


# --- leaving, and who may -------------------------------------------------------------------------


def test_it_is_left_and_resumed_by_another(sign_in, given: Given, simulator: Simulator) -> None:
    onboarding = consented(sign_in("admin"), simulator, given)
    other = sign_in("admin")
    assert given["name"] in other.get("/tenants/new/").content.decode()
    assert other.get(at(onboarding)).headers["Location"] == at(onboarding, "permissions")
    # The same directory typed again is the same onboarding.
    again = other.post("/tenants/new/", typed(given))
    assert again.headers["Location"] == at(onboarding, "consent")


def test_it_is_forgotten_only_before_there_is_a_tenant(
    sign_in, given: Given, simulator: Simulator
) -> None:
    client = sign_in("admin")
    first = begin(client, customer(simulator))
    client.post(at(first, "forget"))
    assert not Onboarding.objects.filter(pk=first.pk).exists()
    second = consented(client, simulator, given)
    client.post(at(second, "forget"))
    assert Onboarding.objects.filter(pk=second.pk).exists()


@pytest.mark.parametrize("role", ["viewer", "analyst", "lead"])
def test_only_who_may_onboard_sees_one(role: str, sign_in, given: Given, world) -> None:
    onboarding = begin(sign_in("admin"), given)
    lesser = [sign_in(role), sign_in("admin", world.tenants["qa"])]
    for client in lesser:
        for address in (
            "/tenants/new/",
            at(onboarding),
            at(onboarding, "consent"),
            at(onboarding, "progress"),
        ):
            assert client.get(address).status_code == 404, address
        assert client.post(at(onboarding, "forget")).status_code == 404
        assert client.post(at(onboarding, "consent"), {"do": "link"}).status_code == 404


def test_forms_from_elsewhere_are_refused(sign_in, given: Given) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(client.person)
    for address in ("/tenants/new/", at(onboarding, "consent"), at(onboarding, "forget")):
        assert strict.post(address, {"do": "link"}).status_code == 403
    onboarding.refresh_from_db()
    assert onboarding.consent_state == ""


def test_fields_that_nobody_asked_for_change_nothing(
    sign_in, given: Given, simulator: Simulator
) -> None:
    client = sign_in("admin")
    more = {"tenant": "1", "reached": "6", "consented_at": "2020-01-01", "state": "active",
            "finished_at": "2020-01-01", "started_by": "1"}  # fmt: skip
    assert client.post("/tenants/new/", {**typed(given), **more}).status_code == 302
    onboarding = Onboarding.objects.get(directory_id=given["directory"])
    assert (onboarding.reached, onboarding.tenant_id, onboarding.consented_at) == (2, None, None)
    accept(simulator, given)
    client.post(at(onboarding, "consent"), {"do": "check"})
    for step in ("permissions", "tickets"):
        client.post(at(onboarding, step), {"do": "next"})
    more |= {"credential_secret": "x", "slug": "y"}
    sla = {"auto_close": "off", "high_touch": "5", "high_resolve": "60"}
    client.post(at(onboarding, "assets"), {**sla, **more})
    tenant = Tenant.objects.get(directory_id=given["directory"])
    assert (tenant.slug, tenant.state, tenant.auto_close) == (given["slug"], "onboarding", "off")
    assert tenant.credential_secret == given["credential_secret"]
    assert tenant.sla["high"] == {"touch_minutes": 5, "resolve_minutes": 60}
    assert User.objects.filter(is_superuser=True).count() == 0
    assert not Grant.objects.filter(user=client.person).exclude(role="admin").exists()
