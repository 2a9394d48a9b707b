"""Signing in with Microsoft: who comes in with which rights, and everything that is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from csc_portal.entra_people import _microsoft, remove_mapping, save_mapping
from csc_portal.own_directory import issuer_of
from csc_portal.web.throttle import REFUSALS
from simulator import Simulator
from tenants.grants import Where, give
from tenants.models import EntraIdentity, Grant, PortalSession, Tenant, User
from tests.audit import audited
from tests.csc_portal.web.signin_lab import (
    DONE,
    PASSWORD,
    START,
    asked,
    at_microsoft,
    begin,
    certificate_pems,
    configure,
    group_mapping,
    is_in,
    person,
    role_mapping,
    sign_in,
    told,
    window,
)


@pytest.fixture
def microsoft(simulator: Simulator, settings: Any, db: None) -> Simulator:
    configure(settings, simulator)
    simulator.control.spoil_no_id_token()
    return simulator


@pytest.fixture
def client() -> Client:
    return window()


def rights(who: dict[str, Any]) -> set[tuple[str, str]]:
    grants = Grant.objects.filter(user__entra__object_id=who["oid"]).select_related("tenant")
    return {(grant.role, grant.tenant.slug if grant.tenant else "*") for grant in grants}


def reasons() -> list[str]:
    rows = audited().filter(action="sign_in_failed").order_by("pk")
    return [row.facts["reason"] for row in rows]


def test_what_microsoft_is_asked(microsoft: Simulator, client: Client) -> None:
    first, second = asked(begin(client)), asked(begin(client))
    assert first["response_type"] == "code"
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "http://localhost/account/microsoft/done/"
    assert "openid" in first["scope"].split()
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 43


def test_the_first_sign_in_makes_a_user_with_the_mapped_rights(
    microsoft: Simulator, client: Client, qa: Tenant
) -> None:
    group = str(uuid.uuid4())
    role_mapping("CSC.Viewer", "viewer")
    group_mapping(group, "analyst", qa)
    role_mapping("Other", "admin")
    who = person(microsoft, roles=["CSC.Viewer"], groups=[group.upper()], name="Nora New")
    answer = sign_in(client, microsoft, who, next="/chain/")
    assert answer.headers["Location"] == "/chain/"
    assert rights(who) == {("viewer", "*"), ("analyst", "qa")}
    user = User.objects.get(entra__object_id=who["oid"])
    assert (user.username, user.first_name) == (who["username"], "Nora New")
    assert not user.has_usable_password()
    assert user.email == ""
    assert PortalSession.objects.get(user=user).method == "microsoft"
    assert audited().filter(action="signed_in", actor=user.username).count() == 1
    again = window()
    sign_in(again, microsoft, {**who, "name": "x"})
    assert User.objects.filter(entra__object_id=who["oid"]).count() == 1


def test_rights_follow_the_directory_at_each_sign_in(
    microsoft: Simulator, client: Client, qa: Tenant
) -> None:
    role_mapping("CSC.Viewer", "viewer")
    role_mapping("CSC.Analyst", "analyst")
    who = person(microsoft, roles=["CSC.Viewer", "CSC.Analyst"])
    sign_in(client, microsoft, who)
    assert rights(who) == {("analyst", "*")}, "of two for the same place the stronger"
    user = User.objects.get(entra__object_id=who["oid"])
    give("test", user, "viewer", Where(tenant=qa))
    microsoft.control.set_person(who["username"], roles=["CSC.Viewer"])
    sign_in(window(), microsoft, who)
    assert rights(who) == {("viewer", "*"), ("viewer", "qa")}, "what is given by hand stays"
    microsoft.control.set_person(who["username"], roles=[])
    sign_in(window(), microsoft, who)
    assert rights(who) == {("viewer", "qa")}


def test_a_removed_mapping_is_taken_back_at_once(microsoft: Simulator, client: Client) -> None:
    admin = role_mapping("A", "admin")
    role_mapping("B", "viewer")
    who = person(microsoft, roles=["A", "B"])
    sign_in(client, microsoft, who)
    assert client.get("/settings/sign-in/").status_code == 200
    remove_mapping("boss", admin)
    assert rights(who) == {("viewer", "*")}
    assert client.get("/settings/sign-in/").status_code == 404, "in the session that is open"
    entry = audited().get(action="mapping_removed")
    assert (entry.actor, entry.facts["role"]) == ("boss", "admin")


def test_a_changed_mapping_counts_at_once(microsoft: Simulator, client: Client) -> None:
    mapping = role_mapping("A", "viewer")
    who = person(microsoft, roles=["A"])
    sign_in(client, microsoft, who)
    mapping.role = "lead"
    save_mapping("boss", mapping)
    assert rights(who) == {("lead", "*")}


def test_a_local_account_is_never_taken_over_by_its_name(
    microsoft: Simulator, client: Client
) -> None:
    role_mapping("A", "viewer")
    who = person(microsoft, roles=["A"])
    local = User.objects.create_user(who["username"], password="x", email=who["username"])
    give("test", local, "admin", Where())
    sign_in(client, microsoft, who)
    user = User.objects.get(entra__object_id=who["oid"])
    assert user.pk != local.pk
    assert user.username.startswith(f"{who['username']}#")
    assert rights(who) == {("viewer", "*")}


def test_a_new_name_is_the_same_person(microsoft: Simulator, client: Client) -> None:
    role_mapping("A", "viewer")
    who = person(microsoft, roles=["A"])
    sign_in(client, microsoft, who)
    renamed = microsoft.control.call(
        "POST", "staff", {"oid": who["oid"], "username": f"new-{who['username']}"}
    )
    sign_in(window(), microsoft, renamed)
    assert EntraIdentity.objects.filter(object_id=who["oid"]).count() == 1


def test_nobody_without_a_role_comes_in_and_none_gets_a_row(
    microsoft: Simulator, client: Client
) -> None:
    role_mapping("CSC.Viewer", "viewer")
    who = person(microsoft, roles=["Something"])
    answer = sign_in(client, microsoft, who)
    assert answer.status_code == 403
    assert "no role in this portal" in told(answer)
    assert not User.objects.filter(username=who["username"]).exists()
    assert reasons() == ["no_role"]
    assert not is_in(client)


def test_somebody_switched_off_stays_out(microsoft: Simulator, client: Client) -> None:
    role_mapping("A", "viewer")
    who = person(microsoft, roles=["A"])
    sign_in(client, microsoft, who)
    User.objects.filter(entra__object_id=who["oid"]).update(is_active=False)
    assert not is_in(client), "at once"
    assert "switched off" in told(sign_in(window(), microsoft, who))


class TestGroups:
    def test_too_many_are_asked_of_graph(self, microsoft: Simulator, client: Client) -> None:
        groups = [str(uuid.uuid4()) for _ in range(201)]
        group_mapping(groups[150], "lead")
        group_mapping(str(uuid.uuid4()), "admin")
        for _ in range(25):  # more than one call takes
            group_mapping(str(uuid.uuid4()), "viewer")
        who = person(microsoft, groups=[one.upper() for one in groups])
        assert sign_in(client, microsoft, who).status_code == 302
        assert rights(who) == {("lead", "*")}

    def test_if_graph_does_not_say_nobody_comes_in_with_fewer_rights(
        self, microsoft: Simulator, client: Client
    ) -> None:
        groups = [str(uuid.uuid4()) for _ in range(201)]
        group_mapping(groups[0], "lead")
        role_mapping("A", "viewer")
        who = person(microsoft, groups=groups, roles=["A"])
        order = microsoft.control.fault(
            "status", path="/me/checkMemberGroups", count=-1, status=403
        )
        answer = sign_in(client, microsoft, who)
        microsoft.control.clear_faults(order)
        assert answer.status_code == 403
        assert "too many groups" in told(answer)
        assert reasons() == ["groups"]


class TestForged:
    """What comes back is checked, whatever it says."""

    @pytest.fixture
    def who(self, microsoft: Simulator) -> dict[str, Any]:
        role_mapping("A", "admin")
        return person(microsoft, roles=["A"])

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            ("nonce", "nonce"), ("expired", "time"), ("directory", "directory"),
            ("audience", "audience"), ("issuer", "issuer"), ("signature", "signature"),
            ("algorithm", "algorithm"), ("oid", "claim"),
        ],
    )  # fmt: skip
    def test_a_spoilt_token(
        self, microsoft: Simulator, client: Client, who: dict[str, Any], spoil: str, reason: str
    ) -> None:
        microsoft.control.spoil_id_token(spoil)
        answer = sign_in(client, microsoft, who)
        assert answer.status_code == 400
        assert "was not accepted" in told(answer)
        assert reasons() == [reason]
        assert not is_in(client)
        assert not EntraIdentity.objects.exists()
        sign_in(client, microsoft, who)
        assert is_in(client), "the next, which is right, comes in"

    def test_a_forged_state(self, microsoft: Simulator, client: Client, who: Any) -> None:
        back = at_microsoft(microsoft, begin(client), who)
        code = asked(back)["code"]
        answer = client.get(DONE, {"code": code, "state": "x" * 43})
        assert "not begun in this window" in told(answer)
        # That used the sign-in up: also the right state is of no more use.
        assert client.get(back).status_code == 400
        assert not is_in(client)

    def test_strangers_fill_no_log_and_lock_nobody_out(
        self, microsoft: Simulator, client: Client, who: Any
    ) -> None:
        """Any page of anybody's can send a browser here, as often as it likes."""
        place = client.defaults["REMOTE_ADDR"]
        for _ in range(60):
            assert Client(REMOTE_ADDR=place).get(DONE, {"error": "x"}).status_code == 400
        assert reasons() == ["state"] * REFUSALS.amount
        local = User.objects.create_user(f"l-{uuid.uuid4().hex[:8]}", password=PASSWORD)
        client.post("/account/login/", {"username": local.username, "password": PASSWORD})
        assert is_in(client)

    def test_another_browsers_sign_in(self, microsoft: Simulator, client: Client, who: Any) -> None:
        """Somebody is lured to an address that would sign them in as the one who lures."""
        back = at_microsoft(microsoft, begin(client), who)
        victim = window()
        assert "somebody else" in told(victim.get(back))
        begin(victim)
        assert victim.get(back).status_code == 400
        assert not is_in(victim)

    def test_a_replayed_answer(self, microsoft: Simulator, client: Client, who: Any) -> None:
        back = at_microsoft(microsoft, begin(client), who)
        assert client.get(back).status_code == 302
        assert client.get(back).status_code == 400

    def test_a_replayed_code(self, microsoft: Simulator, client: Client, who: Any) -> None:
        used = asked(at_microsoft(microsoft, begin(client), who))["code"]
        thief = window()
        state = asked(begin(thief))["state"]
        answer = thief.get(DONE, {"code": used, "state": state})
        assert "begun elsewhere" in told(answer), "its verifier is another"
        assert not is_in(thief)

    def test_a_sign_in_that_took_too_long(
        self, microsoft: Simulator, client: Client, who: Any
    ) -> None:
        back = at_microsoft(microsoft, begin(client), who)
        session = client.session
        session["microsoft_flow"] = {**session["microsoft_flow"], "at": 1.0}
        session.save()
        assert "took too long" in told(client.get(back))

    @pytest.mark.parametrize(
        "where", ["https://evil.example/", "//evil.example", "/\\evil.example"]
    )
    def test_it_leads_nowhere_else(
        self, microsoft: Simulator, client: Client, who: Any, where: str
    ) -> None:
        assert sign_in(client, microsoft, who, next=where).headers["Location"] == "/home/"

    def test_cancelling(self, microsoft: Simulator, client: Client, who: Any) -> None:
        back = at_microsoft(microsoft, begin(client), who, cancel="1")
        answer = client.get(back)
        assert "cancelled" in told(answer)
        assert "AADSTS" not in answer.content.decode(), "Microsoft's own text is not shown"

    def test_a_planted_session_is_worth_nothing(
        self, microsoft: Simulator, client: Client, who: Any
    ) -> None:
        begin(client)
        planted = client.session.session_key
        back = at_microsoft(microsoft, begin(client), who)
        client.get(back)
        assert client.session.session_key != planted
        thief = window()
        thief.cookies["csc"] = planted
        assert not is_in(thief)


def test_a_wrong_secret_is_named_and_a_new_one_taken(
    microsoft: Simulator, client: Client, settings: Any
) -> None:
    role_mapping("A", "viewer")
    who = person(microsoft, roles=["A"])
    secret = microsoft.control.secret(settings.OIDC_CLIENT_SECRET_NAME)
    microsoft.control.application(settings.OIDC_CLIENT_ID, secrets=[])
    answer = sign_in(client, microsoft, who)
    assert "client secret is wrong" in told(answer)
    known = [{"value": secret, "expires": None}]
    microsoft.control.application(settings.OIDC_CLIENT_ID, secrets=known)
    assert sign_in(window(), microsoft, who).status_code == 302


def test_a_certificate_proves_the_app(microsoft: Simulator, client: Client, settings: Any) -> None:
    key, certificate = certificate_pems()
    microsoft.control.application(settings.OIDC_CLIENT_ID, certificates=[certificate])
    settings.OIDC_CLIENT_SECRET_NAME = f"certificate-{uuid.uuid4().hex[:8]}"
    microsoft.control.set_secret(settings.OIDC_CLIENT_SECRET_NAME, key + certificate)
    role_mapping("A", "viewer")
    assert sign_in(client, microsoft, person(microsoft, roles=["A"])).status_code == 302


def test_when_microsoft_is_away_the_page_says_so(
    microsoft: Simulator, client: Client, settings: Any
) -> None:
    issuer_of.cache_clear()
    _microsoft.cache_clear()
    order = microsoft.control.fault("status", path="openid-configuration", count=-1, status=503)
    answer = client.get(START)
    microsoft.control.clear_faults(order)
    assert answer.status_code == 503
    assert "Entra ID answered 503" in told(answer)
    assert begin(client)


def test_without_settings_there_is_no_such_way(client: Client, db: None) -> None:
    assert client.get(START).status_code == 404
    assert b"Microsoft" not in client.get("/account/login/").content
