"""People, roles and groups on the pages: who may give what, and what nobody may."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from csc_portal.access import rights_of
from csc_portal.granting import Manager, effective
from csc_portal.web import people
from csc_portal.web.entering import PROVED_AT
from tenants.grants import Where
from tenants.models import Grant, Tenant, TenantGroup, User
from tenants.roles import CUSTOMER_ROLES, RIGHTS, Right
from tests.audit import audited

PLACE = "/settings/access/people"


@pytest.fixture
def bo(db) -> User:
    return User.objects.create_user("bo-of-people")


def roles(user: User) -> dict[str, str]:
    """Where -> role."""
    return {
        grant.tenant.slug if grant.tenant else grant.group.slug if grant.group else "*": grant.role
        for grant in Grant.objects.filter(user=user).select_related("tenant", "group")
    }


def give(client: Client, user: User, role: str, place: str) -> int:
    answer = client.post(f"{PLACE}/{user.pk}/give/", {"role": role, "place": place})
    return int(answer.status_code)


class TestProviderAdmin:
    def test_gives_and_takes_by_tenant_group_and_all(self, sign_in, bo, qa, qatest) -> None:
        group = TenantGroup.objects.create(slug="banks", name="Banks")
        group.tenants.set([qa, qatest])
        admin = sign_in("admin")
        for role, place in (
            ("viewer", "all"), ("analyst", "group:banks"), ("customer_ciso", "tenant:qa"),
        ):  # fmt: skip
            assert give(admin, bo, role, place) == 302
        assert roles(bo) == {"*": "viewer", "banks": "analyst", "qa": "customer_ciso"}
        shown = admin.get(f"{PLACE}/{bo.pk}/").content.decode()
        assert "group Banks" in shown
        for grant in Grant.objects.filter(user=bo):
            admin.post(f"{PLACE}/{bo.pk}/take/", {"grant": grant.pk})
        assert roles(bo) == {}
        told = audited().filter(subject=f"user {bo.pk}", actor=admin.person.username)
        assert [entry.action for entry in told.order_by("pk")] == ["granted"] * 3 + ["revoked"] * 3

    @pytest.mark.parametrize(
        ("role", "place"),
        [
            ("king", "tenant:qa"), ("viewer", "tenant:nobody"), ("viewer", "group:none"),
            ("viewer", ""), ("customer_admin", "all"), ("", "all"), ("viewer", "tenant:\0"),
        ],
    )  # fmt: skip
    def test_nonsense_changes_nothing(self, role: str, place: str, sign_in, bo, qa) -> None:
        assert give(sign_in("admin"), bo, role, place) == 302
        assert roles(bo) == {}

    def test_nobody_changes_their_own_rights(self, sign_in, qa) -> None:
        admin = sign_in("admin")
        sign_in("admin")
        grant = Grant.objects.get(user=admin.person)
        give(admin, admin.person, "lead", "tenant:qa")
        admin.post(f"{PLACE}/{admin.person.pk}/take/", {"grant": grant.pk})
        admin.post(f"{PLACE}/{admin.person.pk}/switch/", {"on": "no"})
        assert roles(admin.person) == {"*": "admin"}
        assert User.objects.get(pk=admin.person.pk).is_active

    def test_the_last_one_cannot_be_locked_out(self, sign_in, db) -> None:
        Grant.objects.filter(role="admin", tenant=None).update(role="lead")
        last, other = sign_in("admin"), sign_in("admin")
        target = last.person
        User.objects.filter(pk=other.person.pk).update(is_active=False)
        # A session that is still open after its owner's rights are gone changes nothing.
        other.post(f"{PLACE}/{target.pk}/switch/", {"on": "no"})
        assert User.objects.get(pk=target.pk).is_active
        User.objects.filter(pk=other.person.pk).update(is_active=True)
        other = sign_in("admin")
        other.post(f"{PLACE}/{target.pk}/switch/", {"on": "no"})
        assert not User.objects.get(pk=target.pk).is_active
        assert last.get("/").status_code == 302

    def test_switching_off_ends_what_was_granted_and_is_told(self, sign_in, bo, qa) -> None:
        admin = sign_in("admin")
        give(admin, bo, "analyst", "tenant:qa")
        admin.post(f"{PLACE}/{bo.pk}/switch/", {"on": "no"})
        bo.refresh_from_db()
        assert rights_of(bo).ids == ()
        assert "nothing of it counts" in admin.get(f"{PLACE}/{bo.pk}/").content.decode()
        admin.post(f"{PLACE}/{bo.pk}/switch/", {"on": "yes"})
        bo.refresh_from_db()
        assert rights_of(bo).ids == (qa.pk,)
        told = audited().filter(subject=f"user {bo.pk}").order_by("pk")
        actions = [entry.action for entry in told]
        assert actions == ["granted", "user_disabled", "user_enabled"]

    def test_what_the_directory_gave_is_not_taken_by_hand(self, sign_in, bo, qa) -> None:
        grant = Grant.objects.create(user=bo, tenant=qa, role="viewer", source="directory")
        admin = sign_in("admin")
        admin.post(f"{PLACE}/{bo.pk}/take/", {"grant": grant.pk})
        assert roles(bo) == {"qa": "viewer"}
        assert "From the directory" in admin.get(f"{PLACE}/{bo.pk}/").content.decode()

    def test_a_grant_of_somebody_else_is_not_there(self, sign_in, bo, qa) -> None:
        other = User.objects.create_user("other-of-people")
        grant = Grant.objects.create(user=other, tenant=qa, role="viewer")
        admin = sign_in("admin")
        for text in (str(grant.pk), "x", "9" * 30, ""):
            answer = admin.post(f"{PLACE}/{bo.pk}/take/", {"grant": text})
            assert answer.status_code == 404
        assert roles(other) == {"qa": "viewer"}

    def test_a_new_person_is_made_with_a_password_shown_once(self, sign_in, qa) -> None:
        admin = sign_in("admin")
        fields = {"username": "new.person", "role": "analyst", "place": "tenant:qa"}
        shown = admin.post(f"{PLACE}/new/", fields | {"is_superuser": "1", "is_staff": "1"})
        person = User.objects.get(username="new.person")
        password = shown.content.decode().partition("<code>")[2].partition("</code>")[0]
        assert person.check_password(password)
        assert (person.is_superuser, person.is_staff) == (False, False)
        assert roles(person) == {"qa": "analyst"}
        assert "no-store" in shown.headers["Cache-Control"]
        again = admin.post(f"{PLACE}/new/", fields | {"username": "NEW.person"})
        assert "is taken" in again.content.decode()

    def test_the_list_is_filtered_and_obeys_the_scope(self, sign_in, bo, qa, qatest) -> None:
        Grant.objects.create(user=bo, tenant=qa, role="lead")
        admin = sign_in("admin", name="root-of-people")

        def listed(query: str) -> set[str]:
            shown = admin.get(f"/settings/access/{query}").content.decode()
            return {name for name in ("bo-of-people", "root-of-people") if f">{name}</a>" in shown}

        assert listed("?find=of-people") == {"bo-of-people", "root-of-people"}
        assert listed("?role=lead") == {"bo-of-people"}
        assert listed("?find=of-people&tenant=qatest") == {"root-of-people"}
        assert listed("?find=of-people&state=off") == set()
        assert listed("?find=%00&role=%27&page=99") >= set()


class TestTenantAdmin:
    """An admin of one tenant."""

    def test_gives_any_role_there_and_nowhere_else(self, sign_in, bo, qa, qatest) -> None:
        admin = sign_in("admin", qa)
        Grant.objects.create(user=bo, tenant=qa, role="viewer")
        TenantGroup.objects.create(slug="banks", name="Banks")
        give(admin, bo, "lead", "tenant:qa")
        for place in ("tenant:qatest", "all", "group:banks"):
            give(admin, bo, "viewer", place)
        assert roles(bo) == {"qa": "lead"}

    def test_sees_who_works_there_and_not_what_else_they_may(self, sign_in, bo, qa, qatest) -> None:
        admin = sign_in("admin", qa)
        assert admin.get(f"{PLACE}/{bo.pk}/").status_code == 404
        Grant.objects.create(user=bo, tenant=qatest, role="lead")
        assert admin.get(f"{PLACE}/{bo.pk}/").status_code == 404
        Grant.objects.create(user=bo, tenant=qa, role="viewer")
        shown = admin.get(f"{PLACE}/{bo.pk}/").content.decode()
        assert "QATEST" not in shown
        assert "Lead</td>" not in shown

    def test_switches_off_only_whose_rights_are_all_there(self, sign_in, bo, qa, qatest) -> None:
        admin = sign_in("admin", qa)
        Grant.objects.create(user=bo, tenant=qa, role="viewer")
        elsewhere = Grant.objects.create(user=bo, tenant=qatest, role="viewer")
        admin.post(f"{PLACE}/{bo.pk}/switch/", {"on": "no"})
        assert User.objects.get(pk=bo.pk).is_active
        elsewhere.delete()
        admin.post(f"{PLACE}/{bo.pk}/switch/", {"on": "no"})
        assert not User.objects.get(pk=bo.pk).is_active


class TestCustomerAdmin:
    def test_gives_customer_roles_of_the_own_tenant_alone(self, sign_in, bo, qa, qatest) -> None:
        customer = sign_in("customer_admin", qa)
        Grant.objects.create(user=bo, tenant=qa, role="customer_ciso")
        for role in RIGHTS:
            for place in ("tenant:qa", "tenant:qatest", "all"):
                give(customer, bo, role, place)
                (kept,) = roles(bo).values()
                assert kept in CUSTOMER_ROLES
        assert roles(bo) == {"qa": "customer_admin"}

    def test_sees_nobody_of_the_provider(self, sign_in, bo, qa, qatest) -> None:
        customer = sign_in("customer_admin", qa)
        for where, role in ((qa, "analyst"), (None, "admin"), (qatest, "customer_ciso")):
            Grant.objects.filter(user=bo).delete()
            Grant.objects.create(user=bo, tenant=where, role=role)
            assert customer.get(f"{PLACE}/{bo.pk}/").status_code == 404
            assert "bo-of-people" not in customer.get("/settings/access/").content.decode()
        Grant.objects.create(user=bo, tenant=qa, role="customer_ciso")
        assert customer.get(f"{PLACE}/{bo.pk}/").status_code == 404  # of another tenant, too
        Grant.objects.filter(user=bo).exclude(tenant=qa).delete()
        assert customer.get(f"{PLACE}/{bo.pk}/").status_code == 200

    def test_adds_and_drops_its_own_people(self, sign_in, qa) -> None:
        customer = sign_in("customer_admin", qa)
        fields = {"username": "their.ciso", "role": "analyst", "place": "tenant:qa"}
        assert "Select a valid choice" in customer.post(f"{PLACE}/new/", fields).content.decode()
        customer.post(f"{PLACE}/new/", fields | {"role": "customer_ciso"})
        person = User.objects.get(username="their.ciso")
        assert roles(person) == {"qa": "customer_ciso"}
        grant = Grant.objects.get(user=person)
        answer = customer.post(f"{PLACE}/{person.pk}/take/", {"grant": grant.pk})
        assert answer.headers["Location"] == "/settings/access/"
        assert audited().filter(action="revoked", tenant=qa).exists()

    def test_a_ciso_manages_nobody(self, sign_in, qa) -> None:
        ciso = sign_in("customer_ciso", qa)
        assert ciso.get("/settings/access/").status_code == 404
        assert ciso.get("/account/rights/").status_code == 200


class TestGroups:
    def test_are_made_filled_and_deleted(self, sign_in, qa, qatest, bo) -> None:
        admin = sign_in("admin")
        made = admin.post("/settings/access/groups/", {"name": "Banks", "slug": "banks"})
        assert made.headers["Location"] == "/settings/access/groups/banks/"
        group = TenantGroup.objects.get(slug="banks")
        Grant.objects.create(user=bo, group=group, role="viewer")
        admin.post("/settings/access/groups/banks/", {"name": "Big", "member": ["qa", "nope"]})
        assert [t.slug for t in group.tenants.all()] == ["qa"]
        admin.post("/settings/access/groups/banks/", {"name": "Big", "member": ["qatest"]})
        told = audited().filter(facts__group="banks").order_by("pk")
        assert [(entry.action, entry.tenant_id) for entry in told] == [
            ("group_made", None), ("group_joined", qa.pk), ("group_joined", qatest.pk),
            ("group_left", qa.pk),
        ]  # fmt: skip
        assert rights_of(bo).ids == (qatest.pk,)
        admin.post("/settings/access/groups/banks/delete/")
        assert rights_of(bo).ids == ()

    def test_what_somebody_else_changed_meanwhile_stays(self, sign_in, qa, qatest, third) -> None:
        admin = sign_in("admin")
        group = TenantGroup.objects.create(slug="banks", name="Banks")
        group.tenants.set([qa])
        shown = admin.get("/settings/access/groups/banks/").content.decode()
        assert 'name="was" value="qa"' in shown
        group.tenants.set([qa, qatest])
        fields = {"name": "Banks", "was": "qa", "member": ["third"]}
        admin.post("/settings/access/groups/banks/", fields)
        assert {tenant.slug for tenant in group.tenants.all()} == {"qatest", "third"}

    def test_it_may_have_more_members_than_forms_have_fields(self, sign_in, qa) -> None:
        admin = sign_in("admin")
        group = TenantGroup.objects.create(slug="banks", name="Banks")
        members = ["qa", *(f"tenant-{number}" for number in range(1500))]
        fields = {"name": "Banks", "was": "", "member": members}
        assert admin.post("/settings/access/groups/banks/", fields).status_code == 302
        assert [tenant.slug for tenant in group.tenants.all()] == ["qa"]

    def test_a_bad_slug_or_a_taken_one_is_told(self, sign_in, db) -> None:
        admin = sign_in("admin")
        TenantGroup.objects.create(slug="banks", name="Banks")
        for slug in ("banks", "Banks!", "", "../x"):
            shown = admin.post("/settings/access/groups/", {"name": "B", "slug": slug})
            assert "field-error" in shown.content.decode()
        assert TenantGroup.objects.count() == 1


def test_effective_rights_say_why(bo: User, qa: Tenant, qatest: Tenant, third: Tenant) -> None:
    group = TenantGroup.objects.create(slug="banks", name="Banks")
    group.tenants.set([qa, qatest])
    Grant.objects.create(user=bo, group=group, role="analyst")
    Grant.objects.create(user=bo, tenant=qa, role="lead", source="directory")
    rights = rights_of(bo)
    parts = {part.tenants: part for part in effective(bo, rights.tenants.values())}
    assert set(parts) == {("QA",), ("QATEST",)}
    reasons = {(one.role, one.where, one.source) for one in parts["QA",].reasons}
    assert reasons == {
        ("Analyst", "group Banks", "By hand"), ("Lead", "QA", "From the directory"),
    }  # fmt: skip
    assert parts["QA",].rights == rights.tenants[qa.pk].rights
    assert Right.MANAGE_RULES not in parts["QATEST",].rights


def test_who_manages_whom_is_never_more_than_ones_own(sign_in, qa: Tenant) -> None:
    for role in RIGHTS:
        person = sign_in(role, qa).person
        manager = Manager(person, rights_of(person))
        own = rights_of(person).tenants[qa.pk].rights
        for given in manager.roles_at(Where(qa)):
            assert RIGHTS[given] - own <= {
                Right.ONBOARD, Right.MANAGE_GROUPS, Right.MANAGE_PORTAL,
            }  # fmt: skip
        assert manager.roles_at(Where()) == ()


def test_the_next_page_keeps_the_filter(sign_in, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PAGE_SIZE", 1)
    admin = sign_in("admin")
    for name, role in (("x-one", "viewer"), ("x-two", "viewer"), ("x-three", "lead")):
        Grant.objects.create(user=User.objects.create_user(name), role=role)
    first = admin.get("/settings/access/?find=x-&role=viewer&state=on").content.decode()
    assert "x-one" in first
    assert "Page 1 of 2" in first
    address = re.search(r'rel="next" href="([^"]+)"', first)
    second = admin.get(f"/settings/access/{html.unescape(address[1])}").content.decode()
    assert "x-two" in second
    assert "Page 2 of 2" in second


@pytest.mark.parametrize("what", ["give", "take", "switch", "new"])
def test_it_is_asked_again_who_one_is(what: str, sign_in, bo: User, qa: Tenant) -> None:
    grant = Grant.objects.create(user=bo, tenant=qa, role="viewer")
    admin = sign_in("admin")
    session = admin.session
    session[PROVED_AT] = (timezone.now() - timedelta(hours=1)).isoformat()
    session.save()
    fields = {"role": "lead", "place": "tenant:qa", "grant": grant.pk, "on": "no"}
    address = f"{PLACE}/new/" if what == "new" else f"{PLACE}/{bo.pk}/{what}/"
    shown = admin.post(address, fields | {"username": "late.person"}).content.decode()
    assert 'name="again' in shown
    assert roles(bo) == {"qa": "viewer"}
    assert User.objects.get(pk=bo.pk).is_active
    assert not User.objects.filter(username="late.person").exists()
