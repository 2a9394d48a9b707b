"""manage.py api_token: keys to the API."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from csc_portal.api.keys import LONGEST_DAYS, BadKey, NewKey, create_key, revoke_key
from csc_portal.api.scopes import DEFAULT, Scope
from csc_portal.api.throttle import requests_a_day
from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM, record
from tenants.models import ApiKey, TenantGroup, User


class Command(PortalCommand):
    help = (
        "Make a key to the API, which is printed once, or let an application of the provider's "
        "directory in; list a user's keys; revoke one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--name", default="", help="what the key is for; makes a key")
        parser.add_argument(
            "--scope", action="append", default=[], choices=[scope.value for scope in Scope]
        )
        parser.add_argument("--tenant", action="append", default=[], metavar="SLUG")
        parser.add_argument("--group", action="append", default=[], metavar="SLUG")
        parser.add_argument(
            "--application",
            type=uuid.UUID,
            metavar="ID",
            help="of a program in the provider's directory, whose tokens come in; makes no secret",
        )
        parser.add_argument("--days", type=int, default=LONGEST_DAYS)
        parser.add_argument("--requests", type=int, metavar="N", help="a day; fewer than all may")
        parser.add_argument("--revoke", default="", metavar="PREFIX")
        parser.add_argument(
            "--service", action="store_true", help="make a service account if there is no such user"
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        user = self._user(options["user"], is_service=options["service"])
        if options["revoke"]:
            return self._revoke(user, options["revoke"])
        if options["name"]:
            return self._make(user, options)
        return {"user": user.username, "keys": [_described(key) for key in user.api_keys.all()]}

    def _user(self, name: str, *, is_service: bool) -> User:
        user = User.objects.filter(username=name).first()
        if user is None and is_service:
            with transaction.atomic():
                user = User.objects.create_user(name, is_service=True)
                record(SYSTEM, "service_account_made", subject=f"user {user.pk}")
        if user is None:
            raise CommandError(f"There is no user '{name}'.")
        return user

    def _make(self, user: User, options: dict[str, Any]) -> dict[str, Any]:
        groups = list(TenantGroup.objects.filter(slug__in=options["group"]))
        if lost := set(options["group"]) - {group.slug for group in groups}:
            raise CommandError(f"There is no group '{min(lost)}'.")
        new = NewKey(
            options["name"],
            options["scope"] or [scope.value for scope in DEFAULT],
            [self.tenant(slug) for slug in options["tenant"]],
            groups,
            options["days"],
            options["application"],
            options["requests"],
        )
        try:
            key, whole = create_key(user, new, actor=SYSTEM, now=timezone.now())
        except BadKey as err:
            raise CommandError(str(err)) from err
        return {**({"key": whole} if whole else {}), **_described(key)}

    def _revoke(self, user: User, prefix: str) -> dict[str, Any]:
        key = ApiKey.objects.filter(owner=user, prefix=prefix).first()
        if key is None:
            raise CommandError(f"{user.username} has no key '{prefix}'.")
        return {"revoked": revoke_key(key, actor=SYSTEM, now=timezone.now()), "prefix": prefix}


def _described(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        **({"application": str(key.application)} if key.application else {}),
        "name": key.name,
        "scopes": list(key.scopes),
        "all_tenants": key.is_for_all,
        "tenants": [tenant.slug for tenant in key.tenants.all()],
        "groups": [group.slug for group in key.groups.all()],
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "used_at": key.used_at,
        "requests_a_day": requests_a_day(key),
    }
