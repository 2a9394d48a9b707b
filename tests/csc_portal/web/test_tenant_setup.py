"""A tenant's own settings: changed, checked first, audited; and its end."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from alerts.models import AlertEntity, AssetClass, Case
from csc_portal.people import SOMEBODY
from posture.findings import Found, settle
from posture.models import ScoreDay, Weakness
from simulator import Simulator
from tenants.audit import record
from tenants.models import (
    Grant,
    Onboarding,
    PortalSession,
    QueueEntry,
    Tenant,
    TicketConnection,
    User,
)
from tenants.scope import granted, scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World, fill
from tests.lab import customer, new_slug

GENERAL = {"name": "QA", "incidents": "on", "write_back": "all", "push": "default", "resources": ""}


@pytest.fixture
def tenant(simulator: Simulator, db) -> Tenant:
    return customer(simulator, new_slug("setup"))


@pytest.fixture
def admin(sign_in, tenant: Tenant) -> Client:
    return sign_in("admin")


def at(tenant: Tenant, tab: str) -> str:
    return f"/tenants/{tenant.slug}/setup/{tab}/"


def facts_of(tenant: Tenant, action: str) -> list[dict[str, object]]:
    return list(audited().filter(tenant=tenant, action=action).values_list("facts", flat=True))


def test_general_settings_are_kept_and_audited(admin: Client, tenant: Tenant) -> None:
    form = {
        **GENERAL,
        "name": "Another",
        "push": "own",
        "resources": "/security/alerts_v2",
        "write_back": "off",
    }
    del form["incidents"]
    assert admin.post(at(tenant, "general"), form).status_code == 302
    tenant.refresh_from_db()
    assert tenant.name == "Another"
    assert tenant.sources_off == ["incidents"]
    assert not tenant.reads("incidents")
    assert tenant.push_resources == ["/security/alerts_v2"]
    assert facts_of(tenant, "tenant_changed") == [
        {"fields": ["name", "push_resources", "sources_off", "write_back"]}
    ]
    admin.post(at(tenant, "general"), {**GENERAL, "name": "Another"})
    tenant.refresh_from_db()
    assert (tenant.sources_off, tenant.push_resources) == ([], None)


def test_how_long_the_lake_keeps_is_set_and_audited(admin: Client, tenant: Tenant) -> None:
    for days in ("29", "400", "90"):
        admin.post(at(tenant, "general"), {"lake_days": days})
    tenant.refresh_from_db()
    assert tenant.lake_days == 90
    assert facts_of(tenant, "lake_retention_set") == [{"before": 400, "after": 90}]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "required"),
        ("push", "own", "Name at least one"),
        ("resources", "javascript:x", "looks like /security"),
        ("write_back", "everything", "valid choice"),
    ],
)
def test_mistakes_are_told(
    field: str, value: str, told: str, admin: Client, tenant: Tenant
) -> None:
    answer = admin.post(at(tenant, "general"), {**GENERAL, field: value})
    assert answer.status_code == 422
    assert told in str(answer.context["form"].errors)


def test_nothing_else_can_be_posted(admin: Client, tenant: Tenant) -> None:
    more = {
        "slug": "x",
        "state": "paused",
        "directory_id": str(uuid.uuid4()),
        "schema_name": "public",
    }
    before = Tenant.objects.values("slug", "state", "directory_id", "schema_name").get(pk=tenant.pk)
    admin.post(at(tenant, "general"), {**GENERAL, **more})
    after = Tenant.objects.values("slug", "state", "directory_id", "schema_name").get(pk=tenant.pk)
    assert after == before


def test_a_credential_is_proven_before_it_is_used(
    admin: Client, tenant: Tenant, simulator: Simulator
) -> None:
    given = {"client_id": str(tenant.client_id)}
    simulator.control.set_secret("wrong-credential", "nonsense")
    for name, told in (("no-such-secret", "no secret named"), ("wrong-credential", "7000215")):
        answer = admin.post(at(tenant, "general"), {**given, "credential_secret": name})
        assert answer.status_code == 422
        assert told in str(answer.context["credential"].errors)
    tenant.refresh_from_db()
    assert tenant.credential_secret == "csc-app-credential"
    value = simulator.control.secret("csc-app-credential")
    simulator.control.set_secret("second-credential", value, exp=4102444800)
    answer = admin.post(at(tenant, "general"), {**given, "credential_secret": "second-credential"})
    assert answer.status_code == 302
    tenant.refresh_from_db()
    assert tenant.credential_secret == "second-credential"
    assert tenant.credential_expires_at is not None
    assert tenant.credential_expires_at.year == 2100
    assert facts_of(tenant, "credential_rotated") == [{}]


def test_the_ticket_system_is_changed_tried_and_switched(admin: Client, tenant: Tenant) -> None:
    connection = tenant.ticketing
    address = f"{at(tenant, 'tickets')}?system=freshservice"
    page = admin.get(at(tenant, "tickets"))
    assert page.context["form"].initial["url"] == connection.url
    form = {"url": connection.url, "secret_name": connection.secret_name, "option_group_id": "7",
            "pillars": "device: {group_id: 8}", "priority_low": "2"}  # fmt: skip
    assert admin.post(address, form).status_code == 302
    connection.refresh_from_db()
    assert connection.options == {"group_id": "7"}
    pillars = {"device": {"group_id": 8}}
    assert connection.mapping == {"priorities": {"low": 2}, "pillars": pillars}
    admin.post(at(tenant, "tickets"), {"do": "off"})
    connection.refresh_from_db()
    assert not connection.is_enabled
    assert facts_of(tenant, "ticketing_off") == [{}]


def test_no_secret_of_others_is_sent_to_a_ticket_system(
    admin: Client, tenant: Tenant, simulator: Simulator
) -> None:
    other = customer(simulator, new_slug("setup")).ticketing
    connection = tenant.ticketing
    address = f"{at(tenant, 'tickets')}?system=freshservice"
    own = ("csc-pseudonym-key", "CSC-Django-Secret-Key", tenant.credential_secret)
    elsewhere = "https://127.0.0.1:1"
    simulator.control.forget_requests()
    for url, name in [(connection.url, name) for name in own] + [(elsewhere, other.secret_name)]:
        answer = admin.post(address, {"url": url, "secret_name": name})
        assert f"The secret &#x27;{name}&#x27;" in answer.content.decode()
    asked = simulator.control.requests()
    assert {one["service"] for one in asked} <= {"vault", "login"}
    connection.refresh_from_db()
    assert connection.secret_name == tenant.ticketing.secret_name
    # Several customers may share one system of the provider's.
    form = {"url": connection.url, "secret_name": connection.secret_name}
    TicketConnection.objects.filter(pk=other.pk).update(secret_name=connection.secret_name)
    assert admin.post(address, form).status_code == 302


def test_what_an_ending_there_means_is_chosen(admin: Client, tenant: Tenant) -> None:
    connection = tenant.ticketing
    address = f"{at(tenant, 'tickets')}?system=freshservice"
    form = {"url": connection.url, "secret_name": connection.secret_name,
            "option_resolution_field": "ending", "option_unknown_verdict": "ask"}  # fmt: skip
    wrong = admin.post(address, {**form, "option_verdicts": "Duplicate: nonsense"})
    assert "has to be one of" in str(wrong.context["form"].errors["option_verdicts"])
    verdicts = "Duplicate: falsePositive\nSolved: truePositive"
    assert admin.post(address, {**form, "option_verdicts": verdicts}).status_code == 302
    connection.refresh_from_db()
    assert connection.options == {
        "resolution_field": "ending",
        "unknown_verdict": "ask",
        "verdicts": {"Duplicate": "falsePositive", "Solved": "truePositive"},
    }


def test_a_generic_system_needs_a_description(admin: Client, tenant: Tenant) -> None:
    address = f"{at(tenant, 'tickets')}?system=generic"
    form = {"url": "https://127.0.0.1:1", "secret_name": tenant.ticketing.secret_name}
    answer = admin.post(address, {**form, "description": "auth: {kind: token}"})
    assert answer.status_code == 422
    assert "check is missing" in str(answer.context["form"].errors)
    assert admin.post(address, form).context["form"].errors["description"]
    assert admin.get(f"{at(tenant, 'tickets')}?system=nonsense").status_code == 404


def test_the_webhook_is_shown_on_demand_and_audited(admin: Client, tenant: Tenant) -> None:
    path = f"/webhooks/tickets/{tenant.ticketing.public_id}/"
    assert path not in admin.get(at(tenant, "tickets")).content.decode()
    assert path in admin.post(at(tenant, "tickets"), {"do": "webhook"}).content.decode()
    assert facts_of(tenant, "push_keys_shown") == [{}]


def test_promises_are_kept(admin: Client, tenant: Tenant) -> None:
    form = {"auto_close": "dry", "high_touch": "15", "high_resolve": "240", "medium_touch": "120",
            "medium_resolve": "1440", "low_touch": "480", "low_resolve": "4320"}  # fmt: skip
    assert admin.post(at(tenant, "promises"), form).status_code == 302
    tenant.refresh_from_db()
    assert tenant.auto_close == "dry"
    assert tenant.sla == {"high": {"touch_minutes": 15, "resolve_minutes": 240}}
    answer = admin.post(at(tenant, "promises"), {**form, "high_resolve": "5"})
    assert "later than the first touch" in answer.content.decode()


def test_permissions_are_asked_and_consent_is_repeated(admin: Client, tenant: Tenant) -> None:
    page = admin.post(at(tenant, "permissions"), {"do": "check"})
    assert {row.state for row in page.context["table"].rows} == {"there"}
    answer = admin.post(at(tenant, "permissions"), {"do": "consent"})
    onboarding = Onboarding.objects.get(tenant=tenant)
    assert answer.headers["Location"] == f"/onboarding/{onboarding.public_id}/consent/"
    assert onboarding.finished_at is not None


def test_who_may_not_onboard_begins_no_consent(sign_in, tenant: Tenant) -> None:
    own = sign_in("admin", tenant)
    assert "Consent again" not in own.get(at(tenant, "permissions")).content.decode()
    assert own.post(at(tenant, "permissions"), {"do": "consent"}).status_code == 404
    assert not Onboarding.objects.filter(tenant=tenant).exists()


def test_new_promises_hold_for_what_is_open(sign_in, world: World) -> None:
    form = {"auto_close": "off", "high_touch": "1", "high_resolve": "2", "medium_touch": "120",
            "medium_resolve": "1440", "low_touch": "480", "low_resolve": "4320"}  # fmt: skip
    case, qa = world.cases["qa"], world.tenants["qa"]

    def due() -> datetime | None:
        with granted([qa.pk]):
            return QueueEntry.objects.get(public_id=case.public_id).due_at

    before = due()
    assert before is not None
    assert sign_in("lead", qa).post("/tenants/qa/setup/promises/", form).status_code == 302
    after = due()
    assert after is not None
    assert after < before


@pytest.mark.parametrize("role", ["viewer", "analyst", "lead"])
def test_each_tab_needs_its_right(role: str, sign_in, world: World) -> None:
    client = sign_in(role, world.tenants["qa"])
    for tab in ("general", "permissions", "tickets", "end"):
        assert client.get(f"/tenants/qa/setup/{tab}/").status_code == 404
        assert client.post(f"/tenants/qa/setup/{tab}/", {}).status_code == 404
    expected = 200 if role == "lead" else 404
    assert client.get("/tenants/qa/setup/promises/").status_code == expected
    assert client.get("/tenants/qa/export.jsonl").status_code == 404
    assert client.post("/tenants/qa/end/", {"do": "stop"}).status_code == 404


def upload(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("vips.csv", text.encode(), "text/csv")


def test_vips_come_by_a_list_that_is_not_kept(admin: Client, tenant: Tenant) -> None:
    form = {"do": "class", "name": "Board", "kind": "vip", "holds": "people"}
    listed = "upn\nada.lovelace@contoso.example\nnonsense\n"
    answer = admin.post(at(tenant, "assets"), {**form, "members": upload(listed)}, follow=True)
    page = answer.content.decode()
    assert "1 members are in the class now" in page
    assert "Board" in page
    assert "lovelace" not in page
    for wrong, told in (
        ({}, "Give a list"),
        ({"members": upload("x"), "group": str(uuid.uuid4())}, "Give a list"),
        ({"group": "seven"}, "object id of the group"),
        ({"kind": "vip", "holds": "devices", "name": "Servers", "members": upload("pc-1")},
         "VIPs are people"),
    ):  # fmt: skip
        answer = admin.post(at(tenant, "assets"), {**form, **wrong})
        assert answer.status_code == 422
        assert told in str(answer.context["class_form"].errors)
    with scope(tenant):
        found = AssetClass.objects.get()
    admin.post(at(tenant, "assets"), {"do": "remove", "class": str(found.public_id)})
    with scope(tenant):
        assert not AssetClass.objects.exists()
    assert facts_of(tenant, "asset_class_changed") == [{"kind": "vip"}]


def test_a_list_that_does_not_fit_into_memory_is_not_taken(admin: Client, tenant: Tenant) -> None:
    form = {"do": "class", "name": "Board", "kind": "vip", "holds": "people"}
    answer = admin.post(at(tenant, "assets"), {**form, "members": upload("a" * 2_200_000)})
    assert answer.status_code == 422


def test_points_differ_by_tenant(admin: Client, tenant: Tenant) -> None:
    assert admin.post(at(tenant, "priority"), {"vip": "30", "no_mfa": ""}).status_code == 302
    tenant.refresh_from_db()
    assert tenant.priority_weights == {"vip": 30}
    answer = admin.post(at(tenant, "priority"), {"vip": "-5"})
    assert "lower the priority" in str(answer.context["form"].errors)


# --- the end -------------------------------------------------------------------------------------


def test_an_end_needs_proof_of_who_it_is(admin: Client, tenant: Tenant) -> None:
    """Signed in an hour ago is not enough."""
    PortalSession.objects.update(signed_in_at=timezone.now() - timedelta(hours=1))
    answer = admin.post(f"/tenants/{tenant.slug}/end/", {"do": "erase", "typed": tenant.slug})
    assert answer.status_code == 200
    tenant.refresh_from_db()
    assert tenant.state == "active"


def test_off_boarding_stops_and_erasing_forgets(admin: Client, tenant: Tenant) -> None:
    fill(tenant, 2)
    end = f"/tenants/{tenant.slug}/end/"
    assert admin.post(end, {"do": "stop"}).status_code == 302
    tenant.refresh_from_db()
    assert (tenant.state, tenant.next_poll_at) == ("offboarded", None)
    answer = admin.post(end, {"do": "erase", "typed": "another"})
    assert answer.status_code == 422
    assert Tenant.objects.filter(pk=tenant.pk).exists()
    assert admin.post(end, {"do": "erase", "typed": tenant.slug}).headers["Location"] == "/tenants/"
    assert not Tenant.objects.filter(pk=tenant.pk).exists()
    assert not TicketConnection.objects.filter(tenant_id=tenant.pk).exists()
    assert audited().filter(action="tenant_erased").exists()


def test_the_export_holds_what_is_stored(sign_in, world: World, monkeypatch) -> None:
    tenant = world.tenants["qa"]
    monkeypatch.setattr("csc_portal.tenant_export.AT_ONCE", 2)
    now = timezone.now()
    with scope(tenant):
        for cve in ("CVE-2020-1472", "CVE-2021-44228"):
            Weakness.objects.create(
                cve=cve, severity=4, exposed=1, generation=1, first_seen_at=now, read_at=now
            )
        ScoreDay.objects.create(day=now.date(), current=1, most=2, read_at=now)
        settle("score_dropped", [Found("score", 3, "It fell")], now)
    customer = User.objects.create_user("ciso@contoso.example")
    Grant.objects.create(user=customer, tenant=tenant, role="customer_ciso")
    record(customer.username, "searched", tenant)
    client = sign_in("admin")
    answer = client.get("/tenants/qa/export.jsonl")
    assert answer["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    kinds = {line["kind"] for line in lines}
    assert {"tenant", "case", "alert", "entity", "audit", "finding", "score_day"} <= kinds
    actors = {line["actor"] for line in lines if line["kind"] == "audit"}
    assert {SOMEBODY, customer.username} <= actors
    assert client.person.username not in str(lines), "who works at the provider is not told"
    assert sum(line["kind"] == "weakness" for line in lines) == 2
    with scope(tenant):
        assert sum(line["kind"] == "case" for line in lines) == Case.objects.count()
        assert sum(line["kind"] == "named" for line in lines) == AlertEntity.objects.count() > 2
    text = json.dumps(lines)
    assert "qatest" not in text
    assert tenant.credential_secret not in text
    assert facts_of(tenant, "tenant_exported") == [{}]
