"""Why an alert joined a case, or one case another: as data, and in words. Pure.

The data (`Alert.join_facts`, facts of the events `merged` and `joined`) name entities by kind and
pseudonym, products and classes of detections; nothing personal.

    {"by": "entities", "other": 17, "score": 2.1, "gap_s": 900, "step": 1,
     "terms": [["user", "0f0e...", 1.9], ["ip", "77aa...", 0.2]]}
    {"by": "incident", "other": 17, "incident": "924"}
    {"by": "overlap", "how": "class", "class": "odd_sign_in", "label": "Odd sign-in", "other": 17,
     "sources": ["azureAdIdentityProtection", "microsoftDefenderForCloudApps"], ...}
    {"by": "hand"}, {"by": "first"}, {"by": "first", "continues": 4}
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alerts.correlate import Link
from alerts.dossier import sentence_of
from alerts.overlap import OverlapClass
from tenants.pseudonyms import label

Facts = dict[str, Any]
KINDS = {
    "oauth_app": "app", "service_principal": "app", "cloud_resource": "resource", "ip": "address",
    "url": "link", "mail_cluster": "group of mails", "logon_request": "sign-in",
    "logon_session": "session", "sas_token": "access token", "teams_message": "message",
    "blob_container": "container of files", "ai_agent": "AI agent", "iot_device": "device",
}  # fmt: skip


def facts_of(
    link: Link,
    other: int,
    entities: Mapping[int, tuple[str, uuid.UUID]],
    classes: Mapping[str, OverlapClass],
) -> Facts:
    """The link as it is stored with the alert that it brought; `other` is the one it leads to."""
    facts: Facts = {"by": link.by, "other": other, "gap_s": round(link.gap_s)}
    if link.by == "incident":
        return facts | {"incident": link.incident}
    facts["terms"] = [
        [entities[entity][0], str(entities[entity][1]), round(points, 3)]
        for entity, points in link.terms
        if entity in entities
    ]
    if link.match is None:
        return facts | {"score": round(link.score, 3), "step": link.step}
    facts |= {"how": link.match.how, "sources": list(link.match.sources)}
    if link.match.name:
        facts |= {"class": link.match.name, "label": classes[link.match.name].label}
    return facts


def sentence(
    facts: Mapping[str, Any],
    product: Callable[[str], str] = str,
    name: Callable[[str, uuid.UUID], str] = label,
) -> str:
    """The reason in words. `product`: how a serviceSource is called; `name`: how an entity is."""
    by = facts.get("by")
    if by == "first":
        if facts.get("continues"):
            return f"The case before (#{facts['continues']}) is full, so this one continues it."
        return "First alert of the case."
    if by == "hand":
        return "Moved here by hand."
    if by == "incident":
        return f"Microsoft put both into incident {facts.get('incident', '')}."
    shared = sentence_of([_thing(term, name) for term in facts.get("terms", [])])
    apart = _duration(int(facts.get("gap_s", 0)))
    if by == "overlap":
        return _overlap(facts, shared, apart, product)
    if by != "entities":
        return "Joined the case."
    stage = {1: ", further along the attack", -1: ", an earlier step of an attack"}
    return f"Shares {shared}, {apart} apart{stage.get(facts.get('step', 0), '')}."


def _overlap(
    facts: Mapping[str, Any], shared: str, apart: str, product: Callable[[str], str]
) -> str:
    first, later = [*map(product, facts.get("sources", [])), "", ""][:2]
    how = facts.get("how")
    if how == "same_id":
        return f"The same alert under another id: {first} and {later} report it."
    if how == "reissued":
        return f"{first} issued the alert again under a new id, {apart} apart."
    what = facts.get("label", "")
    return f"{first} and {later} report one event ({what}): both name {shared}, {apart} apart."


def _thing(term: Sequence[Any], name: Callable[[str, uuid.UUID], str]) -> str:
    kind, pseudonym = str(term[0]), uuid.UUID(str(term[1]))
    return name(KINDS.get(kind, kind), pseudonym)


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
