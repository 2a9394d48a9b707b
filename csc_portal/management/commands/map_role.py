"""manage.py map_role: which app role or group of the provider's directory gives which right."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q

from csc_portal.entra_people import remove_mapping, save_mapping
from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM
from tenants.models import EntraMapping, Grant, TenantGroup
from tenants.roles import CUSTOMER_ROLES

NONE = "none"


class Command(PortalCommand):
    help = "Let an app role or a group of your own directory give a role; 'none' takes it away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=EntraMapping.Kind.values)
        parser.add_argument("value", help="the app role's value, or the group's object id")
        parser.add_argument("role", choices=[*Grant.Role.values, NONE])
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--tenant", metavar="SLUG", help="for this tenant (default: all)")
        where.add_argument("--group", metavar="SLUG", help="for this group of tenants")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["tenant"]) if options["tenant"] else None
        group = TenantGroup.objects.filter(slug=options["group"]).first()
        if options["group"] and group is None:
            raise CommandError(f"There is no group '{options['group']}'.")
        kind, role = options["kind"], options["role"]
        if role in CUSTOMER_ROLES and tenant is None:
            raise CommandError("A customer's role is for one tenant: give --tenant.")
        value = _value(kind, options["value"])
        place = Q(kind=kind, value=value, tenant=tenant, group=group)
        mapping = EntraMapping.objects.filter(place).first()
        if role == NONE:
            if mapping is not None:
                remove_mapping(SYSTEM, mapping)
        elif mapping is None or mapping.role != role:
            mapping = mapping or EntraMapping(kind=kind, value=value, tenant=tenant, group=group)
            mapping.role = role
            save_mapping(SYSTEM, mapping)
        return {"kind": kind, "value": value, "role": role}


def _value(kind: str, text: str) -> str:
    if kind == EntraMapping.Kind.APP_ROLE:
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise CommandError("A group is named by its object id, a GUID.") from None
