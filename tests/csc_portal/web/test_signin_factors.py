"""Second factors of local accounts: an app, recovery codes, and who needs one."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from typing import Any

import cbor2
import pytest
from django.test import Client
from webauthn.helpers import bytes_to_base64url

from csc_portal.passkeys import BadPasskey, Place, add
from csc_portal.web.throttle import ONE_ACCOUNT, ONE_NAME
from simulator import Simulator
from tenants import totp
from tenants.factors import SIGN_IN_KEY, check_totp, pending_totp
from tenants.grants import Where, give
from tenants.models import Grant, RecoveryCode, TotpDevice, User
from tenants.secrets import vault
from tests.audit import audited
from tests.csc_portal.web.signin_lab import PASSWORD, is_in, somewhere, told, window

P256 = {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)}


@pytest.fixture
def user(simulator: Simulator, db: None, quick_passwords: None) -> User:
    found = User.objects.create_user(f"l-{uuid.uuid4().hex[:8]}", password=PASSWORD)
    Grant.objects.create(user=found, role="admin")
    return found


def enter(client: Client, user: User, **more: str) -> Any:
    fields = {"username": user.username, "password": PASSWORD, **more}
    return client.post("/account/login/", fields)


def enrol(user: User) -> tuple[bytes, list[str]]:
    """Set an app up by the pages; its secret, and the recovery codes that were shown."""
    client = window()
    enter(client, user)
    assert client.post("/account/totp/begin/").headers["Location"] == "/account/totp/"
    secret = pending_totp(user)
    assert secret is not None
    shown = client.post("/account/totp/", {"code": digits(secret)}).content.decode()
    return secret, re.findall(r"<code>(\w{5}-\w{5})</code>", shown)


def digits(secret: bytes, steps: int = 0) -> str:
    return totp.code_at(secret, int(time.time() // totp.STEP_S) + steps)


def actions(user: User) -> list[str]:
    rows = audited().filter(actor=user.username).order_by("pk")
    return list(rows.values_list("action", flat=True))


def test_setting_up_an_app(user: User) -> None:
    client = window()
    enter(client, user)
    client.post("/account/totp/begin/")
    page = client.get("/account/totp/").content.decode()
    assert "<svg" in page
    assert "style=" not in page
    secret = pending_totp(user)
    assert secret is not None
    assert totp.typed_secret(secret) in page
    wrong = client.post("/account/totp/", {"code": "000000"})
    assert "digits are wrong" in wrong.content.decode()
    before = client.session.session_key
    shown = client.post("/account/totp/", {"code": digits(secret)}).content.decode()
    assert len(re.findall(r"<code>\w{5}-\w{5}</code>", shown)) == 10
    assert client.session.session_key != before, "a new key after what opens the account changed"
    assert {"factor_added", "recovery_codes_made"} <= set(actions(user))


def test_the_secret_is_sealed_and_bound_to_its_user(user: User) -> None:
    secret, codes = enrol(user)
    row = TotpDevice.objects.get(user=user)
    assert secret not in bytes(row.sealed)
    other = User.objects.create_user(f"o-{uuid.uuid4().hex[:8]}")
    copied = TotpDevice.objects.create(user=other, sealed=row.sealed, confirmed_at=row.confirmed_at)
    with pytest.raises(ValueError, match="opens what it sealed"):
        check_totp(copied.user, digits(secret), row.created_at)
    kept = RecoveryCode.objects.filter(user=user).values_list("digest", flat=True)
    assert not any(code.replace("-", "") in digest for code in codes for digest in kept)


def test_a_new_key_in_the_vault_opens_what_the_old_one_sealed(
    simulator: Simulator, user: User
) -> None:
    secret, _ = enrol(user)
    simulator.control.set_secret(SIGN_IN_KEY, "A" * 43 + "=")
    vault().forget(SIGN_IN_KEY)
    client = window()
    enter(client, user)
    client.post("/account/login/second/", {"code": digits(secret, 1)})
    assert is_in(client)


def test_the_digits_are_asked_for_and_serve_once(user: User) -> None:
    secret, _ = enrol(user)
    client = window()
    answer = enter(client, user, next="/chain/")
    assert answer.headers["Location"] == "/account/login/second/"
    assert not is_in(client), "the password alone opens nothing"
    assert client.get("/account/totp/").status_code == 302
    typed = digits(secret, 1)
    answer = client.post("/account/login/second/", {"code": typed})
    assert answer.headers["Location"] == "/chain/"
    assert is_in(client)
    thief = window()
    enter(thief, user)
    replayed = thief.post("/account/login/second/", {"code": typed})
    assert "wrong or was used already" in replayed.content.decode()
    assert not is_in(thief)
    assert actions(user).count("sign_in_failed") == 1


def test_the_second_step_needs_the_first(user: User) -> None:
    secret, codes = enrol(user)
    for typed in (digits(secret, 1), codes[0]):
        answer = window().post("/account/login/second/", {"code": typed})
        assert answer.headers["Location"] == "/account/login/"


def test_the_first_step_is_over_after_some_minutes(user: User) -> None:
    secret, _ = enrol(user)
    client = window()
    enter(client, user)
    session = client.session
    session["second_factor"] = {**session["second_factor"], "at": time.time() - 301}
    session.save()
    client.post("/account/login/second/", {"code": digits(secret, 1)})
    assert not is_in(client)


def test_a_changed_password_voids_a_first_step(user: User) -> None:
    secret, _ = enrol(user)
    client = window()
    enter(client, user)
    user.set_password("something else entirely")
    user.save()
    client.post("/account/login/second/", {"code": digits(secret, 1)})
    assert not is_in(client)


def test_a_recovery_code_opens_once(user: User) -> None:
    _, codes = enrol(user)
    for typed, opens in ((codes[0].lower().replace("-", " "), True), (codes[0], False),
                         (codes[1], True)):  # fmt: skip
        client = window()
        enter(client, user)
        client.post("/account/login/second/", {"code": typed})
        assert is_in(client) is opens
    assert RecoveryCode.objects.filter(user=user, used_at=None).count() == 8


def test_new_codes_void_the_old_ones(user: User) -> None:
    secret, codes = enrol(user)
    client = window()
    enter(client, user)
    client.post("/account/login/second/", {"code": digits(secret, 1)})
    client.post("/account/recovery/")
    late = window()
    enter(late, user)
    late.post("/account/login/second/", {"code": codes[0]})
    assert not is_in(late)


def test_guessing_digits_locks_the_account_from_wherever(user: User) -> None:
    secret, _ = enrol(user)
    for number in range(ONE_ACCOUNT.amount):
        client = window()  # each from a network of its own
        enter(client, user)
        client.post("/account/login/second/", {"code": f"{number:06d}"})
    client = window()
    enter(client, user)
    answer = client.post("/account/login/second/", {"code": digits(secret, 1)})
    assert "Too many wrong codes" in told(answer)
    assert not is_in(client)
    assert audited().filter(action="sign_in_locked").exists()


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"rawId": 5}', '{"rawId": ' + "[" * 5000])
def test_what_is_no_passkey(simulator: Simulator, db: None, answer: str) -> None:
    client = window()
    client.post("/account/challenge/")
    page = client.post("/account/login/passkey/", {"answer": answer})
    assert "The passkey was not accepted" in told(page)
    assert not is_in(client)


@pytest.mark.parametrize(
    ("statement", "key"),
    [
        ({"fmt": "none", "attStmt": {}}, {}),
        ({"fmt": "none", "attStmt": {}}, {1: 2, 3: -7}),
        ({"fmt": "none", "attStmt": {}}, 7),
        ({"fmt": "packed", "attStmt": {"alg": -7, "sig": b"x", "x5c": True}}, P256),
        ({"fmt": "fido-u2f", "attStmt": {"sig": b"x", "x5c": {"x": 1}}}, P256),
        ({"fmt": "android-safetynet", "attStmt": {"ver": "1", "response": [1]}}, P256),
    ],
)
def test_a_device_that_sends_anything_adds_nothing(db: None, statement: Any, key: Any) -> None:
    user, challenge = User.objects.create_user("hostile"), b"x" * 32
    about = hashlib.sha256(b"localhost").digest() + b"\x45" + bytes(4 + 16) + b"\0\1c"
    said = {"type": "webauthn.create", "origin": "http://localhost"}
    said["challenge"] = bytes_to_base64url(challenge)
    made = cbor2.dumps({**statement, "authData": about + cbor2.dumps(key)})
    response = {"clientDataJSON": json.dumps(said).encode(), "attestationObject": made}
    answer = {
        "id": "Yw", "rawId": "Yw", "type": "public-key",
        "response": {name: bytes_to_base64url(value) for name, value in response.items()},
    }  # fmt: skip
    with pytest.raises(BadPasskey):
        add(user, Place("localhost", "http://localhost"), json.dumps(answer), challenge, "x")


def test_a_proxy_is_believed_only_if_it_is_ours(user: User, settings: Any) -> None:
    def guess(client: Client, forwarded: str) -> str:
        fields = {"username": user.username, "password": "wrong"}
        answer = client.post("/account/login/", fields, HTTP_X_FORWARDED_FOR=forwarded)
        return told(answer)

    client = window()
    for _ in range(ONE_NAME.amount):
        guess(client, somewhere())
    assert "Too many" in guess(client, somewhere()), "the header changes nothing"
    settings.PORTAL_PROXIES = 1
    proxy = window()
    for _ in range(ONE_NAME.amount + 1):
        # What lies before the last hop is written by the guesser.
        text = guess(proxy, f"{somewhere()}, 198.51.100.{int(user.pk) % 250 + 1}")
    assert "Too many" in text
    assert "Too many" not in guess(proxy, "203.0.113.77")


class TestRequired:
    @pytest.fixture(autouse=True)
    def required(self, settings: Any) -> None:
        settings.LOCAL_SECOND_FACTOR = "required"

    def test_nothing_opens_before_one_is_set_up(self, user: User) -> None:
        client = window()
        enter(client, user)
        for place in ("/", "/tenants/", "/settings/sign-in/", "/queue/changes/"):
            assert client.get(place).headers["Location"] == "/account/security/", place
        assert "needs a second factor" in client.get("/account/security/").content.decode()
        client.post("/account/totp/begin/")
        secret = pending_totp(user)
        assert secret is not None
        client.post("/account/totp/", {"code": digits(secret)})
        assert client.get("/").status_code == 200

    def test_removing_the_last_one_closes_again(self, user: User) -> None:
        secret, _ = enrol(user)
        client = window()
        enter(client, user)
        client.post("/account/login/second/", {"code": digits(secret, 1)})
        assert client.get("/").status_code == 200
        client.post("/account/totp/remove/")
        assert client.get("/").headers["Location"] == "/account/security/"
        assert "factor_removed" in actions(user)


def test_an_admin_resets_what_somebody_lost(user: User) -> None:
    secret, _ = enrol(user)
    lost = window()
    enter(lost, user)
    lost.post("/account/login/second/", {"code": digits(secret, 1)})
    admin = User.objects.create_user(f"a-{uuid.uuid4().hex[:8]}", password=PASSWORD)
    give("test", admin, "admin", Where())
    boss = window()
    enter(boss, admin)
    assert user.username in boss.get("/settings/people/").content.decode()
    boss.post(f"/settings/people/{user.pk}/reset/")
    assert not is_in(lost), "its sessions are over"
    assert not TotpDevice.objects.filter(user=user).exists()
    entry = audited().get(action="factors_reset")
    assert (entry.actor, entry.subject) == (admin.username, f"user {user.pk}")


def test_without_the_key_the_page_says_what_to_do(simulator: Simulator, user: User) -> None:
    client = window()
    enter(client, user)
    order = simulator.control.fault("status", path=f"/secrets/{SIGN_IN_KEY}", count=-1, status=404)
    vault().forget(SIGN_IN_KEY)
    client.post("/account/totp/begin/")
    assert "csc-sign-in-key" in client.get("/account/security/").content.decode()
    simulator.control.clear_faults(order)
    vault().forget(SIGN_IN_KEY)
