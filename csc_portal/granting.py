"""Who may give which role to whom, and what people may do in the end, and why.

Three kinds of people give roles: provider admins (all of it), admins of single tenants (for these),
and customer admins (customer roles for their own tenant, to their own people). Nobody changes their
own rights, and nobody gives more than they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from csc_portal.access import Rights, TenantRef
from tenants import grants
from tenants.audit import record
from tenants.grants import BadGrant, Where, keeping_an_admin
from tenants.models import Grant, Tenant, TenantGroup, User
from tenants.roles import CUSTOMER_ROLES, EXPLAINED, RIGHTS, Right, rights_of_roles

OWN = "You can't change your own rights. Ask another admin."
FROM_DIRECTORY = "This role comes from the directory. Change it there."


@dataclass(frozen=True, slots=True)
class Manager:
    """The signed-in person as one who gives roles."""

    user: User
    rights: Rights

    @property
    def is_everywhere(self) -> bool:
        return Right.MANAGE_GRANTS in self.rights.everywhere

    @property
    def tenant_ids(self) -> tuple[int, ...]:
        """Tenants where any role may be given."""
        return self.rights.having(Right.MANAGE_GRANTS)

    @property
    def customer_ids(self) -> tuple[int, ...]:
        """Tenants where only customer roles may be given."""
        managed = set(self.tenant_ids)
        return tuple(pk for pk in self.rights.having(Right.MANAGE_CUSTOMERS) if pk not in managed)

    @property
    def may_manage(self) -> bool:
        return self.is_everywhere or self.rights.may_somewhere(Right.MANAGE_CUSTOMERS)

    def roles_at(self, where: Where) -> tuple[str, ...]:
        """Roles that may be given there, none stronger than one's own."""
        if where.tenant is None:
            if not self.is_everywhere:
                return ()
            return tuple(role for role in RIGHTS if role not in CUSTOMER_ROLES)
        ref = self.rights.tenants.get(where.tenant.pk)
        if ref is None:
            return ()
        return tuple(role for role in RIGHTS if self._may_give(role, ref))

    def _may_give(self, role: str, ref: TenantRef) -> bool:
        needed = Right.MANAGE_CUSTOMERS if role in CUSTOMER_ROLES else Right.MANAGE_GRANTS
        return ref.may(needed) and rights_of_roles([role]) <= ref.rights

    def people(self) -> QuerySet[User]:
        """Those whom the manager may see: everybody; who has a right in one's tenants; or, for a
        customer admin, the customer's own people.
        """
        users = User.objects.order_by("username")
        if self.is_everywhere:
            return users
        theirs = Grant.objects.filter(user=OuterRef("pk"))
        own = Q(role__in=CUSTOMER_ROLES, tenant_id__in=self.customer_ids)
        seen = Exists(theirs.filter(own)) & ~Exists(theirs.exclude(own))
        if self.tenant_ids:
            here = Q(tenant_id__in=self.tenant_ids) | Q(group__tenants__in=self.tenant_ids)
            seen |= Exists(theirs.filter(here | Q(tenant=None, group=None)))
        return users.filter(seen)

    def person(self, pk: int) -> User:
        """Raises Http404."""
        found = self.people().filter(pk=pk).first() if self.may_manage else None
        if found is None:
            raise Http404
        return found

    def may_switch_off(self, user: User) -> bool:
        """Whether everything that the user may do is the manager's to give."""
        if user.pk == self.user.pk:
            return False
        if self.is_everywhere:
            return True
        given = Grant.objects.filter(user=user).select_related("tenant", "group")
        return all(g.role in self.roles_at(Where(g.tenant, g.group)) for g in given)


def give(manager: Manager, user: User, role: str, where: Where) -> bool:
    """Whether something changed. Raises BadGrant with a sentence for people."""
    _check(manager, user, role, where)
    before = Grant.objects.filter(
        user=user, tenant=where.tenant, group=where.group, source=Grant.Source.MANUAL
    ).first()
    if before is not None and before.role not in manager.roles_at(where):
        raise BadGrant("You may not change this role.")
    with keeping_an_admin():
        return grants.give(manager.user.username, user, role, where)


def take(manager: Manager, user: User, grant_id: int) -> None:
    """Raises BadGrant; Http404 for a grant that is not this user's."""
    grant = Grant.objects.filter(user=user, pk=grant_id).select_related("tenant", "group").first()
    if grant is None:
        raise Http404
    if grant.source == Grant.Source.DIRECTORY:
        raise BadGrant(FROM_DIRECTORY)
    where = Where(grant.tenant, grant.group)
    _check(manager, user, grant.role, where)
    with keeping_an_admin():
        grants.take(manager.user.username, user, where)


def switch(manager: Manager, user: User, *, on: bool) -> None:
    """Let the user in, or no longer. Raises BadGrant."""
    if user.pk == manager.user.pk:
        raise BadGrant(OWN)
    if not manager.may_switch_off(user):
        raise BadGrant("This person has rights that are not yours to give.")
    with keeping_an_admin():
        if User.objects.filter(pk=user.pk, is_active=not on).update(is_active=on):
            action = "user_enabled" if on else "user_disabled"
            for tenant in _own_tenants(user):
                record(manager.user.username, action, tenant, f"user {user.pk}")


def _own_tenants(user: User) -> Sequence[Tenant | None]:
    """The customers whose person this is, so that they read of it; else none."""
    given = list(Grant.objects.filter(user=user).select_related("tenant"))
    if given and all(grant.role in CUSTOMER_ROLES for grant in given):
        return [grant.tenant for grant in given]
    return [None]


def new_person(manager: Manager, username: str, password: str, role: str, where: Where) -> User:
    """A local account with its first role. Raises BadGrant."""
    if role not in manager.roles_at(where):
        raise BadGrant("You may not give this role there.")
    if User.objects.filter(username__iexact=username).exists():
        raise BadGrant("This user name is taken. Choose another.")
    with transaction.atomic():
        user = User.objects.create_user(username, password=password)
        record(manager.user.username, "user_created", where.tenant, f"user {user.pk}")
        grants.give(manager.user.username, user, role, where)
    return user


def _check(manager: Manager, user: User, role: str, where: Where) -> None:
    if user.pk == manager.user.pk:
        raise BadGrant(OWN)
    if role not in manager.roles_at(where):
        raise BadGrant("You may not give or take this role there.")


# --- what somebody may do in the end --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """One grant, as the reason for rights: "Analyst, for the group Banks"."""

    role: str
    where: str
    source: str


@dataclass(frozen=True, slots=True)
class Effective:
    """Tenants with the same reasons, and what follows from these."""

    reasons: tuple[Reason, ...]
    tenants: tuple[str, ...]
    rights: frozenset[Right]

    @property
    def explained(self) -> list[tuple[str, bool]]:
        """Every right of a tenant, in words, and whether it is there."""
        return [(text, right in self.rights) for right, text in EXPLAINED.items()]


def effective(user: User, tenants: Iterable[TenantRef]) -> list[Effective]:
    """What the user may do in these tenants, the many with the same reasons together. Two queries.

    A user who is switched off may do nothing, whatever is granted.
    """
    given = list(Grant.objects.filter(user=user).select_related("tenant", "group"))
    groups = {grant.group_id for grant in given if grant.group_id}
    members = set(
        TenantGroup.tenants.through.objects.filter(tenantgroup_id__in=groups).values_list(
            "tenantgroup_id", "tenant_id"
        )
    )
    found: dict[tuple[Grant, ...], list[str]] = {}
    for ref in tenants:
        reasons = tuple(grant for grant in given if _covers(grant, ref.pk, members))
        if reasons:
            found.setdefault(reasons, []).append(ref.name)
    return [_effective(user, reasons, names) for reasons, names in found.items()]


def _covers(grant: Grant, tenant_id: int, members: set[tuple[int, int]]) -> bool:
    if grant.tenant_id is not None:
        return bool(grant.tenant_id == tenant_id)
    return grant.group_id is None or (grant.group_id, tenant_id) in members


def _effective(user: User, reasons: tuple[Grant, ...], names: list[str]) -> Effective:
    is_all = any(grant.tenant_id is None and grant.group_id is None for grant in reasons)
    roles = [grant.role for grant in reasons] if user.is_active else []
    rights = rights_of_roles(roles)
    if is_all:
        of_all = [g.role for g in reasons if g.tenant_id is None and g.group_id is None]
        rights |= rights_of_roles(of_all, everywhere=True) if user.is_active else frozenset()
    told = tuple(
        Reason(grant.get_role_display(), where_text(grant), grant.get_source_display())
        for grant in reasons
    )
    return Effective(told, tuple(names), rights)


def where_text(grant: Grant) -> str:
    if grant.tenant:
        return grant.tenant.name
    return f"group {grant.group.name}" if grant.group else "all tenants"
