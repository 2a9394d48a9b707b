"""`manage.py onboard`: what it makes, what it refuses."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection

from tenants.models import Tenant
from tests.csc_portal.commands.conftest import words_of
from tests.lab import Processes, reread

pytestmark = pytest.mark.usefixtures("committed")


def made() -> tuple[int, int, int]:
    """Tenants, schemas and roles: what a failed onboarding may not add to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_roles)"
        )
        return (Tenant.objects.count(), *cursor.fetchone())


# --- onboard --------------------------------------------------------------------------------------


def test_onboard_says_what_it_made(manage, given):
    done = manage(*words_of(given, "--json"))
    tenant = reread(given["slug"])
    assert done.code == 0
    assert done.json == {
        "tenant": given["slug"],
        "public_id": str(tenant.public_id),
        "schema": tenant.schema_name,
        "state": "onboarding",
        "warnings": [],
    }
    assert tenant.ticketing.secret_name == given["ticketing_secret"]
    again = manage(*words_of(given, "--enable"))
    assert again.code == 0
    assert "state: active" in again.out
    assert reread(given["slug"]).public_id == tenant.public_id


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"directory": "contoso.com"}, "no GUID"),
        ({"client_id": "1234"}, "no GUID"),
        ({"directory": str(uuid.UUID(int=7))}, "AADSTS90002"),
        ({"client_id": str(uuid.UUID(int=7))}, "AADSTS700016"),
        ({"credential_secret": "no-such-secret"}, "no secret named no-such-secret"),
        ({"ticketing_secret": "no-such-secret"}, "no secret named no-such-secret"),
        ({"slug": "admin"}, "reserved"),
        ({"slug": "Bad Slug"}, "small letters"),
        ({"name": " "}, "name"),
        ({"ticketing_url": "https://10.0.0.1"}, "private"),
    ],
    ids=lambda value: "=".join(*value.items())[:40] if isinstance(value, dict) else "",
)
def test_onboard_refuses_and_makes_nothing(manage, unmade, changes, said):
    before = made()
    done = manage(*words_of(unmade, "--enable", "--json", **changes))
    assert done.code == 1
    assert said in done.err
    assert done.out == ""
    assert made() == before


def test_onboard_knows_a_wrong_and_an_expired_secret(manage, unmade, simulator):
    control = simulator.control
    control.set_secret("wrong-secret", "mistyped")
    control.set_secret("old-secret", control.secret(unmade["credential_secret"]))
    control.rotate_app_secret(expire_old=True)
    before = made()
    for name, code in (("wrong-secret", "AADSTS7000215"), ("old-secret", "AADSTS7000222")):
        done = manage(*words_of(unmade, credential_secret=name))
        assert (done.code, made()) == (1, before)
        assert code in done.err


@pytest.mark.parametrize(("status", "said"), [(401, "API key"), (404, "address")])
def test_onboard_checks_the_ticket_system(manage, unmade, simulator, status, said):
    simulator.control.fault("status", service="freshservice", status=status, count=-1)
    before = made()
    done = manage(*words_of(unmade))
    simulator.control.clear_faults()
    assert (done.code, made()) == (1, before)
    assert said in done.err


def test_onboard_without_consent_warns_or_refuses(manage, given, simulator):
    simulator.control.configure(given["directory"], roles=None)
    before = made()
    refused = manage(*words_of(given, "--enable"))
    assert (refused.code, made()) == (1, before)
    assert "AADSTS700016" in refused.err
    waiting = manage(*words_of(given, "--json"))
    assert waiting.code == 0
    assert "consent" in waiting.json["warnings"][0]
    assert reread(given["slug"]).state == Tenant.State.ONBOARDING


def test_onboard_without_the_permission_warns_or_refuses(manage, given, simulator):
    simulator.control.configure(given["directory"], roles=["SecurityIncident.Read.All"])
    before = made()
    refused = manage(*words_of(given, "--enable"))
    assert (refused.code, made()) == (1, before)
    assert "403" in refused.err
    waiting = manage(*words_of(given, "--json"))
    assert waiting.code == 0
    assert any("SecurityAlert.Read" in text for text in waiting.json["warnings"])


def test_onboard_leaves_another_tenants_slug_and_directory_alone(manage, unmade, old):
    taken = manage(*words_of(unmade, slug=old))
    assert "taken" in taken.err
    twice = manage(*words_of(unmade, directory=str(reread(old).directory_id)))
    assert f"already onboarded as '{old}'" in twice.err
    assert not Tenant.objects.filter(slug=unmade["slug"]).exists()


def test_onboard_without_a_vault(unmade, tmp_path):
    """By a process of its own, because the vault's address is read once."""
    processes = Processes(tmp_path)
    done = processes.manage(*words_of(unmade), AZURE_KEY_VAULT_URL="https://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Key Vault" in done.stderr
    without = processes.manage(*words_of(unmade), AZURE_KEY_VAULT_URL="")
    assert without.returncode == 1
    assert without.stderr.startswith("CommandError: Set AZURE_KEY_VAULT_URL")
