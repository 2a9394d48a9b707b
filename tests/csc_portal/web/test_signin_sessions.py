"""Sessions: whose they are, when they end, and proof of who one is before what is dangerous."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from csc_portal.web.reauth import recent_login
from csc_portal.web.sessions import SessionStore, client_of
from simulator import Simulator
from tenants.models import EntraMapping, Grant, PortalSession, User
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.signin_lab import (
    PASSWORD,
    configure,
    is_in,
    person,
    role_mapping,
    sign_in,
    told,
    window,
)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def user(simulator: Simulator, db: None, quick_passwords: None) -> User:
    found = User.objects.create_user(f"s-{uuid.uuid4().hex[:8]}", password=PASSWORD)
    Grant.objects.create(user=found, role="admin")
    return found


def entered(user: User, **more: str) -> Client:
    client = window()
    client.post("/account/login/", {"username": user.username, "password": PASSWORD}, **more)
    assert is_in(client)
    return client


def row_of(client: Client) -> PortalSession:
    key = hashlib.sha256(client.cookies["csc"].value.encode()).hexdigest()[:40]
    return PortalSession.objects.get(session_key=key)


def move(client: Client, **ago: timedelta) -> None:
    """Set the session's clock back."""
    changes = {name: timezone.now() - by for name, by in ago.items()}
    PortalSession.objects.filter(pk=row_of(client).pk).update(**changes)


def make_stale(client: Client) -> None:
    """As if the sign-in was half an hour ago, with work ever since."""
    move(client, signed_in_at=timedelta(minutes=30))
    session = client.session
    session.pop("proved_at", None)
    session["signed_in_at"] = (timezone.now() - timedelta(minutes=30)).isoformat()
    session.save()


def test_the_row_says_whose_it_is_and_not_what_the_cookie_holds(user: User) -> None:
    client = entered(user, HTTP_USER_AGENT=FIREFOX)
    row = row_of(client)
    assert (row.user, row.method, row.client) == (user, "password", "Firefox on Linux")
    cookie = client.cookies["csc"].value
    assert not PortalSession.objects.filter(session_key__contains=cookie[:10]).exists()
    assert "Firefox on Linux" in client.get("/account/security/").content.decode()


def test_it_ends_when_nobody_does_anything(user: User) -> None:
    client = entered(user)
    move(client, seen_at=timedelta(minutes=59))
    assert is_in(client)
    move(client, seen_at=timedelta(minutes=61))
    answer = client.get("/tenants/", follow=True)
    assert answer.redirect_chain == [("/account/login/?next=/tenants/&ended=1", 302)]
    assert "Your session has ended" in answer.content.decode()


def test_htmx_is_sent_to_the_sign_in_and_does_not_show_it_in_the_page(user: User) -> None:
    client = entered(user)
    PortalSession.objects.filter(user=user).delete()
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/?status=any"}
    answer = client.get("/queue/changes/?seen=1:1:", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/account/login/?next=%2F%3Fstatus%3Dany&ended=1"


def test_work_keeps_it_open_and_a_page_that_refreshes_itself_does_not(user: User) -> None:
    client = entered(user)
    move(client, seen_at=timedelta(minutes=50))
    client.get("/queue/changes/?seen=1:1:")
    client.get("/health/heat/")
    assert timezone.now() - row_of(client).seen_at > timedelta(minutes=49)
    client.get("/tenants/")
    assert timezone.now() - row_of(client).seen_at < timedelta(minutes=1)


def test_it_ends_at_the_latest_after_twelve_hours_of_work(user: User) -> None:
    client = entered(user)
    move(client, signed_in_at=timedelta(hours=11, minutes=59))
    assert is_in(client)
    move(client, signed_in_at=timedelta(hours=12, minutes=1), seen_at=timedelta(0))
    assert not is_in(client)


def test_saving_something_does_not_make_it_younger(user: User) -> None:
    client = entered(user)
    session = client.session
    began, public_id = row_of(client).signed_in_at, row_of(client).public_id
    session["anything"] = 1
    session.save()
    assert (row_of(client).signed_in_at, row_of(client).public_id) == (began, public_id)


def test_ending_another_one_of_mine(user: User) -> None:
    here, there = entered(user), entered(user)
    here.post(f"/account/sessions/{row_of(there).public_id}/end/")
    assert is_in(here)
    assert not is_in(there)
    assert audited().filter(action="session_revoked", actor=user.username).count() == 1


def test_a_request_under_way_does_not_bring_an_ended_one_back(user: User) -> None:
    client = entered(user)
    store = SessionStore(client.cookies["csc"].value)
    assert store["method"] == "password"
    PortalSession.objects.filter(user=user).delete()
    store["late"] = 1
    with pytest.raises(UpdateError):
        store.save()
    assert not is_in(client)


def test_all_others_and_everywhere(user: User) -> None:
    here, there = entered(user), entered(user)
    here.post("/account/sessions/end/")
    assert (is_in(here), is_in(there)) == (True, False)
    there = entered(user)
    here.post("/account/sessions/end/", {"all": "1"})
    assert (is_in(here), is_in(there)) == (False, False)


def test_somebody_elses_session_does_not_exist(user: User) -> None:
    other = User.objects.create_user(f"t-{uuid.uuid4().hex[:8]}", password=PASSWORD)
    theirs = entered(other)
    answer = entered(user).post(f"/account/sessions/{row_of(theirs).public_id}/end/")
    assert answer.status_code == 404
    assert is_in(theirs)


def test_an_admin_ends_somebodys_sessions_at_once(user: User) -> None:
    other = User.objects.create_user(f"t-{uuid.uuid4().hex[:8]}", password=PASSWORD)
    theirs = entered(other)
    entered(user).post(f"/settings/people/{other.pk}/sign-out/")
    assert not is_in(theirs)


def test_a_new_password_ends_the_other_sessions(user: User) -> None:
    here, there = entered(user), entered(user)
    new = "another long enough word"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    before = here.session.session_key
    assert here.post("/account/password/", fields).status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)
    assert here.session.session_key != before


def test_what_is_over_is_forgotten(user: User) -> None:
    old, new = entered(user), entered(user)
    move(old, seen_at=timedelta(hours=2))
    kept = row_of(new).pk
    SessionStore.clear_expired()
    assert list(PortalSession.objects.filter(user=user).values_list("pk", flat=True)) == [kept]


@pytest.mark.parametrize(
    ("agent", "told"),
    [(FIREFOX, "Firefox on Linux"), ("", "A browser"), ("<script>", "A browser"),
     ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
     ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1", "Safari on iPhone")],
)  # fmt: skip
def test_a_browser_is_named_by_our_own_words(agent: str, told: str) -> None:
    assert client_of(agent) == told


class TestRecentLogin:
    """Before what is dangerous: show again who you are."""

    FIELDS = {"kind": "app_role", "value": "CSC.Late", "role": "viewer", "where": ""}

    def test_soon_after_the_sign_in_nothing_is_asked(self, user: User) -> None:
        assert entered(user).post("/settings/sign-in/", self.FIELDS).status_code == 302
        assert EntraMapping.objects.filter(value="CSC.Late").exists()

    def test_a_form_comes_back_with_what_was_posted_and_does_nothing(self, user: User) -> None:
        client = entered(user)
        make_stale(client)
        answer = client.post("/settings/sign-in/", self.FIELDS)
        shown = answer.content.decode()
        assert "Is it you?" in shown
        assert 'name="value" value="CSC.Late"' in shown
        assert 'action="/settings/sign-in/"' in shown
        assert not EntraMapping.objects.filter(value="CSC.Late").exists()
        kept = PortalSession.objects.get(pk=row_of(client).pk)
        assert "CSC.Late" not in str(SessionStore().decode(kept.session_data))

    def test_the_password_lets_it_go_on(self, user: User) -> None:
        client = entered(user)
        make_stale(client)
        before = client.session.session_key
        proof = {**self.FIELDS, "again": "1", "again-password": PASSWORD}
        assert client.post("/settings/sign-in/", proof).status_code == 302
        assert EntraMapping.objects.filter(value="CSC.Late").count() == 1
        assert client.session.session_key != before
        assert audited().filter(action="proved_again", actor=user.username).exists()

    def test_a_wrong_one_does_not_and_guessing_is_stopped(self, user: User) -> None:
        client = entered(user)
        make_stale(client)
        proof = {**self.FIELDS, "again": "1", "again-password": "wrong"}
        assert told(client.post("/settings/sign-in/", proof)) == "The password is wrong."
        for _ in range(5):
            answer = client.post("/settings/sign-in/", proof)
        assert "Too many wrong passwords" in told(answer)
        proof["again-password"] = PASSWORD
        client.post("/settings/sign-in/", proof)
        assert not EntraMapping.objects.filter(value="CSC.Late").exists()

    def test_saying_again_alone_proves_nothing(self, user: User) -> None:
        client = entered(user)
        make_stale(client)
        client.post("/settings/sign-in/", {**self.FIELDS, "again": "1"})
        assert not EntraMapping.objects.filter(value="CSC.Late").exists()

    def test_htmx_gets_the_page_in_place_of_the_body(self, user: User) -> None:
        client = entered(user)
        make_stale(client)
        answer = client.post("/settings/sign-in/", self.FIELDS, HTTP_HX_REQUEST="true")
        assert answer.headers["HX-Retarget"] == "body"
        assert "Is it you?" in answer.content.decode()

    @pytest.mark.parametrize(
        ("came_from", "back"),
        [("http://localhost/tenants/?x=1", "%2Ftenants%2F%3Fx%3D1"),
         ("https://evil.example/", "%2F"), ("", "%2F")],
    )  # fmt: skip
    def test_a_page_goes_there_and_back(self, user: User, came_from: str, back: str) -> None:
        @recent_login
        def guarded(request: HttpRequest) -> HttpResponse:
            return HttpResponse("dangerous")

        client = entered(user)
        make_stale(client)
        request = RequestFactory().get("/x/?y=1", HTTP_HOST="localhost")
        request.session, request.user = SessionStore(client.cookies["csc"].value), user  # type: ignore[assignment]
        answer = guarded(request)
        assert answer.headers["Location"] == "/account/again/?next=%2Fx%2F%3Fy%3D1"
        request.META |= {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": came_from}
        del request.headers
        answer = guarded(request)
        assert answer.headers["HX-Redirect"] == f"/account/again/?next={back}"
        answer = client.post("/account/again/", {"again-password": PASSWORD, "next": "/x/?y=1"})
        assert answer.headers["Location"] == "/x/?y=1"
        request = RequestFactory().get("/x/")
        request.session, request.user = SessionStore(client.cookies["csc"].value), user  # type: ignore[assignment]
        assert guarded(request).content == b"dangerous"

    def test_it_leads_nowhere_else(self, user: User) -> None:
        for where in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
            answer = entered(user).post(
                "/account/again/", {"again-password": PASSWORD, "next": where}
            )
            assert answer.headers["Location"] == "/home/"


class TestAgainWithMicrosoft:
    @pytest.fixture
    def microsoft(self, simulator: Simulator, settings: Any, db: None) -> Simulator:
        configure(settings, simulator)
        role_mapping("A", "admin")
        return simulator

    def test_the_same_person_just_now(self, microsoft: Simulator) -> None:
        who, client = person(microsoft, roles=["A"]), window()
        sign_in(client, microsoft, who)
        make_stale(client)
        shown = client.post("/settings/sign-in/", TestRecentLogin.FIELDS).content.decode()
        assert "Sign in with Microsoft again" in shown
        answer = sign_in(client, microsoft, who, again="1", next="/account/microsoft/confirmed/")
        assert answer.headers["Location"] == "/account/microsoft/confirmed/"
        proof = {**TestRecentLogin.FIELDS, "again": "1"}
        assert client.post("/settings/sign-in/", proof).status_code == 302
        assert EntraMapping.objects.filter(value="CSC.Late").exists()

    def test_somebody_else_proves_nothing(self, microsoft: Simulator) -> None:
        who, client = person(microsoft, roles=["A"]), window()
        sign_in(client, microsoft, who)
        make_stale(client)
        answer = sign_in(client, microsoft, person(microsoft, roles=["A"]), again="1")
        assert "somebody else" in told(answer)
        assert (
            "Is it you?"
            in client.post("/settings/sign-in/", TestRecentLogin.FIELDS).content.decode()
        )

    def test_a_token_that_does_not_say_when_proves_nothing(
        self, microsoft: Simulator, settings: Any
    ) -> None:
        microsoft.control.application(settings.OIDC_CLIENT_ID, optional_claims=[])
        who, client = person(microsoft, roles=["A"]), window()
        sign_in(client, microsoft, who)
        make_stale(client)
        answer = sign_in(client, microsoft, who, again="1")
        microsoft.control.application(settings.OIDC_CLIENT_ID, optional_claims=["auth_time"])
        assert "auth_time" in told(answer)
        assert is_in(client)

    def test_leaving_tells_of_microsofts_own_session(self, microsoft: Simulator) -> None:
        client = window()
        sign_in(client, microsoft, person(microsoft, roles=["A"]))
        answer = client.post("/account/logout/")
        assert answer.headers["Location"] == "/account/login/?left=microsoft"
        assert not is_in(client)
        shown = client.get(answer.headers["Location"]).content.decode()
        assert "sign out of Microsoft too" in shown
        away = client.get("/account/microsoft/leave/").headers["Location"]
        assert away.startswith(f"{microsoft.url}/{microsoft.environment['OIDC_DIRECTORY']}/")


def test_only_provider_admins_change_mappings(sign_in: Any, world: World) -> None:
    for client in (sign_in("analyst"), sign_in("lead"), sign_in("admin", world.tenants["qa"])):
        assert client.get("/settings/sign-in/").status_code == 404
        assert client.post("/settings/sign-in/", TestRecentLogin.FIELDS).status_code == 404
        assert client.get("/settings/people/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "group", "value": "Analysts"}, "object id"),
        ({"role": "customer_ciso"}, "for one tenant"),
        ({"role": "emperor"}, "valid choice"),
        ({"where": "t:no-such"}, "valid choice"),
        ({"value": ""}, "required"),
    ],
)
def test_a_mapping_that_can_not_be(user: User, changes: dict[str, str], text: str) -> None:
    answer = entered(user).post("/settings/sign-in/", {**TestRecentLogin.FIELDS, **changes})
    assert text in answer.content.decode()
    assert not EntraMapping.objects.filter(value="CSC.Late").exists()
