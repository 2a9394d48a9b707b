"""Settings, API keys; and manage.py api_token."""

from __future__ import annotations

import json
import re
import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.models import ApiKey, User
from tests.audit import audited
from tests.csc_portal.api.conftest import Caller, signed
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.signin_lab import configure

PAGE = "/settings/api-keys/"
NEW = {"name": "SOAR", "scopes": ["cases:read", "tenants:read"], "places": ["qa"], "days": "30"}


def test_a_key_is_shown_once_and_revoked(sign_in, world: World) -> None:
    admin = sign_in("admin", world.tenants["qa"], world.tenants["qatest"])
    assert "No key yet" in admin.get(PAGE).content.decode()
    made = admin.post(PAGE, NEW)
    assert made.headers["Cache-Control"] == "no-store"
    [whole] = re.findall(r"csc_[0-9a-f]{8}_[\w-]{43}", made.content.decode())
    key = ApiKey.objects.get()
    caller = Caller(key, whole)
    assert caller.get("key").json()["tenants"] == ["qa"]
    listed = admin.get(PAGE).content.decode()
    assert key.prefix in listed
    assert whole not in listed
    assert "1 today" in listed
    other = sign_in("admin", world.tenants["qa"])
    assert key.prefix not in other.get(PAGE).content.decode()
    revoke = f"{PAGE}{key.public_id}/revoke/"
    assert other.post(revoke).status_code == 404
    assert admin.post(revoke).status_code == 302
    assert caller.get("key").status_code == 401
    actions = audited().filter(subject=f"key {key.prefix}").values_list("action", flat=True)
    assert set(actions) == {"api_key_made", "api_key_revoked"}


def test_nobody_gives_a_key_more_than_they_have(sign_in, world: World) -> None:
    customer = sign_in("customer_admin", world.tenants["qa"])
    page = customer.get(PAGE).content.decode()
    assert "cases:write" not in page
    assert "qatest" not in page
    for change in (
        {"scopes": ["cases:write"]},
        {"places": ["qatest"]},
        {"days": "366"},
        {"name": ""},
    ):
        assert customer.post(PAGE, {**NEW, **change}).status_code == 422
    assert sign_in("analyst", world.tenants["qa"]).get(PAGE).status_code == 404
    assert not ApiKey.objects.exists()


APP = {
    f"app-{name}": value
    for name, value in {**NEW, "application": "6f0a8f6e-1a55-4d0e-9d63-0b7f6c9a3c11"}.items()
}


def test_an_application_is_let_in_and_out(sign_in, world: World, simulator, settings) -> None:
    configure(settings, simulator)
    admin = sign_in("admin")
    page = admin.get(PAGE).content.decode()
    assert f"api://{settings.OIDC_CLIENT_ID}" in page
    assert "Cases.Write" in page
    assert admin.post(PAGE, {**APP, "app-application": "SOAR"}).status_code == 422
    assert admin.post(PAGE, APP).status_code == 302
    key = ApiKey.objects.get()
    caller = Caller(key, signed(simulator, key.application))
    assert caller.get("key").json()["tenants"] == ["qa"]
    assert str(key.application) in admin.get(PAGE).content.decode()
    again = admin.post(PAGE, APP)
    assert again.status_code == 422
    assert "known already" in again.content.decode()
    assert admin.post(f"{PAGE}{key.public_id}/revoke/").status_code == 302
    assert caller.get("key").status_code == 401


def test_only_the_provider_lets_applications_in(sign_in, world: World, simulator, settings) -> None:
    configure(settings, simulator)
    for role in ("admin", "customer_admin"):
        narrow = sign_in(role, world.tenants["qa"])
        assert "app-application" not in narrow.get(PAGE).content.decode()
        assert narrow.post(PAGE, APP).status_code == 404
    settings.OIDC_CLIENT_ID = ""
    assert sign_in("admin").post(PAGE, APP).status_code == 404
    assert not ApiKey.objects.exists()


def test_what_the_api_offers_is_told(sign_in, world: World) -> None:
    page = sign_in("viewer", world.tenants["qa"]).get("/settings/api/")
    text = page.content.decode()
    assert page.status_code == 200
    for part in ("/api/v1/cases/{id}/actions", "trusted_address", "cases:read", "Bearer csc_"):
        assert part in text
    assert "<script>" not in text
    assert 'style="' not in text


def test_many_keys_take_no_more_queries(sign_in, world: World) -> None:
    admin = sign_in("admin")

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(PAGE).status_code == 200
        return len(captured)

    for number in range(2):
        admin.post(PAGE, {**NEW, "name": f"Key {number}"})
    few = count()
    for number in range(5):
        admin.post(PAGE, {**NEW, "name": f"More {number}"})
    assert (few, count()) == (7, 7)


def test_the_command(world: World) -> None:
    def run(*words: str) -> dict:
        out = StringIO()
        call_command("api_token", *words, "--json", stdout=out)
        return json.loads(out.getvalue())

    with pytest.raises(CommandError, match="no user 'robot'"):
        run("robot", "--name", "x")
    made = run("robot", "--service", "--name", "Nightly", "--scope", "cases:read", "--days", "7")
    robot = User.objects.get(username="robot")
    assert (robot.is_service, robot.has_usable_password()) == (True, False)
    caller = Caller(None, made["key"])
    assert caller.get("key").json()["tenants"] == []
    call_command("grant", "robot", "qa", "viewer", stdout=StringIO())
    assert caller.get("key").json()["tenants"] == ["qa"]
    assert [key["prefix"] for key in run("robot")["keys"]] == [made["prefix"]]
    with pytest.raises(CommandError, match="no group 'x'"):
        run("robot", "--name", "x", "--group", "x")
    program = str(uuid.uuid4())
    app = run("robot", "--name", "SOAR", "--application", program, "--tenant", "qa")
    assert (app["application"], "key" in app) == (program, False)
    assert run("robot", "--revoke", app["prefix"])["revoked"] is True
    assert run("robot", "--revoke", made["prefix"])["revoked"] is True
    assert caller.get("key").status_code == 401
