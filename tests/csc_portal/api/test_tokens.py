"""Tokens of the provider's directory as the second way in: which open what, and which nothing."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

import msal
import pytest
import requests
from django.utils import timezone

from clients.errors import Unavailable
from clients.microsoft.signing_keys import SigningKeys
from csc_portal.api.authentication import opened_by
from csc_portal.api.keys import BadKey, NewKey, again, create_key, revoke_key, scopes_of
from csc_portal.own_directory import issuer_of
from simulator import Simulator
from tenants.models import ApiKey, Grant, User
from tests.audit import audited
from tests.csc_portal.api.conftest import Caller, signed, token_for
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.signin_lab import configure

PROGRAM = uuid.UUID("6f0a8f6e-1a55-4d0e-9d63-0b7f6c9a3c11")


@pytest.fixture
def row(simulator: Simulator, world: World, settings: Any) -> ApiKey:
    """PROGRAM may read cases of qa, and work on them."""
    configure(settings, simulator)
    robot = User.objects.create_user("robot", is_service=True)
    Grant.objects.create(user=robot, tenant=world.tenants["qa"], role="analyst")
    new = NewKey("SOAR", ["cases:read", "cases:write"], application=PROGRAM)
    key, whole = create_key(robot, new, actor="test", now=timezone.now())
    assert whole == ""
    return key


def test_the_token_and_the_row_have_to_agree(bearer_of, world: World) -> None:
    caller = bearer_of(
        "analyst", [world.tenants["qa"]], ["cases:read", "cases:write"],
        roles=["Cases.Read", "Tenants.Read", "CSC.Admin"],
    )  # fmt: skip
    own = caller.get("key").json()
    assert (own["tenants"], own["scopes"]) == (["qa"], ["cases:read"])
    assert own["prefix"].startswith("app_")
    path = f"cases/{world.cases['qa'].public_id}"
    assert caller.get(path).status_code == 200
    assert caller.post(f"{path}/actions", {"do": "start"}).status_code == 404  # not in the token
    assert caller.get("tenants").status_code == 404  # not in the row
    assert caller.get(f"cases/{world.cases['third'].public_id}").status_code == 404


def test_a_token_without_roles_opens_nothing(bearer_of, world: World) -> None:
    caller = bearer_of(roles=[])
    assert caller.get("key").json()["scopes"] == []
    assert caller.get("cases").status_code == 404


def test_msal_gets_in_with_a_token_of_either_version(row, simulator: Simulator) -> None:
    api = simulator.environment["OIDC_CLIENT_ID"]
    token_for(simulator, PROGRAM, ["Cases.Read"])
    session = requests.Session()
    session.trust_env, session.verify = False, str(simulator.ca_file)
    authority = f"{simulator.url}/{simulator.environment['OIDC_DIRECTORY']}"
    for version in (1, 2):
        simulator.control.application(api, token_version=version)
        app = msal.ConfidentialClientApplication(
            str(PROGRAM), authority=authority, client_credential="s3", instance_discovery=False,
            http_client=session,
        )  # fmt: skip
        token = app.acquire_token_for_client([f"api://{api}/.default"])["access_token"]
        assert Caller(None, token).get("key").json()["scopes"] == ["cases:read"], version


def test_whoever_has_no_row_stays_outside(row, simulator: Simulator) -> None:
    token = token_for(simulator, uuid.uuid4(), ["Cases.Read"])
    answer = Caller(None, token).get("cases")
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
    told = 'Bearer realm="CSC Portal", error="invalid_token", error_description="application"'
    assert answer.headers["WWW-Authenticate"] == told


SPOILT: dict[str, tuple[dict[str, Any], str]] = {
    "another audience": ({"aud": "api://other"}, "audience"),
    "Graph's audience": ({"aud": "https://graph.microsoft.com"}, "audience"),
    "another issuer": ({"iss": "https://evil.example/v2.0"}, "issuer"),
    "another directory's issuer": (
        {"iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/"}, "issuer",
    ),
    "another directory": ({"tid": str(uuid.uuid4())}, "directory"),
    "out of date": ({"exp": int(time.time()) - 400}, "time"),
    "not yet": ({"nbf": int(time.time()) + 4000}, "time"),
    "for ever": ({"exp": None}, "claim"),
    "a key of others": ({"kid": "unknown"}, "signature"),
    "a shared secret": ({"key": "a shared secret, which no public key is taken for"}, "algorithm"),
    "a person's": ({"scp": "access_as_user"}, "person"),
    "a person's roles": ({"sub": "s"}, "person"),
    "a user's by its type": ({"idtyp": "user"}, "person"),
    "an ID token": ({"azp": None, "azpacr": None, "nonce": "n"}, "program"),
    "a public client": ({"azpacr": "0"}, "program"),
    "no program": ({"azp": "everybody"}, "program"),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_wrong_with_a_token_is_told(how: str, row, simulator: Simulator) -> None:
    changes, why = SPOILT[how]
    answer = Caller(None, signed(simulator, PROGRAM, **changes)).get("cases")
    assert answer.status_code == 401
    assert f'error_description="{why}"' in answer.headers["WWW-Authenticate"]


def test_a_changed_signature_or_rubbish_opens_nothing(row, simulator: Simulator) -> None:
    head, body, mac = signed(simulator, PROGRAM).split(".")
    assert Caller(None, f"{head}.{body}.{mac}").get("cases").status_code == 200
    other = signed(simulator, PROGRAM, roles=["Cases.Write"]).split(".")[1]
    for odd in (f"{head}.{other}.{mac}", f"{head}.{body}.", "a.b.c", "..", f".{body}.", "é.é.é"):
        assert Caller(None, odd).get("cases").status_code == 401, odd


def test_a_row_that_ended_ends_the_program(row, simulator: Simulator) -> None:
    caller = Caller(row, signed(simulator, PROGRAM))
    assert caller.get("cases").status_code == 200
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert caller.get("cases").status_code == 401
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(days=1))
    User.objects.update(is_active=False)
    assert caller.get("cases").status_code == 401
    User.objects.update(is_active=True)
    assert caller.get("cases").status_code == 200
    revoke_key(row, actor="test", now=timezone.now())
    assert caller.get("cases").status_code == 401


def test_an_application_has_one_living_row(row) -> None:
    new, now = NewKey("Twice", ["cases:read"], application=PROGRAM), timezone.now()
    with pytest.raises(BadKey, match="known already"):
        create_key(row.owner, new, actor="test", now=now)
    later = now + timedelta(days=366)
    fresh, _ = create_key(row.owner, new, actor="test", now=later)
    row.refresh_from_db()
    assert (row.revoked_at, fresh.application) == (later, PROGRAM)
    made = audited().get(action="api_key_made", subject=f"key {fresh.prefix}")
    assert made.facts["application"] == str(PROGRAM)


def test_what_goes_on_stays_within_the_token(row, simulator: Simulator) -> None:
    """Exports and streams look at the key again."""
    token = signed(simulator, PROGRAM, roles=["Cases.Read"])
    key, now = opened_by(f"Bearer {token}", timezone.now()), timezone.now()
    assert key.expires_at < now + timedelta(hours=2) < row.expires_at
    later = again(key, now + timedelta(minutes=50))
    assert (scopes_of(later), later.expires_at) == (["cases:read"], key.expires_at)
    assert again(key, key.expires_at) is None
    assert again(row, key.expires_at) is not None
    revoke_key(row, actor="test", now=now)
    assert again(key, now) is None


def test_a_row_is_no_key(row) -> None:
    for sent in (row.prefix, f"{row.prefix}_{'x' * 43}", str(PROGRAM)):
        assert Caller(None, sent).get("cases").status_code == 401


def test_without_a_directory_no_token_is_taken(row, simulator: Simulator, settings) -> None:
    token = signed(simulator, PROGRAM)
    settings.OIDC_API_AUDIENCES = ["api://another"]
    assert "audience" in Caller(None, token).get("cases").headers["WWW-Authenticate"]
    settings.OIDC_API_AUDIENCES, settings.OIDC_CLIENT_ID = [], ""
    assert "audience" in Caller(None, token).get("cases").headers["WWW-Authenticate"]
    settings.OIDC_DIRECTORY = settings.OIDC_ISSUER = ""
    assert "settings" in Caller(None, token).get("cases").headers["WWW-Authenticate"]


def test_while_the_directory_is_away_it_is_not_the_programs_fault(
    row, simulator: Simulator
) -> None:
    token = signed(simulator, PROGRAM)
    issuer_of.cache_clear()
    fault = simulator.control.fault("status", service="entra", status=503, count=-1)
    answer = Caller(None, token).get("cases")
    simulator.control.clear_faults(fault)
    issuer_of.cache_clear()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert Caller(None, token).get("cases").status_code == 200


def key_set(simulator: Simulator, key_id: str) -> dict[str, Any]:
    address = f"{simulator.url}/common/discovery/v2.0/keys"
    [key] = requests.get(address, verify=str(simulator.ca_file), timeout=9).json()["keys"]
    return {"keys": [{**key, "kid": key_id}]}


def test_keys_are_followed_when_they_change(simulator: Simulator) -> None:
    now, asked = [0.0], []
    answers: list[Any] = [key_set(simulator, "old"), key_set(simulator, "new")]

    def read() -> object:
        asked.append(now[0])
        found = answers[0] if len(asked) == 1 else answers[1]
        if isinstance(found, Exception):
            raise found
        return found

    keys = SigningKeys(read, lambda: now[0])
    assert keys.key("old") is not None
    for _ in range(50):
        assert keys.key("made up") is None
    assert asked == [0.0]  # whoever makes ids up does not make the directory be asked
    now[0] = 61.0
    assert keys.key("new") is not None
    assert keys.key("old") is None
    assert asked == [0.0, 61.0]
    now[0], answers[1] = 61.0 + 24 * 3600, Unavailable("away")
    assert keys.key("new") is not None  # what is known serves on
    assert keys.key("other") is None
    assert len(asked) == 3  # and it is left alone for some seconds
    now[0] += 6
    assert keys.key("new") is not None
    assert len(asked) == 4


def test_a_directory_that_never_answered_is_a_fault() -> None:
    now, asked = [0.0], []

    def read() -> object:
        asked.append(now[0])
        raise Unavailable("away")

    keys = SigningKeys(read, lambda: now[0])
    for at in (0.0, 1.0, 6.0):
        now[0] = at
        with pytest.raises(Unavailable):
            keys.key("any")
    assert asked == [0.0, 6.0]
