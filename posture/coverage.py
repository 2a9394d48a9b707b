"""Is an Azure resource watched? Decided by the tenant's rule about tags.

Pure: tags go in, a state and a reason come out. Azure's facts: names of tags are compared without
case, values with it unless the rule says otherwise; a resource inherits no tag by itself; a moved
resource has another id; names that begin with `hidden-` are Azure's own. In doubt a resource is not
watched, so that somebody looks. Tags that were not read at all are another thing: nobody knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

HIDDEN = "hidden-"
_GOING = frozenset({"deleting", "deleted"})


class State(StrEnum):
    """What is said of a resource. UNKNOWN raises nothing, but is shown."""

    WATCHED = "watched"
    UNWATCHED = "unwatched"
    EXEMPT = "exempt"
    IGNORED = "ignored"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """The reason, one of a closed list: the tags themselves are not kept."""

    TAG = "tag"
    GROUP_TAG = "group_tag"
    SUBSCRIPTION_TAG = "subscription_tag"
    NO_TAGS = "no_tags"
    MISSING = "missing"
    EMPTY = "empty"
    OTHER_VALUE = "other_value"
    NOT_TEXT = "not_text"
    EXEMPT = "exempt"
    EXPIRED = "expired"
    TYPE = "type"
    DELETED = "deleted"
    UNREAD = "unread"
    NO_RULE = "no_rule"


WORDS: Final[Mapping[Why, str]] = {
    Why.TAG: "It carries {tag}.",
    Why.GROUP_TAG: "Its resource group carries {tag}.",
    Why.SUBSCRIPTION_TAG: "Its subscription carries {tag}.",
    Why.NO_TAGS: "It has no tags.",
    Why.MISSING: "{tag} is missing.",
    Why.EMPTY: "The tag is there, but empty.",
    Why.OTHER_VALUE: "It carries another value than {tag}.",
    Why.NOT_TEXT: "Its tags are no text, so nobody can tell.",
    Why.EXEMPT: "It is exempt.",
    Why.EXPIRED: "Its exemption has expired.",
    Why.TYPE: "Resources of this type don't matter.",
    Why.DELETED: "It is being deleted.",
    Why.UNREAD: "Its tags were not in Azure's answer.",
    Why.NO_RULE: "There is no rule yet.",
}


class Unread:
    """Stands for tags that the answer did not hold, as in one that was filtered by tag."""


UNREAD: Final = Unread()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tag that tells of watching. Without values any value does that is not empty."""

    name: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}={' or '.join(self.values)}" if self.values else self.name


@dataclass(frozen=True, slots=True)
class Rule:
    """`needs_all`: every tag of the list is wanted, else one is enough. `types`: those that don't
    matter, in lower case; one that ends in `/*` stands for all that begin so.
    """

    tags: tuple[Wanted, ...] = ()
    needs_all: bool = False
    exact_case: bool = False
    from_group: bool = False
    from_subscription: bool = False
    types: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return (" and " if self.needs_all else " or ").join(str(tag) for tag in self.tags)

    def ignores(self, kind: str) -> bool:
        kind = kind.strip().lower()
        if kind in self.types:
            return True
        parts = kind.split("/")
        return any("/".join([*parts[:end], "*"]) in self.types for end in range(1, len(parts)))


@dataclass(frozen=True, slots=True)
class Resource:
    """What of a resource counts. `keys`: pseudonyms of itself, its group and its subscription.

    Tags are as Azure gave them: an object, null, nothing, or worse.
    """

    kind: str
    tags: object = None
    group_tags: object = None
    subscription_tags: object = None
    provisioning: str = ""
    keys: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    state: State
    why: Why


def judge(
    resource: Resource, rule: Rule, exemptions: Mapping[uuid.UUID, datetime], now: datetime
) -> Outcome:
    """`exemptions`: until when what has this pseudonym is exempt, with all that lies in it."""
    if resource.provisioning.strip().lower() in _GOING:
        return Outcome(State.IGNORED, Why.DELETED)
    if rule.ignores(resource.kind):
        return Outcome(State.IGNORED, Why.TYPE)
    if not rule.tags:
        return Outcome(State.UNKNOWN, Why.NO_RULE)
    watched, why = _by_tags(resource, rule)
    if watched:
        return Outcome(State.WATCHED, why)
    ends = [exemptions[key] for key in resource.keys if key in exemptions]
    if any(end > now for end in ends):
        return Outcome(State.EXEMPT, Why.EXEMPT)
    if why is Why.UNREAD:
        return Outcome(State.UNKNOWN, why)
    return Outcome(State.UNWATCHED, Why.EXPIRED if ends else why)


def explain(why: Why, rule: Rule) -> str:
    """The reason in words, with the tags of the rule."""
    text = WORDS[why].format(tag=f"the tag {rule}" if rule.tags else "the tag")
    return text[:1].upper() + text[1:]


def _by_tags(resource: Resource, rule: Rule) -> tuple[bool, Why]:
    """Whether the tags say that it is watched, and the reason that weighs most."""
    places = [(Why.TAG, resource.tags)]
    if rule.from_group:
        places.append((Why.GROUP_TAG, resource.group_tags))
    if rule.from_subscription:
        places.append((Why.SUBSCRIPTION_TAG, resource.subscription_tags))
    found = [_one_tag(wanted, places, rule.exact_case) for wanted in rule.tags]
    hits = [why for hit, why in found if hit]
    if len(hits) == len(found) or (hits and not rule.needs_all):
        return True, hits[0]
    misses = [why for hit, why in found if not hit]
    return False, min(misses, key=_WEIGHT.index)


# What is told if several tags miss in several ways: what says most about the resource.
_WEIGHT = (Why.UNREAD, Why.NOT_TEXT, Why.OTHER_VALUE, Why.EMPTY, Why.MISSING, Why.NO_TAGS)


def _one_tag(
    wanted: Wanted, places: Iterable[tuple[Why, object]], exact_case: bool
) -> tuple[bool, Why]:
    """The nearest place that has the tag decides: a resource's own `false` is never overruled."""
    misses: list[Why] = []
    for place, tags in places:
        values, miss = _values(wanted.name, tags)
        if values:
            verdict = _compare(wanted, values, exact_case)
            return (True, place) if verdict is None else (False, verdict)
        if miss in (Why.UNREAD, Why.NOT_TEXT):
            return False, miss
        misses.append(miss)
    return False, misses[0]


def _values(name: str, tags: object) -> tuple[list[object], Why]:
    """All values of a name, which hostile documents may spell in several ways; else the reason."""
    if isinstance(tags, Unread):
        return [], Why.UNREAD
    if tags is None:
        return [], Why.NO_TAGS
    if not isinstance(tags, dict):
        return [], Why.NOT_TEXT
    own = {key: value for key, value in tags.items() if not _is_hidden(key)}
    if not own:
        return [], Why.NO_TAGS
    wanted = name.strip().casefold()
    found = [value for key, value in own.items() if str(key).strip().casefold() == wanted]
    return [value for value in found if value is not None], Why.MISSING


def _is_hidden(name: object) -> bool:
    return str(name).strip().casefold().startswith(HIDDEN)


def _compare(wanted: Wanted, values: list[object], exact_case: bool) -> Why | None:
    """None if every value is a wanted one."""
    texts = [value.strip() for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        return Why.NOT_TEXT
    if not all(texts):
        return Why.EMPTY
    if not wanted.values:
        return None
    if exact_case:
        is_right = set(texts) <= {value.strip() for value in wanted.values}
    else:
        known = {value.strip().casefold() for value in wanted.values}
        is_right = {text.casefold() for text in texts} <= known
    return None if is_right else Why.OTHER_VALUE
