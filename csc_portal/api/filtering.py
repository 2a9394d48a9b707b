"""The filters of the queue's page, for programs: the same words, but nothing is forgiven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from django.http import QueryDict

from csc_portal.access import Rights, TenantRef, groups_of
from csc_portal.api.problems import FieldError, Problem, bad_fields
from csc_portal.filters import Filter, parse
from tenants.models import User

FILTERS = frozenset(f.name for f in fields(Filter)) - {"view", "problems"}
SINGLE = frozenset(
    {"assignee", "ticket", "vip", "snoozed", "sort", "q", "entity", "since", "until"}
)

MOST_SOURCES = 20
LONGEST = 200
NOT_BY_PERSON = "This key does not learn who works on a case. Send me, none or anyone."


def filter_of(query: QueryDict) -> Filter:
    """Raises Problem, which names each parameter that is wrong."""
    wrong = []
    for name in sorted(set(query) & FILTERS):
        alone = QueryDict(mutable=True)
        alone.setlist(name, query.getlist(name))
        found = parse(alone)
        wrong += [FieldError(name, problem) for problem in found.problems]
        given = query.getlist(name)
        if name in SINGLE and len(given) > 1:
            wrong.append(FieldError(name, "Once only."))
        if name == "source" and len(set(given)) > MOST_SOURCES:
            wrong.append(FieldError(name, f"At most {MOST_SOURCES}."))
        if any(len(text) > LONGEST or "\0" in text for text in given):
            wrong.append(FieldError(name, "Too long, or with a NUL in it."))
    if wrong:
        raise bad_fields(*wrong)
    return parse(query)


def may_know_people(tenants: Iterable[TenantRef]) -> bool:
    """Whether the provider's people may be told apart in all of them: not by a customer's key."""
    return all(ref.sees_provider for ref in tenants)


def narrowed(
    wanted: Filter, tenants: Mapping[int, TenantRef], rights: Rights, owner: User
) -> dict[int, TenantRef]:
    """Also by `group`: tenants in one of the groups. Raises Problem, also for a filter by a person
    whom the key may not know.
    """
    found = _of_groups(wanted, tenants, rights, owner) if wanted.group else dict(tenants)
    if wanted.assignee.isdecimal() and not may_know_people(found.values()):
        raise bad_fields(FieldError("assignee", NOT_BY_PERSON))
    return found


def _of_groups(
    wanted: Filter, tenants: Mapping[int, TenantRef], rights: Rights, owner: User
) -> dict[int, TenantRef]:
    groups = {group.slug: group for group in groups_of(owner, rights)}
    if any(slug not in groups for slug in wanted.group):
        told = "This key has no such group."
        raise Problem(404, told, (FieldError("group", told),))
    members = {pk for slug in wanted.group for pk in groups[slug].tenant_ids}
    return {pk: ref for pk, ref in tenants.items() if pk in members}
