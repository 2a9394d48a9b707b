"""manage.py demo_login: a person to look around with, in a demo."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import CommandError

from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM
from tenants.grants import Where, give
from tenants.models import Grant, User
from ticketing.connections import private_networks

USERNAME = "analyst"


class Command(PortalCommand):
    help = "Set a new password for the demo's user 'analyst', who may see and change every tenant."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if not private_networks():
            raise CommandError("Only for a demo, whose Key Vault is on this machine.")
        password = secrets.token_urlsafe(9)
        user, _ = User.objects.get_or_create(username=USERNAME)
        user.set_password(password)
        user.save(update_fields=["password"])
        give(SYSTEM, user, str(Grant.Role.ADMIN), Where())
        return {"username": USERNAME, "password": password}
