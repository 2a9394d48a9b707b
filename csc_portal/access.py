"""The only door to objects: what a user may see and do. What is not theirs does not exist (404)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import Http404

from tenants.models import Grant, QueueEntry, Tenant, User
from tenants.scope import granted

Role = Grant.Role
RANK: dict[str, int] = {Role.VIEWER: 0, Role.ANALYST: 1, Role.ADMIN: 2}
_ROLES = [str(role) for role in RANK]

RIGHTS = """
SELECT t.id, t.slug, t.name, t.state, max(array_position(%s::text[], g.role::text)) - 1
FROM tenants_grant g JOIN tenants_tenant t ON t.id = g.tenant_id OR g.tenant_id IS NULL
WHERE g.user_id = %s GROUP BY t.id ORDER BY lower(t.name), t.id
"""


@dataclass(frozen=True, slots=True)
class TenantRef:
    """What a page says about a tenant, and the user's role there (its rank, see RANK)."""

    pk: int
    slug: str
    name: str
    state: str
    rank: int

    @property
    def role(self) -> str:
        return _ROLES[self.rank]

    @property
    def may_act(self) -> bool:
        return self.rank >= RANK[Role.ANALYST]

    @property
    def may_manage(self) -> bool:
        return self.rank >= RANK[Role.ADMIN]


@dataclass(frozen=True, slots=True)
class Rights:
    """All tenants that a user is granted, by id, in order of their names."""

    tenants: Mapping[int, TenantRef]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self.tenants)

    def having(self, role: str) -> tuple[int, ...]:
        """Ids of the tenants where the user has at least this role."""
        return tuple(t.pk for t in self.tenants.values() if t.rank >= RANK[role])

    def by_slug(self, slugs: Iterable[str]) -> tuple[TenantRef, ...]:
        wanted = set(slugs)
        return tuple(t for t in self.tenants.values() if t.slug in wanted)


def rights_of(user: User | AnonymousUser) -> Rights:
    """One query. A grant without a tenant means all; of two grants the stronger counts."""
    if user.pk is None or not user.is_active:
        return Rights({})
    with connection.cursor() as cursor:
        cursor.execute(RIGHTS, [_ROLES, user.pk])
        return Rights({row[0]: TenantRef(*row) for row in cursor.fetchall()})


def is_provider_admin(user: User | AnonymousUser) -> bool:
    """May onboard tenants and read entries that belong to no tenant: an admin of all of them."""
    grants = Grant.objects.filter(user_id=user.pk, tenant=None, role=Role.ADMIN)
    return user.is_active and grants.exists()


def tenants_of(user: User | AnonymousUser, role: str = Role.VIEWER) -> list[Tenant]:
    """Full rows of the tenants where the user has at least this role, by name."""
    return list(Tenant.objects.filter(pk__in=rights_of(user).having(role)).order_by("name", "pk"))


def tenant_for(
    user: User | AnonymousUser, slug: str, role: str = Role.VIEWER, rights: Rights | None = None
) -> Tenant:
    """The tenant with its ticket connection. Raises Http404 also when the role does not suffice."""
    found = (rights or rights_of(user)).by_slug([slug])
    if not found or found[0].rank < RANK[role]:
        raise Http404
    return Tenant.objects.select_related("ticketing").get(pk=found[0].pk)


def case_for(
    user: User | AnonymousUser,
    public_id: uuid.UUID,
    role: str = Role.VIEWER,
    rights: Rights | None = None,
) -> tuple[QueueEntry, Tenant]:
    """The queue's row of the case, and its tenant. Raises Http404."""
    rights = rights or rights_of(user)
    ids = list(rights.having(role))
    with granted(ids):
        entry = QueueEntry.objects.filter(public_id=public_id, tenant_id__in=ids).first()
    if entry is None:
        raise Http404
    return entry, Tenant.objects.select_related("ticketing").get(pk=entry.tenant_id)


def people(user_ids: Iterable[int | None]) -> dict[int, str]:
    """How the portal's users are shown. One query; outside of every tenant's scope."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    if not wanted:
        return {}
    users = User.objects.filter(pk__in=wanted).only("username", "first_name", "last_name")
    return {user.pk: user.get_full_name() or user.username for user in users}
