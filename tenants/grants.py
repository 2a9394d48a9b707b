"""Giving and taking roles: what no grant may be, whoever gives it, and the entry in the audit log.

Who may give what is the portal's to decide (csc_portal/granting.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from tenants.audit import record
from tenants.models import Grant, Tenant, TenantGroup, User
from tenants.roles import CUSTOMER_ROLES, RIGHTS

DIRECTORY = "directory"
"""Actor of what the provider's own directory decides."""


class BadGrant(ValueError):
    """A grant that can't be; the message says why."""


@dataclass(frozen=True, slots=True)
class Where:
    """For what a role is granted: a tenant, a group of them, or all (neither is named)."""

    tenant: Tenant | None = None
    group: TenantGroup | None = None

    @property
    def is_all(self) -> bool:
        return self.tenant is None and self.group is None


def give(actor: str, user: User, role: str, where: Where) -> bool:
    """Set the role that the user is granted by hand there; whether that is new. Raises BadGrant."""
    return _set(actor, user, role, where, str(Grant.Source.MANUAL))


def take(actor: str, user: User, where: Where) -> bool:
    """Take away what the user is granted by hand there; whether there was something."""
    grants = _grants(user, where, str(Grant.Source.MANUAL))
    return sum(_drop(actor, grant) for grant in grants) > 0


def follow_directory(user: User, wanted: Collection[tuple[str, Where]]) -> bool:
    """Make the grants from the directory those that the sign-in told; whether something changed.

    `wanted` are (role, where); of two roles for the same place the one with more rights counts.
    Grants by hand stay as they are. Raises BadGrant, and then changes nothing.
    """
    best: dict[tuple[int | None, int | None], tuple[str, Where]] = {}
    for role, where in wanted:
        key = (where.tenant.pk if where.tenant else None, where.group.pk if where.group else None)
        if key not in best or len(RIGHTS[role]) > len(RIGHTS[best[key][0]]):
            best[key] = (role, where)
    source = str(Grant.Source.DIRECTORY)
    with transaction.atomic():
        changes = [_set(DIRECTORY, user, role, where, source) for role, where in best.values()]
        for grant in user.grants.filter(source=source).select_related("tenant"):
            if (grant.tenant_id, grant.group_id) not in best:
                changes.append(_drop(DIRECTORY, grant))
    return any(changes)


class LastAdmin(BadGrant):
    """The portal would be left without anybody who may give rights."""

    def __init__(self) -> None:
        super().__init__("This is the last provider admin. Make another one first.")


@contextmanager
def keeping_an_admin() -> Iterator[None]:
    """A transaction that is undone by LastAdmin if no active provider admin is left at its end."""
    with transaction.atomic():
        # Two admins who take each other's role away wait for each other here.
        had_one = bool(list(_admins().select_for_update(of=("self",)).values_list("pk")))
        yield
        if had_one and not _admins().exists():
            raise LastAdmin


def _admins() -> QuerySet[Grant]:
    grants = Grant.objects.filter(role=Grant.Role.ADMIN, tenant=None, group=None)
    return grants.filter(user__is_active=True).order_by("pk")


def _set(actor: str, user: User, role: str, where: Where, source: str) -> bool:
    if role not in RIGHTS:
        raise BadGrant(f"There is no role '{role}'.")
    if where.tenant and where.group:
        raise BadGrant("A role is for a tenant or for a group, not for both.")
    if role in CUSTOMER_ROLES and where.tenant is None:
        raise BadGrant("A customer's role is for one tenant.")
    with transaction.atomic():
        before = _grants(user, where, source).first()
        if before is not None and before.role == role:
            return False
        Grant.objects.update_or_create(
            user=user,
            tenant=where.tenant,
            group=where.group,
            source=source,
            defaults={"role": role},
        )
        was = {"before": before.role} if before else {}
        _tell(actor, "granted", user, where, {"role": role, **was})
    return True


def _drop(actor: str, grant: Grant) -> bool:
    with transaction.atomic():
        where = Where(grant.tenant, grant.group)
        _tell(actor, "revoked", grant.user, where, {"role": grant.role})
        grant.delete()
    return True


def _grants(user: User, where: Where, source: str) -> QuerySet[Grant]:
    return Grant.objects.filter(
        user=user, tenant=where.tenant, group=where.group, source=source
    ).select_related("tenant", "group", "user")


def _tell(actor: str, action: str, user: User, where: Where, facts: dict[str, object]) -> None:
    if where.group:
        facts["group"] = where.group.slug
    elif where.is_all:
        facts["group"] = "all tenants"
    record(actor, action, where.tenant, f"user {user.pk}", facts)
