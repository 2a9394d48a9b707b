"""What the signed-in user works with in this request: their tenants, and those in scope now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast
from urllib.parse import urlencode

from django.http import HttpRequest

from csc_portal.access import Rights, TenantRef, rights_of
from tenants.models import User

ALL = "all"
"""In the address: every tenant, whatever is kept as the user's choice. No slug can be this."""
MOST_KEPT = 200


@dataclass(frozen=True)
class Desk:
    """`asked`: slugs in the address, which win over those `kept` in the user's preferences."""

    rights: Rights
    asked: tuple[str, ...]
    kept: tuple[str, ...]

    @cached_property
    def chosen(self) -> tuple[TenantRef, ...]:
        """Tenants that the page is narrowed to; empty means all."""
        if ALL in self.asked:
            return ()
        return self.rights.by_slug(self.asked or self.kept)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Slugs asked for that the user has no tenant for, be there one or not."""
        known = {tenant.slug for tenant in self.rights.tenants.values()} | {ALL}
        return tuple(slug[:40] for slug in self.asked if slug not in known)

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """Tenants that the page may read. What is unknown never widens it."""
        if self.chosen or self.unknown:
            return tuple(tenant.pk for tenant in self.chosen)
        return self.rights.ids

    @property
    def is_narrowed(self) -> bool:
        return bool(self.chosen or self.unknown)

    @property
    def query(self) -> str:
        """What keeps the scope in a link."""
        slugs = [tenant.slug for tenant in self.chosen]
        if not slugs and self.kept:
            slugs = [ALL]
        return urlencode([("tenant", slug) for slug in slugs])

    @property
    def may_act(self) -> bool:
        return any(self.rights.tenants[pk].may_act for pk in self.ids)

    @property
    def may_show_names(self) -> bool:
        return any(self.rights.tenants[pk].may_show_names for pk in self.ids)


def user_of(request: HttpRequest) -> User:
    """The portal's user of a request that LoginRequiredMiddleware let through."""
    return cast(User, request.user)


def desk_of(request: HttpRequest) -> Desk:
    """Made once a request."""
    desk = getattr(request, "_desk", None)
    if desk is None:
        kept = user_of(request).preferences.get("tenants", ())
        asked = tuple(dict.fromkeys(request.GET.getlist("tenant")))[:MOST_KEPT]
        desk = Desk(rights_of(user_of(request)), asked, tuple(kept))
        request._desk = desk
    return desk
