"""A real browser signs in by each way, proves itself again, and is signed out."""

from __future__ import annotations

import base64
import re
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from playwright.sync_api import Browser, Page, expect

from csc_portal.embedded.processes import free_port
from simulator import Simulator
from tenants import totp
from tenants.models import AuditEntry, EntraMapping, PortalSession, User
from tests.browser.conftest import PASSWORD, _answers
from tests.browser.test_access import faults
from tests.lab import Processes, wait_for

LOCAL, ENTRA = "browse-local", "browse-entra@provider.example"


@pytest.fixture(scope="module")
def door(simulator, django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[str]:
    """A portal without a tenant: people come in all the same."""
    port = free_port(0)
    processes = Processes(tmp_path_factory.mktemp("door-logs"))
    # Playwright's loop runs in this thread; the database is used beside it, never inside.
    patch = pytest.MonkeyPatch()
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with django_db_blocker.unblock():
        try:
            bind = ["--bind", f"127.0.0.1:{port}", "--threads", "4"]
            processes.start("web", [sys.executable, "-m", "gunicorn", "csc_portal.wsgi", *bind])
            url = f"http://localhost:{port}"
            wait_for(lambda: _answers(f"{url}/readyz"), 60, "the portal answers")
            yield url
        finally:
            processes.stop()
            User.objects.filter(username__in=[LOCAL, ENTRA]).delete()
            connection.close()
            patch.undo()


@pytest.fixture
def window(browser: Browser, door: str) -> Iterator[Page]:
    """A fresh one, at a host name: passkeys know no numbers."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        base_url=door,
        ignore_https_errors=True,  # the simulator has its own authority
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []


@pytest.fixture
def local(door: str) -> Iterator[User]:
    user = User.objects.create_user(LOCAL, password=PASSWORD, preferences={"tour": "done"})
    user.grants.create(role="admin")
    yield user
    user.delete()


def type_password(page: Page) -> None:
    page.goto("/account/login/")
    page.get_by_label("Username").fill(LOCAL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def at_microsoft(page: Page, simulator: Simulator, name: str) -> None:
    word = next(one["password"] for one in simulator.control.staff() if one["username"] == name)
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(word)
    page.get_by_role("button", name="Sign in").click()


def make_stale(name: str) -> None:
    """As if the sign-in was half an hour ago."""
    rows = PortalSession.objects.filter(user__username=name)
    rows.update(signed_in_at=F("signed_in_at") - timedelta(minutes=30))


def test_with_microsoft(window: Page, simulator: Simulator, door: str) -> None:
    name = ENTRA
    simulator.control.set_person(name, roles=["Browse.Admin"], name="Bea Browser")
    mapping = EntraMapping.objects.create(kind="app_role", value="Browse.Admin", role="admin")
    window.goto("/tenants/")
    window.get_by_role("link", name="Sign in with Microsoft").click()
    at_microsoft(window, simulator, name)
    expect(window.get_by_role("heading", name="Tenants")).to_be_visible()
    assert faults(window) == []
    window.goto("/account/security/")
    expect(window.get_by_text("You sign in with your Microsoft account")).to_be_visible()

    # Something dangerous, long after the sign-in: Microsoft asks again, in another window.
    make_stale(name)
    window.goto("/settings/sign-in/")
    window.get_by_label("App role's value").fill("Browse.Viewer")
    window.get_by_role("button", name="Add", exact=True).click()
    expect(window.get_by_role("heading", name="Is it you?")).to_be_visible()
    assert faults(window) == []
    with window.expect_popup() as opened:
        window.get_by_role("link", name="Sign in with Microsoft again").click()
    at_microsoft(opened.value, simulator, name)
    expect(opened.value.get_by_role("heading", name="Confirmed")).to_be_visible()
    opened.value.close()
    window.get_by_role("button", name="Go on").click()
    expect(window.get_by_role("cell", name="Browse.Viewer", exact=True)).to_be_visible()

    # An administrator ends the session: the next click is the last.
    PortalSession.objects.filter(user__username=name).delete()
    window.goto("/tenants/")
    expect(window.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(window.get_by_text("Your session has ended")).to_be_visible()
    EntraMapping.objects.filter(value__startswith="Browse.").delete()
    assert not mapping.identities.exists()


def test_an_app_and_a_recovery_code(window: Page, local: User, door: str) -> None:
    type_password(window)
    window.get_by_role("heading", name="Queue", exact=True).wait_for()
    window.goto("/account/security/")
    assert faults(window) == []
    window.get_by_role("button", name="Set up an app").click()
    assert faults(window) == []
    window.get_by_text("You can't scan it?").click()
    shown = window.locator(".account-secret").inner_text().replace(" ", "")
    secret = base64.b32decode(shown)
    code = totp.code_at(secret, int(time.time() // totp.STEP_S))
    window.get_by_label("The six digits").fill(code)
    window.get_by_role("button", name="Finish").click()
    codes = window.locator(".account-codes code").all_inner_texts()
    assert len(codes) == 10
    window.get_by_role("link", name="I have kept them").click()
    window.get_by_role("button", name="Sign out everywhere").click()

    type_password(window)
    expect(window.get_by_role("heading", name="One more step")).to_be_visible()
    assert faults(window) == []
    window.get_by_label("Six digits").fill(code)  # used already
    window.get_by_role("button", name="Go on").click()
    expect(window.get_by_text("wrong or was used already")).to_be_visible()
    window.get_by_label("Six digits").fill(codes[3])
    window.get_by_role("button", name="Go on").click()
    expect(window.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
    assert PortalSession.objects.filter(user=local, method="password+recovery").count() == 1


def test_a_passkey(window: Page, local: User, door: str) -> None:
    devtools = window.context.new_cdp_session(window)
    devtools.send("WebAuthn.enable")
    device = devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )["authenticatorId"]  # fmt: skip
    type_password(window)
    window.get_by_role("heading", name="Queue", exact=True).wait_for()
    window.goto("/account/security/")
    window.get_by_label("Name of the new passkey").fill("Virtual <b>key</b>")
    window.get_by_role("button", name="Add a passkey").click()
    window.get_by_role("link", name="I have kept them").click()
    expect(window.get_by_text("Virtual <b>key</b>")).to_be_visible()
    assert faults(window) == []

    # Alone, without a name or password.
    window.get_by_role("button", name="Sign out everywhere").click()
    window.get_by_role("button", name="Use a passkey").click()
    expect(window.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
    assert local.passkeys.get().sign_count > 1

    # Instead of the password, before something dangerous; and as a second factor.
    make_stale(LOCAL)
    window.goto("/account/security/")
    window.get_by_role("button", name="Make new codes").click()
    window.get_by_role("button", name="Use a passkey").click()
    window.get_by_role("link", name="I have kept them").click()
    window.get_by_role("button", name="Sign out everywhere").click()
    type_password(window)
    window.get_by_role("button", name="Use a passkey").click()
    expect(window.get_by_role("heading", name="Queue", exact=True)).to_be_visible()

    # A device that does not verify the person opens nothing; nor one that is not known any more.
    window.goto("/account/security/")
    window.get_by_role("button", name="Remove the passkey").click()
    window.get_by_role("button", name="Sign out everywhere").click()
    window.get_by_role("button", name="Use a passkey").click()
    expect(window.get_by_text("The passkey was not accepted")).to_be_visible()
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    window.goto("/account/login/")
    window.get_by_role("button", name="Use a passkey").click()
    expect(window.get_by_text("No passkey was used")).to_be_visible()
    assert AuditEntry.objects.filter(action="factor_removed", actor=LOCAL).count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_of_it_can_be_used_by_everybody(
    browser: Browser, door: str, local: User, theme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, base_url=door, color_scheme=theme
    )
    page = context.new_page()
    found: dict[str, object] = {}
    for place in ("/account/login/", "/account/microsoft/done/?state=x"):
        page.goto(place)
        found[place] = faults(page)
    type_password(page)
    page.get_by_role("heading", name="Queue", exact=True).wait_for()
    for place in ("/account/security/", "/settings/sign-in/", "/settings/people/",
                  "/account/again/", "/account/microsoft/confirmed/"):  # fmt: skip
        page.goto(place)
        found[place] = faults(page)
        over = page.evaluate("document.documentElement.scrollWidth") - 390
        found[f"{place} is too wide"] = [over] if over > 0 else []
    context.close()
    assert not {place: told for place, told in found.items() if told}


def test_the_names_of_the_ways(window: Page, door: str) -> None:
    window.goto("/account/login/?next=/chain/")
    link = window.get_by_role("link", name="Sign in with Microsoft")
    assert re.search(r"next=%2Fchain%2F", link.get_attribute("href") or "")
