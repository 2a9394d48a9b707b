"""The only door to objects: what a user may see and do. What is not theirs does not exist (404).

Which role has which right stands in tenants/roles.py; how people are named, in people.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import Http404

from tenants.models import Grant, MovedCase, QueueEntry, Tenant, TenantGroup, User
from tenants.roles import RIGHTS, Right, rights_of_roles
from tenants.scope import granted

# A grant is for a tenant, for a group of them, or for all. The row without a tenant holds the
# roles granted for all, which also give rights over the portal as a whole.
RIGHTS_OF = """
SELECT t.id, t.slug, t.name, t.state, array_agg(DISTINCT r.role::text ORDER BY r.role::text)
FROM (
  SELECT g.tenant_id, g.role FROM tenants_grant g WHERE g.user_id = %s AND g.tenant_id IS NOT NULL
  UNION ALL
  SELECT m.tenant_id, g.role FROM tenants_grant g
  JOIN tenants_tenantgroup_tenants m ON m.tenantgroup_id = g.group_id WHERE g.user_id = %s
  UNION ALL
  SELECT a.id, g.role FROM tenants_grant g
  CROSS JOIN (SELECT id FROM tenants_tenant UNION ALL SELECT NULL) a
  WHERE g.user_id = %s AND g.tenant_id IS NULL AND g.group_id IS NULL
) r LEFT JOIN tenants_tenant t ON t.id = r.tenant_id
WHERE %s::int[] IS NULL OR r.tenant_id = ANY(%s::int[]) OR r.tenant_id IS NULL
GROUP BY t.id ORDER BY lower(t.name), t.id
"""


class TenantRef(NamedTuple):
    """What a page says about a tenant, and the user's roles and rights there.

    A tuple, because a request makes one for each of its user's tenants.
    """

    pk: int
    slug: str
    name: str
    state: str
    roles: tuple[str, ...]
    rights: frozenset[Right]

    def may(self, right: Right) -> bool:
        return right in self.rights

    @property
    def role(self) -> str:
        """The strongest role, as people read it."""
        strongest = max(self.roles, key=lambda role: len(RIGHTS.get(role, ())))
        return str(Grant.Role(strongest).label)

    @property
    def may_act(self) -> bool:
        return Right.ACT in self.rights

    @property
    def may_run_feed(self) -> bool:
        return Right.RUN_FEED in self.rights

    @property
    def may_show_names(self) -> bool:
        return Right.SHOW_NAMES in self.rights

    @property
    def may_manage(self) -> bool:
        return Right.MANAGE_TENANT in self.rights

    @property
    def sees_provider(self) -> bool:
        """May read the names of the provider's people; a customer may not."""
        return Right.SEE_PROVIDER in self.rights


@dataclass(frozen=True, slots=True)
class Rights:
    """All tenants that a user is granted, by id, in order of their names.

    `everywhere`: what grants for all tenants allow, also when there is no tenant yet.
    """

    tenants: Mapping[int, TenantRef]
    everywhere: frozenset[Right] = frozenset()

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self.tenants)

    def having(self, right: Right) -> tuple[int, ...]:
        """Ids of the tenants where the user has the right."""
        return tuple(t.pk for t in self.tenants.values() if right in t.rights)

    def may_somewhere(self, right: Right) -> bool:
        return right in self.everywhere or any(right in t.rights for t in self.tenants.values())

    def by_slug(self, slugs: Iterable[str]) -> tuple[TenantRef, ...]:
        wanted = set(slugs)
        return tuple(t for t in self.tenants.values() if t.slug in wanted)


def rights_of(user: User | AnonymousUser, among: Collection[int] | None = None) -> Rights:
    """One query. The rights of several grants add up. `among`: asked about these tenants alone."""
    if user.pk is None or not user.is_active:
        return Rights({})
    with connection.cursor() as cursor:
        ids = None if among is None else list(among)
        cursor.execute(RIGHTS_OF, [user.pk, user.pk, user.pk, ids, ids])
        rows = cursor.fetchall()
    everywhere = [role for row in rows if row[0] is None for role in row[4]]
    tenants = {
        pk: TenantRef(pk, slug, name, state, tuple(roles), rights_of_roles(roles))
        for pk, slug, name, state, roles in rows
        if pk is not None
    }
    return Rights(tenants, rights_of_roles(everywhere, everywhere=True))


def is_provider_admin(user: User | AnonymousUser) -> bool:
    """Whether the user may change what belongs to no tenant: an admin of all of them."""
    return Right.MANAGE_PORTAL in rights_of(user).everywhere


def tenant_for(
    user: User | AnonymousUser,
    slug: str,
    right: Right = Right.SEE_CASES,
    rights: Rights | None = None,
) -> Tenant:
    """The tenant with its ticket connection. Raises Http404 also when the right is missing."""
    found = (rights or rights_of(user)).by_slug([slug])
    if not found or not found[0].may(right):
        raise Http404
    return Tenant.objects.select_related("ticketing").get(pk=found[0].pk)


class CaseMoved(Http404):
    """The case was merged; `target` is the public id of the one that goes on."""

    def __init__(self, target: uuid.UUID) -> None:
        super().__init__()
        self.target = target


def case_for(
    user: User | AnonymousUser,
    public_id: uuid.UUID,
    right: Right = Right.SEE_CASES,
    rights: Rights | None = None,
) -> tuple[QueueEntry, Tenant]:
    """The queue's row of the case, and its tenant. Raises Http404; CaseMoved if it was merged."""
    rights = rights or rights_of(user)
    ids = list(rights.having(right))
    with granted(ids):
        entry = QueueEntry.objects.filter(public_id=public_id, tenant_id__in=ids).first()
        if entry is None:
            moved = MovedCase.objects.filter(public_id=public_id, tenant_id__in=ids).first()
    if entry is None:
        raise CaseMoved(moved.target) if moved else Http404
    return entry, Tenant.objects.select_related("ticketing").get(pk=entry.tenant_id)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of tenants as one user sees it: `tenant_ids` are those of theirs in it."""

    pk: int
    slug: str
    name: str
    tenant_ids: tuple[int, ...]


def groups_of(user: User | AnonymousUser, rights: Rights | None = None) -> tuple[Group, ...]:
    """Groups that hold a tenant of the user's, by name. One query. None for a customer."""
    ids = (rights or rights_of(user)).having(Right.SEE_PROVIDER)
    if not ids:
        return ()
    rows = (
        TenantGroup.tenants.through.objects.filter(tenant_id__in=ids)
        .order_by("tenantgroup__name", "tenantgroup_id", "tenant_id")
        .values_list(
            "tenantgroup_id", "tenantgroup__slug", "tenantgroup__name", "tenant_id", named=False
        )
    )
    found: dict[tuple[int, str, str], list[int]] = {}
    for pk, slug, name, tenant_id in rows:
        found.setdefault((pk, slug, name), []).append(tenant_id)
    return tuple(Group(*key, tuple(members)) for key, members in found.items())
