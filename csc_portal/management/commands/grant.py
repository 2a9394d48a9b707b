"""manage.py grant: what a user may do."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM, record
from tenants.grants import BadGrant, Where, give, take
from tenants.models import Grant, User

EVERY = "*"
NONE = "none"


class Command(PortalCommand):
    help = "Give a user a role for a tenant, or for all of them ('*'); 'none' takes it away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("tenant", help="slug, or '*' for all tenants")
        parser.add_argument("role", choices=[*Grant.Role.values, NONE])
        parser.add_argument(
            "--create", action="store_true", help="make the user and print a password"
        )

    @transaction.atomic
    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        user = User.objects.filter(username=options["user"]).first()
        tenant = None if options["tenant"] == EVERY else self.tenant(options["tenant"])
        result: dict[str, Any] = {
            "user": options["user"],
            "tenant": options["tenant"],
            "role": options["role"],
        }
        if user is None:
            if not options["create"]:
                raise CommandError(
                    f"There is no user '{options['user']}'. Add --create to make one."
                )
            result["password"] = secrets.token_urlsafe(12)
            user = User.objects.create_user(options["user"], password=result["password"])
            record(SYSTEM, "user_created", subject=f"user {user.pk}")
        if options["role"] == NONE:
            take(SYSTEM, user, Where(tenant))
        else:
            try:
                give(SYSTEM, user, options["role"], Where(tenant))
            except BadGrant as err:
                raise CommandError(str(err)) from err
        return result
