"""Reads a tenant's Azure resources and says of each whether it is watched.

A full reading asks Resource Graph for everything, page by page, and forgets what it did not see.
In between, the table of changes tells what to look at. Killed at any point, it can run again: pages
are upserted, and nothing is forgotten before a subscription was read to its end.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.errors import ApiError, BadPayload, Forbidden, NotFound, Rejected
from clients.microsoft.azure import Arm
from posture import stored_inventory as store
from posture.azure_documents import (
    Listed,
    ListedSubscription,
    group_tags,
    plans_of,
    resource_of,
    subscription_of,
    wanted_tags,
)
from posture.models import AzureSubscription, InventoryRead
from posture.stored_inventory import Ground
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

RESOURCES = (
    "Resources | project id, type, location, tags,"
    " provisioning = tostring(properties.provisioningState) | order by id asc"
)
SOME = (
    "Resources | where id in~ ({ids}) | project id, type, location, tags,"
    " provisioning = tostring(properties.provisioningState) | order by id asc"
)
GROUPS = (
    "ResourceContainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups'"
    " | project id, tags | order by id asc"
)
CHANGES = (
    "ResourceChanges | where todatetime(properties.changeAttributes.timestamp) >="
    " todatetime('{since}') | project id, target = tostring(properties.targetResourceId)"
    " | order by id asc"
)
AT_ONCE = 300
MOST_SETTINGS = 500
MOST_CHANGES = 5_000
IDS_A_QUERY = 100
OVERLAP = timedelta(minutes=15)
"""Azure tells changes some minutes late."""
NO_SUBSCRIPTION = (
    "The app can read no Azure subscription. Give it the role Reader on the subscriptions or on "
    "their management group, or delegate them by Azure Lighthouse."
)
PASSING = (Forbidden, NotFound, Rejected, BadPayload)
"""Faults of one way to read; the listing may still work where Resource Graph does not."""


@dataclass(slots=True)
class Reading:
    """What one reading did. `problem`: a sentence for people, without names."""

    resources: int = 0
    subscriptions: int = 0
    by_listing: int = 0
    is_full: bool = True
    is_complete: bool = False
    problem: str = ""


class TooMuch(Exception):
    """More has changed than a full reading costs."""


def read_all(tenant: Tenant, arm: Arm, pseudonymiser: Pseudonymiser, now: datetime) -> Reading:
    """A full reading. Raises nothing of Azure's: what went wrong stands in the result."""
    with scope(tenant):
        ground = store.begin(True, now, pseudonymiser)
    reading = Reading()
    try:
        known = list(_subscriptions(arm))
        _note(tenant, known, ground)
        reading.subscriptions = len(known)
        if not known:
            reading.problem = NO_SUBSCRIPTION
        else:
            _read_tags_above(arm, known, ground)
            _read_subscriptions(tenant, arm, known, ground, reading)
            _read_settings(tenant, arm, known, ground)
    except ApiError as err:
        reading.problem = str(err)
        logger.warning("inventory not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
    reading.is_complete = not reading.problem
    _end(tenant, ground, reading)
    return reading


def read_changes(
    tenant: Tenant, arm: Arm, pseudonymiser: Pseudonymiser, now: datetime
) -> Reading | None:
    """What has changed since the last reading; None if only a full one can tell.

    Raises ApiError.
    """
    with scope(tenant):
        last = InventoryRead.objects.filter(is_complete=True).first()
        rule = store.stored_rule()
        is_known = InventoryRead.objects.filter(is_complete=True, is_full=True).exists()
    # A tag of a group changes what is said of all resources in it.
    if last is None or not is_known or rule.from_group or rule.from_subscription:
        return None
    subscriptions = list(_subscriptions(arm))
    try:
        targets = _changed(arm, subscriptions, last.began_at - OVERLAP)
    except (*PASSING, TooMuch):
        return None
    with scope(tenant):
        ground = store.begin(False, now, pseudonymiser)
    reading = Reading(is_full=False, subscriptions=len(subscriptions))
    for start in range(0, len(targets), IDS_A_QUERY):
        _read_targets(tenant, arm, targets[start : start + IDS_A_QUERY], ground, reading)
    reading.is_complete = True
    _end(tenant, ground, reading)
    return reading


def _subscriptions(arm: Arm) -> Iterator[ListedSubscription]:
    seen = set()
    for page in arm.subscription_pages():
        for row in page:
            found = subscription_of(row)
            if found and found.state.lower() != "deleted" and found.id not in seen:
                seen.add(found.id)
                yield found


def _note(tenant: Tenant, known: list[ListedSubscription], ground: Ground) -> None:
    with scope(tenant):
        rows = [(ground.keys(one.id)[0], one.state) for one in known]
        store.store_subscriptions(rows, ground.now)


def _read_tags_above(arm: Arm, known: list[ListedSubscription], ground: Ground) -> None:
    """Tags of subscriptions and groups, as far as the rule asks for them."""
    if ground.rule.from_subscription:
        for one in known:
            ground.subscription_tags[one.id] = wanted_tags(one.tags, ground.rule)
    if ground.rule.from_group:
        try:
            for page in arm.query(GROUPS, [one.key for one in known]):
                ground.group_tags |= group_tags(page, ground.rule)
        except PASSING:
            for one in known:
                for page in arm.group_pages(one.key):
                    ground.group_tags |= group_tags(page, ground.rule)


def _read_subscriptions(
    tenant: Tenant,
    arm: Arm,
    known: list[ListedSubscription],
    ground: Ground,
    reading: Reading,
) -> None:
    """By Resource Graph, hundreds at once; where it can't, by the listing, one by one."""
    for start in range(0, len(known), AT_ONCE):
        chunk = known[start : start + AT_ONCE]
        try:
            reading.resources += _store_pages(
                tenant, arm.query(RESOURCES, [one.key for one in chunk]), ground, by_listing=False
            )
        except PASSING as err:
            logger.info(
                "resource graph refused tenant_id=%s kind=%s", tenant.pk, type(err).__name__
            )
            _list_each(tenant, arm, chunk, ground, reading)
        else:
            _finish(tenant, chunk, ground)


def _list_each(
    tenant: Tenant,
    arm: Arm,
    chunk: list[ListedSubscription],
    ground: Ground,
    reading: Reading,
) -> None:
    for one in chunk:
        try:
            pages = arm.resource_pages(one.key)
            reading.resources += _store_pages(tenant, pages, ground, by_listing=True)
        except PASSING as err:
            reading.problem = str(err)
            with scope(tenant):
                row = AzureSubscription.objects.filter(pseudonym=ground.keys(one.id)[0])
                row.update(problem=str(err)[:300])
        else:
            reading.by_listing += 1
            _finish(tenant, [one], ground)


def _store_pages(
    tenant: Tenant, pages: Iterator[list[object]], ground: Ground, *, by_listing: bool
) -> int:
    """A transaction a page, and no more than a page in memory."""
    count = 0
    for page in pages:
        found = (resource_of(row, may_lack_tags=by_listing) for row in page)
        with scope(tenant):
            count += store.store_page([one for one in found if one], ground)
    return count


def _finish(tenant: Tenant, whole: list[ListedSubscription], ground: Ground) -> None:
    """These were read to their end: what was not seen is gone."""
    keys: list[uuid.UUID] = [ground.keys(one.id)[0] for one in whole]
    with scope(tenant):
        store.forget_gone(keys, ground.read_id)
        rows = AzureSubscription.objects.filter(pseudonym__in=keys)
        rows.update(read_at=ground.now, problem="")


def _read_settings(
    tenant: Tenant, arm: Arm, known: list[ListedSubscription], ground: Ground
) -> None:
    """Defender for Cloud's plans and where activity logs go; what can't be read stays unknown.

    Two requests a subscription: of very many only some are asked at each reading, in turn. A fault
    here leaves what was known, and spoils no reading.
    """
    start = ground.read_id * MOST_SETTINGS % len(known)
    for one in (known[start:] + known[:start])[:MOST_SETTINGS]:
        plans: dict[str, bool] | None = None
        logs: int | None = None
        try:
            with suppress(*PASSING):
                plans = plans_of(row for page in arm.plan_pages(one.key) for row in page)
            with suppress(*PASSING):
                logs = sum(len(page) for page in arm.log_setting_pages(one.key))
        except ApiError as err:
            logger.warning("settings not read tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
            return
        with scope(tenant):
            row = AzureSubscription.objects.filter(pseudonym=ground.keys(one.id)[0])
            row.update(plans=plans, log_settings=logs)


def _changed(arm: Arm, known: list[ListedSubscription], since: datetime) -> list[str]:
    query = CHANGES.format(since=since.isoformat())
    targets: dict[str, None] = {}
    for page in arm.query(query, [one.key for one in known]) if known else ():
        for row in page:
            target = {"id": row.get("target")} if isinstance(row, dict) else None
            if listed := resource_of(target, may_lack_tags=True):
                targets[listed.id] = None
        if len(targets) > MOST_CHANGES:
            raise TooMuch
    return list(targets)


def _read_targets(
    tenant: Tenant, arm: Arm, targets: list[str], ground: Ground, reading: Reading
) -> None:
    """What was changed and is there is stored; what is not there any more is forgotten."""
    query = SOME.format(ids=", ".join(_quoted(target) for target in targets))
    found: list[Listed] = []
    for page in arm.query(query):
        found += [one for row in page if (one := resource_of(row, may_lack_tags=False))]
    there = {one.id for one in found}
    gone = [key for target in targets if target not in there for key in ground.keys(target)]
    with scope(tenant):
        reading.resources += store.store_page(found, ground)
        store.forget_resources(gone)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _end(tenant: Tenant, ground: Ground, reading: Reading) -> None:
    with scope(tenant):
        if reading.is_full and reading.is_complete:
            store.forget_lost(ground.now)
        InventoryRead.objects.filter(pk=ground.read_id).update(
            ended_at=ground.now,
            is_complete=reading.is_complete,
            by_listing=reading.by_listing,
            resources=reading.resources,
            problem=reading.problem[:300],
        )
