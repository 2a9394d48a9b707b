"""Giving and taking roles: what no grant may be, what follows, and who is always left."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from csc_portal.access import groups_of, rights_of
from tenants.grants import (
    BadGrant,
    LastAdmin,
    Where,
    follow_directory,
    give,
    keeping_an_admin,
    take,
)
from tenants.models import AuditEntry, Grant, Tenant, TenantGroup, User
from tenants.roles import Right


@pytest.fixture
def ada(db) -> User:
    return User.objects.create_user("ada-of-grants")


@pytest.fixture
def banks(qa: Tenant, qatest: Tenant) -> TenantGroup:
    group = TenantGroup.objects.create(slug="banks", name="Banks")
    group.tenants.set([qa, qatest])
    return group


def rights_at(user: User, tenant: Tenant) -> frozenset[Right]:
    ref = rights_of(user).tenants.get(tenant.pk)
    return ref.rights if ref else frozenset()


def test_a_grant_of_a_group_holds_for_its_members(ada, banks, qa, qatest, third) -> None:
    give("root", ada, "analyst", Where(group=banks))
    assert {ref.slug for ref in rights_of(ada).tenants.values()} == {"qa", "qatest"}
    assert Right.ACT in rights_at(ada, qa)
    banks.tenants.remove(qa)
    assert rights_at(ada, qa) == frozenset()
    banks.tenants.add(third)
    assert Right.ACT in rights_at(ada, third)


@pytest.mark.parametrize("first", ["weaker", "stronger"])
def test_a_stronger_grant_is_never_lost_by_a_weaker(first, ada, banks, qa, qatest) -> None:
    wheres = {"weaker": ("viewer", Where()), "stronger": ("lead", Where(group=banks))}
    for name in sorted(wheres, reverse=first == "weaker"):
        give("root", ada, *wheres[name])
    give("root", ada, "viewer", Where(tenant=qa))
    assert Right.MANAGE_RULES in rights_at(ada, qa)
    assert rights_of(ada).tenants[qa.pk].role == "Lead"


def test_one_role_a_place_and_the_second_time_changes_nothing(ada, qa) -> None:
    assert give("root", ada, "analyst", Where(qa)) is True
    assert give("root", ada, "analyst", Where(qa)) is False
    assert give("root", ada, "viewer", Where(qa)) is True
    assert take("root", ada, Where(qa)) is True
    assert take("root", ada, Where(qa)) is False
    told = AuditEntry.objects.filter(subject=f"user {ada.pk}").order_by("pk")
    assert [(entry.action, entry.facts) for entry in told] == [
        ("granted", {"role": "analyst"}),
        ("granted", {"role": "viewer", "before": "analyst"}),
        ("revoked", {"role": "viewer"}),
    ]
    assert {entry.tenant_id for entry in told} == {qa.pk}


@pytest.mark.parametrize("role", ["customer_admin", "customer_ciso"])
def test_a_customers_role_is_for_one_tenant(role, ada, banks) -> None:
    for where in (Where(), Where(group=banks)):
        with pytest.raises(BadGrant):
            give("root", ada, role, where)
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.create(user=ada, group=where.group, role=role)
    assert rights_of(ada).tenants == {}


def test_what_no_grant_may_be(ada, qa, banks) -> None:
    with pytest.raises(BadGrant):
        give("root", ada, "king", Where(qa))
    with pytest.raises(BadGrant):
        give("root", ada, "viewer", Where(qa, banks))
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(user=ada, tenant=qa, group=banks, role="viewer")


class TestDirectory:
    """What a sign-in tells."""

    def test_grants_follow_and_those_by_hand_stay(self, ada, qa, qatest, banks) -> None:
        give("root", ada, "viewer", Where(qa))
        assert follow_directory(ada, [("analyst", Where(qa)), ("lead", Where(group=banks))])
        assert not follow_directory(ada, [("lead", Where(group=banks)), ("analyst", Where(qa))])
        assert Right.MANAGE_RULES in rights_at(ada, qatest)
        assert follow_directory(ada, [])
        assert rights_at(ada, qatest) == frozenset()
        assert rights_of(ada).tenants[qa.pk].roles == ("viewer",)

    def test_of_two_for_one_place_the_stronger_counts(self, ada, qa) -> None:
        follow_directory(ada, [("viewer", Where(qa)), ("lead", Where(qa)), ("analyst", Where(qa))])
        assert rights_of(ada).tenants[qa.pk].roles == ("lead",)

    def test_a_bad_one_changes_nothing(self, ada, qa) -> None:
        with pytest.raises(BadGrant):
            follow_directory(ada, [("viewer", Where(qa)), ("customer_ciso", Where())])
        assert not Grant.objects.filter(user=ada).exists()


def others() -> Q:
    return Q(role="admin", tenant=None, group=None)


def test_the_last_provider_admin_stays(ada) -> None:
    Grant.objects.filter(others()).delete()
    give("root", ada, "admin", Where())
    with pytest.raises(LastAdmin), keeping_an_admin():
        take("root", ada, Where())
    with pytest.raises(LastAdmin), keeping_an_admin():
        give("root", ada, "viewer", Where())
    with pytest.raises(LastAdmin), keeping_an_admin():
        User.objects.filter(pk=ada.pk).update(is_active=False)
    assert Right.MANAGE_PORTAL in rights_of(User.objects.get(pk=ada.pk)).everywhere
    give("root", User.objects.create_user("bo-of-grants"), "admin", Where())
    with keeping_an_admin():
        take("root", ada, Where())


@pytest.mark.usefixtures("committed")
def test_two_admins_cannot_take_each_others_role_at_once() -> None:
    kept = list(Grant.objects.filter(others()).values_list("pk", flat=True))
    Grant.objects.filter(pk__in=kept).update(role="lead")
    pair = [User.objects.create_user(f"pair-{number}") for number in (1, 2)]
    for user in pair:
        Grant.objects.create(user=user, role="admin")
    barrier, refused = threading.Barrier(2), []

    def drop(user: User) -> None:
        barrier.wait()
        try:
            with keeping_an_admin():
                take("root", user, Where())
        except LastAdmin:
            refused.append(user.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=drop, args=[user]) for user in pair]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        assert Grant.objects.filter(others()).count() == 1
    finally:
        User.objects.filter(pk__in=[user.pk for user in pair]).delete()
        Grant.objects.filter(pk__in=kept).update(role="admin")


def test_rights_over_the_portal_are_none_of_a_tenant(ada, qa, banks) -> None:
    for where in (Where(qa), Where(group=banks)):
        give("root", ada, "admin", where)
    assert rights_of(ada).everywhere == frozenset()
    give("root", ada, "admin", Where())
    assert Right.ONBOARD in rights_of(ada).everywhere
    assert all(Right.ONBOARD not in ref.rights for ref in rights_of(ada).tenants.values())


def test_groups_show_what_is_mine(ada, banks, qa, third) -> None:
    assert groups_of(ada) == ()
    give("root", ada, "viewer", Where(qa))
    (group,) = groups_of(ada)
    assert (group.slug, group.tenant_ids) == ("banks", (qa.pk,))
    customer = User.objects.create_user("ciso-of-qa")
    give("root", customer, "customer_ciso", Where(qa))
    assert groups_of(customer) == ()
