"""The chain of the audit log: each entry's seal covers its content and the seal before it. Pure.

HMAC-SHA256 with a key that HKDF derives from the master key in the vault: somebody who has the
database alone can neither change an entry nor make up one that fits. See RFC 2104, RFC 5869.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

GENESIS = bytes(32)
"""What stands before the first seal."""
_SALT = b"csc-portal audit log"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as the database holds it."""

    id: int
    at: datetime
    actor: str
    action: str
    tenant_id: int | None
    subject: str
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal and its entry; None if the entry is gone."""

    seq: int
    mac: bytes
    key: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where the chain does not hold."""

    seq: int
    entry_id: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Archive:
    """Seals `first` to `last` are in a file with this SHA-256; the last of them is `last_mac`."""

    first: int
    last: int
    last_mac: bytes
    digest: bytes


def derive_key(master: bytes) -> bytes:
    """The chain's key of 32 bytes."""
    return hmac.digest(hmac.digest(_SALT, master, "sha256"), b"chain\x01", "sha256")


def canonical(entry: Entry) -> bytes:
    """The same bytes for the same content, whoever reads it: sorted keys, ASCII, times in UTC."""
    content = {
        "id": entry.id,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "tenant": entry.tenant_id,
        "subject": entry.subject,
        "facts": entry.facts,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def seal(key: bytes, before: bytes, seq: int, entry: Entry) -> bytes:
    """The seal of an entry at its place in the chain."""
    message = b"entry\0" + before + seq.to_bytes(8, "big") + canonical(entry)
    return hmac.digest(key, message, "sha256")


def seal_archive(key: bytes, archive: Archive) -> bytes:
    """Proves that the portal itself made the archive."""
    numbers = archive.first.to_bytes(8, "big") + archive.last.to_bytes(8, "big")
    return hmac.digest(key, b"archive\0" + numbers + archive.last_mac + archive.digest, "sha256")


def check(
    rows: Iterable[Sealed], keys: Mapping[str, bytes], seq: int, before: bytes
) -> tuple[int, bytes, Broken | None]:
    """Follow the chain from behind `seq` with its seal `before`: (last seq, last seal, trouble)."""
    for row in rows:
        trouble = _trouble(row, keys, seq + 1, before)
        if trouble:
            at = seq + 1
            return seq, before, Broken(at, row.entry.id if row.entry else None, trouble)
        seq, before = row.seq, row.mac
    return seq, before, None


def _trouble(row: Sealed, keys: Mapping[str, bytes], wanted: int, before: bytes) -> str:
    if row.seq != wanted:
        return "The seal is missing."
    if row.entry is None:
        return "The entry is missing."
    if row.key not in keys:
        return "It was sealed with a version of the key that the vault does not have."
    if not hmac.compare_digest(row.mac, seal(keys[row.key], before, row.seq, row.entry)):
        return "The entry or its seal was changed."
    return ""
