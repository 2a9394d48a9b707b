"""STIX 2.1: what a case's alerts name that others can look for, and that it was seen at a customer.

Addresses (not those of private networks), URLs, domains and hashes of files only: people and
devices are no indicators. Written without the `stix2` package, which would bring five others to
fill a few dictionaries; the tests read what is written here with it. https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerts.prepare import is_inside
from alerts.records import AlertRecord, EntityRecord, Kind

MEDIA_TYPE = "application/stix+json;version=2.1"
KINDS = (Kind.IP, Kind.URL, Kind.DOMAIN, Kind.FILE)
TLP_AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
"""Defined by the standard; a bundle needs not repeat it."""
_SPACE = uuid.UUID("6f0c2a52-7d0b-5a0e-9d5c-3f3b1c8e2a41")
_CLEAN = frozenset({"noThreatsFound"})
_TYPES = {"malicious": "malicious-activity", "suspicious": "anomalous-activity"}
_WORST = ("malicious", "suspicious")
_HASHES = {"sha256": ("'SHA-256'", 64), "sha1": ("'SHA-1'", 40), "md5": ("MD5", 32)}
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose case it is. `since`: when the portal got to know the customer."""

    tenant: uuid.UUID
    name: str
    since: datetime
    case: uuid.UUID
    reference: str


@dataclass(slots=True)
class _Seen:
    name: str
    verdict: str
    count: int
    created: datetime
    modified: datetime
    first: datetime
    last: datetime


def bundle(place: Place, records: Iterable[AlertRecord]) -> Object:
    """The same records give the same bundle, ids included."""
    seen: dict[str, _Seen] = {}
    for record in records:
        for entity in record.entities:
            if pattern := pattern_of(entity):
                _count(seen, pattern, entity, record)
    objects = [_customer(place)]
    for pattern in sorted(seen):
        objects += _told(place, pattern, seen[pattern])
    return {"type": "bundle", "id": f"bundle--{_id(place, 'bundle')}", "objects": objects}


def pattern_of(entity: EntityRecord) -> str:
    """As STIX patterns are written; "" for what is no indicator."""
    if entity.kind not in KINDS or entity.verdict in _CLEAN:
        return ""
    keys = dict(key.partition(":")[::2] for key in entity.identity)
    if entity.kind == Kind.FILE:
        found = [
            f"file:hashes.{name} = '{keys[kind]}'"
            for kind, (name, length) in _HASHES.items()
            if len(keys.get(kind, "")) == length and _HEX.fullmatch(keys[kind])
        ]
        return f"[{' OR '.join(found)}]" if found else ""
    value = keys.get(entity.kind.value, "")
    if entity.kind == Kind.IP:
        return "" if is_inside(f"ip:{value}") else _address(value)
    path = "url:value" if entity.kind == Kind.URL else "domain-name:value"
    return f"[{path} = {_quoted(value)}]" if value else ""


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return ""
    return f"[ipv{address.version}-addr:value = '{address}']"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _count(seen: dict[str, _Seen], pattern: str, entity: EntityRecord, record: AlertRecord) -> None:
    first = record.first_activity_at or record.created_at
    last = max(first, record.last_activity_at or first)
    old = seen.get(pattern)
    if old is None:
        created, modified = record.created_at, max(record.created_at, record.updated_at)
        seen[pattern] = _Seen(entity.kind.value, entity.verdict, 1, created, modified, first, last)
        return
    old.count += 1
    old.created, old.first = min(old.created, record.created_at), min(old.first, first)
    old.modified, old.last = max(old.modified, record.updated_at), max(old.last, last)
    verdicts = (old.verdict, entity.verdict)
    old.verdict = next((one for one in _WORST if one in verdicts), old.verdict)


def _customer(place: Place) -> Object:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{uuid.uuid5(_SPACE, str(place.tenant))}",
        "created": _time(place.since),
        "modified": _time(place.since),
        "name": place.name,
        "identity_class": "organization",
        "object_marking_refs": [TLP_AMBER],
    }


def _told(place: Place, pattern: str, seen: _Seen) -> list[Object]:
    """The indicator and its sighting."""
    common: Object = {
        "spec_version": "2.1",
        "created": _time(seen.created),
        "modified": _time(seen.modified),
        "object_marking_refs": [TLP_AMBER],
        "external_references": [{"source_name": "CSC Portal", "external_id": place.reference}],
    }
    indicator_id = f"indicator--{_id(place, pattern)}"
    indicator: Object = {
        "type": "indicator",
        "id": indicator_id,
        **common,
        "name": f"{seen.name.upper() if len(seen.name) < 4 else seen.name} in {place.reference}",
        "indicator_types": [_TYPES.get(seen.verdict, "unknown")],
        "pattern": pattern,
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": _time(seen.first),
    }
    sighting: Object = {
        "type": "sighting",
        "id": f"sighting--{_id(place, f'sighting {pattern}')}",
        **common,
        "sighting_of_ref": indicator_id,
        "where_sighted_refs": [f"identity--{uuid.uuid5(_SPACE, str(place.tenant))}"],
        "first_seen": _time(seen.first),
        "last_seen": _time(seen.last),
        "count": seen.count,
    }
    return [indicator, sighting]


def _id(place: Place, text: str) -> uuid.UUID:
    """Of this case: what is seen in another one was made at another time."""
    return uuid.uuid5(_SPACE, f"{place.case} {text}")


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
