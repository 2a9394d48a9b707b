"""manage.py demo_login: a person to look around with, in a demo."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import CommandError

from csc_portal.entra_people import save_mapping
from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM
from tenants.factors import forget_factors
from tenants.grants import Where, give
from tenants.models import EntraMapping, Grant, User
from ticketing.connections import private_networks

USERNAME = "analyst"
MICROSOFT = "ada.admin@provider.example"
"""One of those whom the simulated directory knows; its sign-in page names the others."""
APP_ROLES = {
    "CSC.Admin": Grant.Role.ADMIN,
    "CSC.Lead": Grant.Role.LEAD,
    "CSC.Analyst": Grant.Role.ANALYST,
    "CSC.Viewer": Grant.Role.VIEWER,
}


class Command(PortalCommand):
    help = "Set a new password for the demo's user 'analyst', who may see and change every tenant."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if not private_networks():
            raise CommandError("Only for a demo, whose Key Vault is on this machine.")
        password = secrets.token_urlsafe(9)
        user, _ = User.objects.get_or_create(username=USERNAME)
        user.set_password(password)
        user.save(update_fields=["password"])
        forget_factors(user)
        give(SYSTEM, user, str(Grant.Role.ADMIN), Where())
        for value, role in APP_ROLES.items():
            place = {"kind": EntraMapping.Kind.APP_ROLE, "value": value, "tenant": None}
            if not EntraMapping.objects.filter(**place, group=None).exists():
                save_mapping(SYSTEM, EntraMapping(**place, role=role))
        return {"username": USERNAME, "password": password, "microsoft": MICROSOFT}
