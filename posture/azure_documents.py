"""What Azure answers, as far as it counts: pure, and wary of every field.

Resource Graph's rows and those of the listing are read alike. An id, a name or a tag leaves this
module only towards a pseudonym or the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from posture.coverage import UNREAD, Rule
from tenants.canonical import canonical_arm

KIND = "cloud_resource"
"""Entities of alerts have this kind, so that a resource in a case can be found here."""
UNKNOWN_TYPE = "unknown"
CUSTOM = "microsoft.customproviders"
_SUBSCRIPTION = re.compile(r"/subscriptions/[0-9a-z-]{1,64}")
_GROUP = re.compile(r"/subscriptions/[0-9a-z-]{1,64}/resourcegroups/[^/]{1,90}")
_TYPE = re.compile(r"[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){1,5}(/[a-z0-9_.-]{1,60}){1,6}")
_LOCATION = re.compile(r"[a-z0-9]{1,40}")
SUBSCRIPTION_STATES = frozenset({"Enabled", "Warned", "PastDue", "Disabled", "Deleted"})
"""Azure's own; what else stands there is nobody's to keep."""
_WORD = re.compile(r"[A-Za-z0-9]{1,60}")
_LONGEST_ID = 2048
_LONGEST_TYPE = 120


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource of an answer. Ids are canonical; `group` is "" outside of groups."""

    id: str
    subscription: str
    group: str
    type: str
    location: str
    tags: object
    provisioning: str


@dataclass(frozen=True, slots=True)
class ListedSubscription:
    """A subscription that the app may see. `key` is the part after /subscriptions/."""

    id: str
    key: str
    state: str
    tags: object


def arm_key(arm_id: str) -> str:
    """The key under which alerts' entities have their pseudonym."""
    return f"arm:{arm_id}"


def resource_of(row: object, *, may_lack_tags: bool) -> Listed | None:
    """None for a row without a usable id.

    `may_lack_tags`: the listing leaves tags out where there are none. Resource Graph answers every
    column that was asked for; a row without it was not answered whole.
    """
    if not isinstance(row, dict):
        return None
    found = _id(row.get("id"))
    subscription = _SUBSCRIPTION.match(found)
    if subscription is None or found == subscription.group():
        return None
    group = _GROUP.match(found)
    properties = row.get("properties")
    stage = row.get("provisioningState", row.get("provisioning"))
    if stage is None and isinstance(properties, dict):
        stage = properties.get("provisioningState")
    return Listed(
        id=found,
        subscription=subscription.group(),
        group=group.group() if group else "",
        type=_type(row.get("type")),
        location=_word(row.get("location"), _LOCATION),
        tags=row.get("tags", None if may_lack_tags else UNREAD),
        provisioning=stage if isinstance(stage, str) else "",
    )


def subscription_of(row: object) -> ListedSubscription | None:
    if not isinstance(row, dict):
        return None
    found = _id(row.get("id"))
    if _SUBSCRIPTION.fullmatch(found) is None:
        return None
    state = row.get("state")
    state = state if state in SUBSCRIPTION_STATES else ""
    return ListedSubscription(found, found.split("/")[2], state, row.get("tags"))


def group_tags(rows: Iterable[object], rule: Rule) -> dict[str, object]:
    """Tags of resource groups by canonical id: only those that the rule asks for are kept."""
    found: dict[str, object] = {}
    for row in rows:
        if isinstance(row, dict) and _GROUP.fullmatch(key := _id(row.get("id"))):
            found[key] = wanted_tags(row.get("tags"), rule)
    return found


def wanted_tags(tags: object, rule: Rule) -> object:
    """The tags that the rule asks for, so that tens of thousands of groups fit into memory."""
    if not isinstance(tags, dict):
        return tags
    names = {wanted.name.strip().casefold() for wanted in rule.tags}
    return {name: tags[name] for name in tags if str(name).strip().casefold() in names}


def plans_of(rows: Iterable[object]) -> dict[str, bool]:
    """Defender for Cloud's plans: name -> is on. The Standard tier is the paid one."""
    found = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(properties := row.get("properties"), dict):
            continue
        name = row.get("name")
        if isinstance(name, str) and _WORD.fullmatch(name) and not properties.get("deprecated"):
            found[name] = str(properties.get("pricingTier")).lower() == "standard"
    return found


def _type(value: object) -> str:
    """Types are Microsoft's words, but those of custom providers, which customers name."""
    found = _word(value, _TYPE)
    if len(found) > _LONGEST_TYPE:
        return UNKNOWN_TYPE
    return CUSTOM if found.startswith(f"{CUSTOM}/") else found or UNKNOWN_TYPE


def _id(value: object) -> str:
    return canonical_arm(value) if isinstance(value, str) and len(value) <= _LONGEST_ID else ""


def _word(value: object, pattern: re.Pattern[str]) -> str:
    text = value.strip().lower() if isinstance(value, str) else ""
    return text if pattern.fullmatch(text) else ""
