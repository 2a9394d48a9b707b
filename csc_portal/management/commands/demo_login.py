"""manage.py demo_login: people to look around with, in a demo, and a rule of what is watched."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from csc_portal.entra_people import save_mapping
from csc_portal.inventory import read_soon
from csc_portal.management.base import PortalCommand
from posture.models import WatchRule
from tenants.audit import SYSTEM
from tenants.factors import forget_factors
from tenants.grants import Where, give
from tenants.models import EntraMapping, Grant, Tenant, User
from tenants.roles import CUSTOMER_ROLES
from tenants.scope import scope
from ticketing.connections import private_networks

PEOPLE = {
    "admin": Grant.Role.ADMIN,
    "analyst": Grant.Role.ANALYST,
    "ciso": Grant.Role.CUSTOMER_CISO,
}
"""The first may see and change everything; the last is of the first tenant, which is a customer."""
MICROSOFT = "ada.admin@provider.example"
"""One of those whom the simulated directory knows; its sign-in page names the others."""
APP_ROLES = {
    "CSC.Admin": Grant.Role.ADMIN,
    "CSC.Lead": Grant.Role.LEAD,
    "CSC.Analyst": Grant.Role.ANALYST,
    "CSC.Viewer": Grant.Role.VIEWER,
}


class Command(PortalCommand):
    help = "Set new passwords for the demo's people: an admin, an analyst, a customer's CISO."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if not private_networks():
            raise CommandError("Only for a demo, whose Key Vault is on this machine.")
        people = [_person(name, str(role)) for name, role in PEOPLE.items()]
        for value, role in APP_ROLES.items():
            place = {"kind": EntraMapping.Kind.APP_ROLE, "value": value, "tenant": None}
            if not EntraMapping.objects.filter(**place, group=None).exists():
                save_mapping(SYSTEM, EntraMapping(**place, role=role))
        for tenant in Tenant.objects.filter(state=Tenant.State.ACTIVE):
            _watch(tenant)
        first = people[0]
        return {
            "username": first["username"],
            "password": first["password"],
            "microsoft": MICROSOFT,
            "people": people,
        }


def _watch(tenant: Tenant) -> None:
    """What has to be watched, if nobody has said so yet."""
    with scope(tenant):
        values = {"tags": [["monitored", ["true"]]], "changed_at": timezone.now()}
        _, is_new = WatchRule.objects.get_or_create(pk=1, defaults=values)
    if is_new:
        read_soon(tenant)


def _person(name: str, role: str) -> dict[str, str]:
    """Made, or given a new password and the role of the demo again."""
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(username=name)
    user.set_password(password)
    user.save(update_fields=["password"])
    forget_factors(user)
    customer = Tenant.objects.order_by("pk").first() if role in CUSTOMER_ROLES else None
    if customer or role not in CUSTOMER_ROLES:
        give(SYSTEM, user, role, Where(customer))
    of = customer.name if customer else "all tenants"
    told = f"{Grant.Role(role).label}, {of}"
    return {"username": name, "password": password, "role": told}
