"""Names of resources, read from Azure at this moment. Nothing of it is stored.

A pseudonym can't be turned back: Azure is asked for what has the same type and subscription, and
each answer is pseudonymised once more. Bounded: what was not found keeps its pseudonym.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.errors import ApiError
from clients.http import Policy
from clients.microsoft.azure import Arm
from posture.azure_documents import KIND, arm_key, subscription_of
from posture.models import AzureResource
from tenants.canonical import canonical_arm
from tenants.pseudonyms import Pseudonymiser

MOST_PAGES = 12
MOST_NAMES = 100
IMPATIENT = Policy(read_s=10, deadline_s=12, attempts=1, retry_after_cap_s=2, governor_wait_s=4)
QUERY = "Resources | where type in~ ({types}) | project id, name | order by id asc"
NOT_ALL = "There are too many resources of these kinds to find all names. Narrow the list."


@dataclass(slots=True)
class LiveNames:
    """For one answer with `no-store` only. `problem`: a sentence, "" if all was looked at."""

    names: dict[uuid.UUID, str] = field(default_factory=dict)
    problem: str = ""


def read_names(
    arm: Arm, pseudonymiser: Pseudonymiser, resources: Sequence[AzureResource]
) -> LiveNames:
    """Names of resources and of their subscriptions, by pseudonym. Never raises ApiError."""
    found = LiveNames()
    hasty = arm.with_policy(IMPATIENT)
    wanted = {one.pseudonym for one in resources[:MOST_NAMES]}
    try:
        keys = _subscriptions(hasty, pseudonymiser, {one.subscription for one in resources}, found)
        _resources(
            hasty, pseudonymiser, sorted({one.type for one in resources}), keys, wanted, found
        )
    except ApiError as err:
        found.problem = str(err)
    return found


def _subscriptions(
    arm: Arm, pseudonymiser: Pseudonymiser, wanted: set[uuid.UUID], found: LiveNames
) -> list[str]:
    keys = []
    for page in arm.subscription_pages():
        for row in page:
            one = subscription_of(row)
            if one is None or not isinstance(row, dict):
                continue
            pseudonym = pseudonymiser.pseudonym(KIND, arm_key(one.id))
            if pseudonym in wanted:
                keys.append(one.key)
                found.names[pseudonym] = str(row.get("displayName") or one.key)[:200]
    return keys


def _resources(
    arm: Arm,
    pseudonymiser: Pseudonymiser,
    types: list[str],
    subscriptions: list[str],
    wanted: set[uuid.UUID],
    found: LiveNames,
) -> None:
    if not subscriptions:
        return
    query = QUERY.format(types=", ".join(f"'{kind}'" for kind in types))
    missing = set(wanted)
    for number, page in enumerate(arm.query(query, subscriptions)):
        for row in page:
            given = row.get("id") if isinstance(row, dict) else None
            if not isinstance(row, dict) or not isinstance(given, str):
                continue
            pseudonym = pseudonymiser.pseudonym(KIND, arm_key(canonical_arm(given)))
            if pseudonym in missing:
                found.names[pseudonym] = str(row.get("name") or "")[:200]
                missing.discard(pseudonym)
        if not missing:
            return
        if number + 1 == MOST_PAGES:
            found.problem = NOT_ALL
            return
