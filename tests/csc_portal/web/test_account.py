"""Signing in and out, guesses, headers, and what a user sets for themselves."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from csc_portal.web.throttle import ONE_NAME
from tenants.models import Grant, User
from tests.audit import audited
from tests.csc_portal.web.conftest import World

PASSWORD = "correct horse battery"


@pytest.fixture
def person(simulator, db) -> User:
    user = User.objects.create_user(f"p-{uuid.uuid4().hex[:8]}", password=PASSWORD)
    Grant.objects.create(user=user, tenant=None, role="analyst")
    return user


def somewhere() -> str:
    """An address in a network that nobody guessed from before."""
    return f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::1"


def enter(client: Client, name: str, password: str, **more: str):  # type: ignore[no-untyped-def]
    return client.post(
        "/account/login/", {"username": name, "password": password}, REMOTE_ADDR=somewhere(),
        **more,
    )  # fmt: skip


def test_signing_in_gives_the_session_a_new_key(client: Client, person: User) -> None:
    client.get("/account/login/")
    client.session.save()
    before = client.session.session_key
    assert enter(client, person.username, PASSWORD).status_code == 302
    assert client.session.session_key != before
    assert audited().filter(action="signed_in", actor=person.username).exists()


def test_a_wrong_name_and_a_wrong_password_look_alike(client: Client, person: User) -> None:
    told = []
    for name in (person.username, "nobody-of-that-name"):
        shown = enter(client, name, "wrong").content.decode()
        told.append(shown.partition('role="alert">')[2].partition("</div>")[0])
    assert told[0] == told[1] == "The user name or the password is wrong."


def test_guessing_is_stopped(client: Client, person: User) -> None:
    place = {"REMOTE_ADDR": somewhere()}
    fields = {"username": person.username.upper(), "password": "wrong"}
    for _ in range(ONE_NAME.amount):
        client.post("/account/login/", fields, **place)
    fields["password"] = PASSWORD
    fields["username"] = person.username
    shown = client.post("/account/login/", fields, **place)
    assert "Too many wrong passwords. Try again in" in shown.content.decode()
    assert audited().filter(action="sign_in_locked").count() == 1
    # From elsewhere the right password still opens.
    assert enter(client, person.username, PASSWORD).status_code == 302


def test_the_right_password_forgets_wrong_ones(client: Client, person: User) -> None:
    place = {"REMOTE_ADDR": somewhere()}
    for password in ["wrong"] * (ONE_NAME.amount - 1) + [PASSWORD] + ["wrong"] * 3 + [PASSWORD]:
        fields = {"username": person.username, "password": password}
        answer = client.post("/account/login/", fields, **place)
    assert answer.status_code == 302


def test_signing_out_is_a_post(client: Client, person: User) -> None:
    client.force_login(person)
    assert client.get("/account/logout/").status_code == 405
    assert client.post("/account/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_a_sign_in_leads_nowhere_else(client: Client, person: User) -> None:
    fields = {"username": person.username, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/account/login/", fields).headers["Location"] == "/home/"


def test_headers(client: Client, person: User) -> None:
    for _ in range(2):
        answer = client.get("/account/login/" if not client.session.keys() else "/")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in answer.headers["Permissions-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]
        client.force_login(person)


def test_no_page_has_script_or_style_of_its_own(sign_in, world: World) -> None:
    client, case = sign_in("admin"), world.cases["qa"].public_id
    for place in ("/", f"/cases/{case}/", "/chain/", "/tenants/", "/health/", "/audit/"):
        shown = client.get(place).content.decode()
        assert "<style" not in shown, place
        assert " style=" not in shown, place
        assert " onclick=" not in shown, place
        for part in shown.split("<script")[1:]:
            assert part.partition(">")[0].strip().startswith("src="), place


def test_choices_are_kept(sign_in, world: World) -> None:
    client = sign_in("analyst")
    client.post("/account/preference/", {"theme": "dark", "next": "/chain/"})
    client.post("/account/preference/", {"theme": "nonsense", "density": "compact"})
    client.post("/account/preference/", {"single_keys": "off"})
    shown = client.get("/").content.decode()
    assert 'data-theme="dark"' in shown
    assert 'data-density="compact"' in shown
    assert 'data-single-keys="off"' in shown


def test_the_scope_is_kept_and_every_page_obeys_it(sign_in, world: World) -> None:
    client = sign_in("analyst")
    answer = client.post("/scope/", {"slug": ["qa"], "next": "/chain/?x=1&tenant=third"})
    assert answer.headers["Location"] == "/chain/?x=1&tenant=qa"
    for place in ("/?severity=any", "/tenants/", "/health/"):
        shown = client.get(place).content.decode()
        assert "QATEST" not in shown.partition('id="main"')[2], place
    assert client.get("/?severity=any").content.decode().count('class="case-row') == 3
    assert client.get("/?severity=any&tenant=all").content.decode().count('class="case-row') == 9
    client.post("/scope/", {"next": "//evil.example/"})
    assert client.get("/?severity=any").content.decode().count('class="case-row') == 9
