"""What the signed-in user works with in this request: their tenants, and those in scope now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, QueryDict

from csc_portal.access import Group, Rights, TenantRef, groups_of, rights_of
from tenants.models import User
from tenants.roles import Right

ALL = "all"
"""In the address: every tenant, whatever is kept as the user's choice. No slug can be this."""
MOST_KEPT = 200


@dataclass(frozen=True)
class Desk:
    """`asked`: slugs in the address, which win over those `kept` in the user's preferences; the
    same for groups of tenants. `known_groups` are read only if one is asked for or kept.
    """

    rights: Rights
    asked: tuple[str, ...]
    kept: tuple[str, ...]
    asked_groups: tuple[str, ...] = ()
    kept_groups: tuple[str, ...] = ()
    known_groups: tuple[Group, ...] = ()

    @property
    def _is_asked(self) -> bool:
        return bool(self.asked or self.asked_groups)

    @cached_property
    def picked(self) -> tuple[TenantRef, ...]:
        """Tenants that were chosen one by one."""
        if ALL in self.asked:
            return ()
        return self.rights.by_slug(self.asked if self._is_asked else self.kept)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Groups that were chosen, with those of their tenants that are the user's."""
        if ALL in self.asked:
            return ()
        wanted = self.asked_groups if self._is_asked else self.kept_groups
        return tuple(group for group in self.known_groups if group.slug in wanted)

    @cached_property
    def chosen(self) -> tuple[TenantRef, ...]:
        """Tenants that the page is narrowed to, alone or by a group; empty means all."""
        wanted = {tenant.pk for tenant in self.picked}
        wanted.update(pk for group in self.groups for pk in group.tenant_ids)
        return tuple(tenant for tenant in self.rights.tenants.values() if tenant.pk in wanted)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Slugs asked for that the user has no tenant or group for, be there one or not."""
        known = {tenant.slug for tenant in self.rights.tenants.values()} | {ALL}
        groups = {group.slug for group in self.known_groups}
        lost = [slug for slug in self.asked if slug not in known]
        lost += [slug for slug in self.asked_groups if slug not in groups]
        return tuple(slug[:40] for slug in lost)

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """Tenants that the page may read. What is unknown never widens it."""
        if self.is_narrowed:
            return tuple(tenant.pk for tenant in self.chosen)
        return self.rights.ids

    @property
    def is_narrowed(self) -> bool:
        return bool(self.chosen or self.unknown)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What keeps the scope in an address."""
        pairs = [("tenant", tenant.slug) for tenant in self.picked]
        pairs += [("group", group.slug) for group in self.groups]
        if not pairs and (self.kept or self.kept_groups):
            pairs = [("tenant", ALL)]
        return pairs

    @property
    def query(self) -> str:
        return urlencode(self.pairs)

    @property
    def may_act(self) -> bool:
        return any(self.rights.tenants[pk].may_act for pk in self.ids)

    @property
    def may_show_names(self) -> bool:
        return any(self.rights.tenants[pk].may_show_names for pk in self.ids)

    @property
    def sees_provider(self) -> bool:
        """May tell the provider's people apart, in all tenants of the page."""
        return all(self.rights.tenants[pk].sees_provider for pk in self.ids)


def user_of(request: HttpRequest) -> User:
    """The portal's user of a request that LoginRequiredMiddleware let through."""
    return cast(User, request.user)


def desk_of(request: HttpRequest) -> Desk:
    """Made once a request."""
    desk: Desk | None = getattr(request, "_desk", None)
    if desk is None:
        user = user_of(request)
        desk = _desk(user, rights_of(user), request.GET)
        request._desk = desk
    return desk


def rights_with(request: HttpRequest, right: Right, *, everywhere: bool = False) -> Rights:
    """The user's, who has this one somewhere, or for all tenants. Raises Http404."""
    rights = desk_of(request).rights
    if not (right in rights.everywhere if everywhere else rights.may_somewhere(right)):
        raise Http404
    return rights


def desk_at(request: HttpRequest, query: QueryDict) -> Desk:
    """With the scope of a page whose address had this query, which a form sends along."""
    return _desk(user_of(request), desk_of(request).rights, query)


def _desk(user: User, rights: Rights, query: QueryDict) -> Desk:
    asked, groups = (_slugs(query, name) for name in ("tenant", "group"))
    kept = tuple(user.preferences.get("tenants", ()))
    kept_groups = tuple(user.preferences.get("groups", ()))
    needs_groups = groups or (kept_groups and not asked)
    known = groups_of(user, rights) if needs_groups else ()
    return Desk(rights, asked, kept, groups, kept_groups, known)


def _slugs(query: QueryDict, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(query.getlist(name)))[:MOST_KEPT]
