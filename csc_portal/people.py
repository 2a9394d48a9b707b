"""How the portal's users are named, and who may work on cases.

A customer never reads who at the provider works for them: every person is named through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from alerts.rows import run
from csc_portal.access import TenantRef
from tenants.models import Grant, User
from tenants.roles import CUSTOMER_ROLES, RIGHTS, Right

SOMEBODY = "the provider's analyst"
MOST_WORKERS = 200

_PEOPLE = """
SELECT u.id, coalesce(nullif(trim(u.first_name || ' ' || u.last_name), ''), u.username),
  CASE WHEN bool_and(g.role = ANY(%s)) THEN array_agg(g.tenant_id) ELSE '{}' END
FROM tenants_user u LEFT JOIN tenants_grant g ON g.user_id = u.id
WHERE u.id = ANY(%s) GROUP BY u.id
"""


@dataclass(frozen=True, slots=True)
class Person:
    """`of`: the tenants whose own person this is; empty for the provider's people."""

    pk: int
    name: str
    of: frozenset[int] = frozenset()

    def named_for(self, tenant: TenantRef) -> str:
        return self.name if tenant.sees_provider or tenant.pk in self.of else SOMEBODY


@dataclass(frozen=True, slots=True)
class People:
    """Users by id. Asked for a tenant, because what may be read depends on one's rights there."""

    by_id: Mapping[int, Person] = field(default_factory=dict)

    def name(self, user_id: int | None, tenant: TenantRef) -> str:
        """ "" for nobody."""
        person = self.by_id.get(user_id or 0)
        return person.named_for(tenant) if person else ""

    def names(self, tenant: TenantRef) -> dict[int, str]:
        return {pk: person.named_for(tenant) for pk, person in self.by_id.items()}


def people(user_ids: Iterable[int | None]) -> People:
    """One query; outside of every tenant's scope."""
    wanted = sorted({user_id for user_id in user_ids if user_id is not None})
    if not wanted:
        return People()
    rows = run(_PEOPLE, [sorted(CUSTOMER_ROLES), wanted])
    return People({pk: Person(pk, name, frozenset(of)) for pk, name, of in rows})


def workers(tenant_ids: Sequence[int]) -> list[Person]:
    """Active users who may work on cases of one of the tenants, by name. One query.

    For those who may work themselves; a customer must not see it.
    """
    roles = [role for role, rights in RIGHTS.items() if Right.ACT in rights]
    grants = Grant.objects.filter(role__in=roles, user__is_active=True)
    grants = grants.filter(
        Q(tenant_id__in=tenant_ids) | Q(group__tenants__in=tenant_ids) | Q(tenant=None, group=None)
    )
    users = User.objects.filter(pk__in=grants.values("user_id")).order_by("username")
    return [Person(u.pk, u.get_full_name() or u.username) for u in users[:MOST_WORKERS]]
