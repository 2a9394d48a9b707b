"""Asset classes of a tenant: made by people, filled by an uploaded list or an Entra group.

A list lives in memory while it is read; members are kept as pseudonyms.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.db import IntegrityError, transaction

from alerts.members import open_cases, replace_members
from alerts.models import AssetClass
from alerts.rejudge import judge_again
from clients.errors import ApiError, Forbidden, NotFound
from clients.microsoft.graph import Graph
from clients.microsoft.groups import member_pages
from enrichment.lists import Holds, Key, NoList, member_keys, parse_list
from tenants.canonical import canonical_guid
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tenants.sealing import Unsealable, seal, unseal

logger = logging.getLogger(__name__)

REFRESH_EVERY = timedelta(hours=24)
RETRY_AFTER = timedelta(hours=1)
MOST_MEMBERS = 20_000
_NAME = re.compile(r"[^\W_][\w .,&/()+\-]{0,59}")

NO_PERMISSION = (
    "The group can't be read: grant the app GroupMember.Read.All and let an administrator consent. "
    "The members of the last reading stay."
)
GONE = "The group is not there any more. The members of the last reading stay."
NOT_SEALED = "The group's id was kept under a key that is gone. Enter it again."
TOO_MANY = f"The group has more than {MOST_MEMBERS:,} members; the first of them were taken."
NOBODY = "The group has no members of the kind that the class holds."


class Refused(ValueError):
    """Can't be done; the text is for people."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of a list. `problems`: sentences with line numbers, `problem_count`: how many."""

    members: int
    repeated: int
    problems: tuple[str, ...]
    problem_count: int


def make_class(name: str, kind: str, holds: str) -> AssetClass:
    """Inside the scope. Raises Refused."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise Refused("A name has up to 60 letters, digits and spaces, and begins with a letter.")
    if kind not in AssetClass.Kind.values or holds not in AssetClass.Holds.values:
        raise Refused("Choose what the class is for and what it holds.")
    if kind == AssetClass.Kind.VIP and holds != AssetClass.Holds.PEOPLE:
        raise Refused("VIPs are people. Choose 'Crown jewel' for other things.")
    try:
        with transaction.atomic():
            return AssetClass.objects.create(name=name, kind=kind, holds=holds)
    except IntegrityError as err:
        raise Refused("There is a class of this name already.") from err


def remove_class(public_id: uuid.UUID) -> None:
    """With its members. Inside the scope. Raises Refused."""
    found = _class_of(public_id)
    with transaction.atomic():
        judge_again(open_cases(found.pk))
        found.delete()


def take_list(
    public_id: uuid.UUID, data: bytes, pseudonymiser: Pseudonymiser, now: datetime
) -> Uploaded:
    """The list replaces what the class held, and its group. Inside the scope. Raises Refused."""
    found = _class_of(public_id)
    try:
        parsed = parse_list(data, _holds(found))
    except NoList as err:
        raise Refused(str(err)) from err
    if not parsed.entries:
        why = parsed.problems[0] if parsed.problems else "The list is empty."
        raise Refused(f"Nothing was taken from the list. {why}")
    with transaction.atomic():
        entries = (entry.keys for entry in parsed.entries)
        members = replace_members(found.pk, entries, pseudonymiser)
        AssetClass.objects.filter(pk=found.pk).update(
            sealed_group=None, refresh_at=None, refreshed_at=now, problem=""
        )
    logger.info("asset class filled id=%s members=%s", found.pk, members)
    return Uploaded(members, parsed.repeated, parsed.problems, parsed.problem_count)


def follow_group(
    public_id: uuid.UUID, group_id: str, pseudonymiser: Pseudonymiser, now: datetime
) -> None:
    """Let an Entra group say who belongs to the class, from its next reading on. Inside the scope.
    Raises Refused.
    """
    found = _class_of(public_id)
    guid = canonical_guid(group_id)
    if not guid:
        raise Refused("Enter the object id of the group, as the Entra admin center shows it.")
    if found.holds == AssetClass.Holds.DATA:
        raise Refused("A group has people, devices and apps as members. Upload a list for data.")
    sealed = seal(guid, pseudonymiser)
    AssetClass.objects.filter(pk=found.pk).update(sealed_group=sealed, refresh_at=now, problem="")


def refresh_groups(
    tenant: Tenant, graph: Graph, pseudonymiser: Pseudonymiser, now: datetime
) -> int:
    """Read the members of every group that is due; how many were read. Never raises ApiError."""
    with scope(tenant):
        due = list(AssetClass.objects.filter(refresh_at__lte=now, sealed_group__isnull=False))
    return sum(_refresh(tenant, graph, one, pseudonymiser, now) for one in due)


def _refresh(
    tenant: Tenant, graph: Graph, found: AssetClass, pseudonymiser: Pseudonymiser, now: datetime
) -> bool:
    """Whether it was read. What can't be read leaves the members as they were."""
    entries: list[tuple[Key, ...]] = []
    problem, again = "", REFRESH_EVERY
    is_read = False
    try:
        group_id = unseal(found.sealed_group or b"", pseudonymiser)
        for keys in _members(graph, group_id, _holds(found)):
            entries.append(keys)
            if len(entries) >= MOST_MEMBERS:
                problem = TOO_MANY
                break
        is_read = True
        problem = problem or ("" if entries else NOBODY)
    except Unsealable:
        problem = NOT_SEALED
    except Forbidden:
        problem = NO_PERMISSION
    except NotFound:
        problem = GONE
    except ApiError as err:
        problem, again = str(err)[:300], RETRY_AFTER
    with scope(tenant), transaction.atomic():
        changes = {"problem": problem, "refresh_at": now + again}
        if is_read:
            replace_members(found.pk, entries, pseudonymiser)
            changes |= {"refreshed_at": now, "sealed_group": seal(group_id, pseudonymiser)}
        # A person may have chosen another group or a list meanwhile.
        same = AssetClass.objects.filter(pk=found.pk, sealed_group=found.sealed_group)
        if not same.update(**changes):
            transaction.set_rollback(True)
    return is_read


def _members(graph: Graph, group_id: str, holds: Holds) -> Iterator[tuple[Key, ...]]:
    for page in member_pages(graph, group_id):
        for member in page:
            if isinstance(member, dict) and (keys := member_keys(member, holds)):
                yield keys


def _class_of(public_id: uuid.UUID) -> AssetClass:
    found = AssetClass.objects.filter(public_id=public_id).first()
    if found is None:
        raise Refused("The class is not there any more.")
    return found


def _holds(found: AssetClass) -> Holds:
    return cast(Holds, found.holds)
