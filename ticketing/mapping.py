"""How a customer wants its tickets: priority by severity, and what differs by pillar. Pure.

    {"priorities": {"high": 4, "medium": 2}, "pillars": {"device": {"group_id": "7"}}}

`priorities`: severity -> 1 (low) to 4 (urgent); what is not said follows the case's own priority.
`pillars`: pillar -> options that take the place of the connection's where a ticket is opened. Only
those that don't change where a ticket is looked for: a case that grows may get another pillar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clients.errors import Rejected

SEVERITIES = ("high", "medium", "low", "informational")
PILLARS = ("identity", "device", "app", "data", "infrastructure")
PRIORITIES = (1, 2, 3, 4)
BY_PILLAR = frozenset({"group_id", "custom_fields", "fields", "issue_type", "requester_email"})


def read_mapping(given: Mapping[str, object]) -> dict[str, object]:
    """As it is stored. Raises Rejected that names the place."""
    unknown = set(given) - {"priorities", "pillars"}
    if unknown:
        raise _wrong(min(unknown), "is not known")
    found: dict[str, object] = {}
    if priorities := _part(given, "priorities", SEVERITIES):
        for severity, value in priorities.items():
            if isinstance(value, bool) or value not in PRIORITIES:
                raise _wrong(f"priorities.{severity}", "has to be 1, 2, 3 or 4")
        found["priorities"] = dict(priorities)
    if pillars := _part(given, "pillars", PILLARS):
        for pillar, options in pillars.items():
            if not isinstance(options, Mapping):
                raise _wrong(f"pillars.{pillar}", "has to hold options with values")
            if others := set(options) - BY_PILLAR:
                known = ", ".join(sorted(BY_PILLAR))
                raise _wrong(f"pillars.{pillar}.{min(others)[:40]}", f"can't differ: only {known}")
        found["pillars"] = dict(pillars)
    return found


def _part(given: Mapping[str, object], name: str, known: Iterable[str]) -> Mapping[str, object]:
    part = given.get(name) or {}
    if not isinstance(part, Mapping):
        raise _wrong(name, "has to hold names with values")
    unknown = set(part) - set(known)
    if unknown:
        raise _wrong(f"{name}.{min(unknown)[:40]}", f"is not known: use {', '.join(known)}")
    return part


def priority_for(mapping: Mapping[str, object], severity: str, usual: int) -> int:
    """The ticket's priority for a case of this severity; `usual` if nothing is said."""
    priorities = mapping.get("priorities")
    said = priorities.get(severity) if isinstance(priorities, Mapping) else None
    return said if isinstance(said, int) and said in PRIORITIES else usual


def options_by_pillar(
    options: Mapping[str, object], mapping: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """Pillar -> all options, for the pillars whose options differ."""
    pillars = mapping.get("pillars")
    if not isinstance(pillars, Mapping):
        return {}
    return {
        pillar: {**options, **changed}
        for pillar, changed in pillars.items()
        if pillar in PILLARS and isinstance(changed, Mapping)
    }


def first_pillar(bits: int) -> str:
    """The first pillar of a case in the order of the chain, "" if it has none."""
    return next((name for bit, name in enumerate(PILLARS) if bits & 1 << bit), "")


def _wrong(place: str, text: str) -> Rejected:
    return Rejected(f"The mapping can't be used: {place} {text}.", code="mapping")
