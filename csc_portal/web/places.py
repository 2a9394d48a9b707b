"""What a form offers as places: groups of tenants and tenants, each by a word of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.http import Http404

from csc_portal.access import Group, TenantRef
from tenants.models import Tenant, TenantGroup

GROUP = "group:"
"""Before a group's slug; no slug of a tenant has a colon."""


def offered(
    groups: Iterable[Group | TenantGroup], tenants: Iterable[TenantRef]
) -> list[tuple[str, str]]:
    """(word, label) of each, for a field with choices."""
    return [
        *((f"{GROUP}{one.slug}", f"Group {one.name}") for one in groups),
        *((ref.slug, ref.name) for ref in tenants),
    ]


def picked(places: Sequence[str]) -> tuple[list[Tenant], list[TenantGroup]]:
    """Those that were chosen of what was offered. At most two queries.

    Raises Http404 if one has gone meanwhile: to choose nothing means all.
    """
    names = {one.removeprefix(GROUP) for one in places if one.startswith(GROUP)}
    slugs = {one for one in places if not one.startswith(GROUP)}
    tenants = list(Tenant.objects.filter(slug__in=slugs)) if slugs else []
    groups = list(TenantGroup.objects.filter(slug__in=names)) if names else []
    if len(tenants) + len(groups) < len(slugs) + len(names):
        raise Http404
    return tenants, groups
