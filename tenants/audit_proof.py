"""Proves that the audit log is whole, and puts old parts of it into files that stay provable."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from django.db import connection, transaction
from django.utils import timezone

from tenants.audit_chain import (
    GENESIS,
    Archive,
    Broken,
    Entry,
    Sealed,
    check,
    seal_archive,
)
from tenants.audit_seals import chain_keys, entry_of
from tenants.models import AuditArchive, AuditEntry, AuditSeal
from tenants.rows import let_take_long
from tenants.scope import owner

BATCH = 2_000
PATIENCE = timedelta(hours=1)
"""An entry that is not sealed by then, although later ones are, was put in behind our back."""
KEPT = timedelta(days=90)
"""The database lets no younger entry go (migration 0017)."""

_CHAIN = """
SELECT s.seq, s.mac, s.key, e.id, e.at, e.actor, e.action, e.tenant_id, e.subject, e.facts
FROM tenants_auditseal s LEFT JOIN tenants_auditentry e ON e.id = s.entry_id
WHERE s.seq > %s ORDER BY s.seq LIMIT %s
"""
_LEFT_OUT = """
SELECT e.id FROM tenants_auditentry e LEFT JOIN tenants_auditseal s ON s.entry_id = e.id
WHERE s.entry_id IS NULL AND e.at < %s AND e.at < (
  SELECT n.at FROM tenants_auditentry n JOIN tenants_auditseal l ON l.entry_id = n.id
  ORDER BY l.seq DESC LIMIT 1) ORDER BY e.id LIMIT 1
"""


class BadArchive(ValueError):
    """The file is no archive of this log, or the part can't be archived; the message says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`checked` entries hold together; `head` is the last number and seal that do."""

    checked: int
    head: tuple[int, bytes]
    unsealed: int = 0
    broken: Broken | None = None


def verify(noted: tuple[int, bytes] | None = None) -> Proof:
    """Follow the whole chain that the database holds.

    `noted`: a number and seal that somebody wrote down earlier; it must still be there. Without it
    a chain that was cut off at its end looks whole. Raises BadSecret, ApiError without the vault.
    """
    keys = chain_keys()
    begin, before, broken = _begin(keys)
    seq = begin
    if broken is None:
        # From the first row that is there: none may be left of what an archive took away.
        seq, before, broken = check(_rows(0), keys, begin, before)
    broken = broken or (_other_than(noted) if noted else None) or _left_out()
    unsealed = AuditEntry.objects.count() - AuditSeal.objects.count()
    return Proof(seq - begin, (seq, before), max(0, unsealed), broken)


def _begin(keys: Mapping[str, bytes]) -> tuple[int, bytes, Broken | None]:
    """(number, seal) before the first row that is still here."""
    seq, before = 0, GENESIS
    first = AuditSeal.objects.order_by("seq").values_list("seq", flat=True).first()
    for row in AuditArchive.objects.order_by("first"):
        if first == seq + 1:
            break
        if row.first != seq + 1 or not _is_genuine(row, keys):
            return seq, before, Broken(row.first, None, "The note about an archive was changed.")
        seq, before = row.last, bytes(row.last_mac)
    return seq, before, None


def _is_genuine(row: AuditArchive, keys: Mapping[str, bytes]) -> bool:
    archive = Archive(row.first, row.last, bytes(row.last_mac), bytes(row.digest))
    key = keys.get(row.key)
    return key is not None and hmac.compare_digest(seal_archive(key, archive), bytes(row.mac))


def _other_than(noted: tuple[int, bytes]) -> Broken | None:
    seq, mac = noted
    row = AuditSeal.objects.filter(seq=seq).first()
    if row is not None:
        same = hmac.compare_digest(bytes(row.mac), mac)
        return None if same else Broken(seq, row.entry_id, "It is not the seal that was noted.")
    if AuditArchive.objects.filter(last__gte=seq).exists():
        return None
    return Broken(seq, None, "The end of the chain is missing.")


def _left_out() -> Broken | None:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_OUT, [timezone.now() - PATIENCE])
        row = cursor.fetchone()
    return Broken(0, row[0], "The entry was never sealed, but later ones were.") if row else None


def _rows(after: int, until: int | None = None) -> Iterator[Sealed]:
    """The chain behind a number, read in batches."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_CHAIN, [after, BATCH])
            rows = cursor.fetchall()
        for row in rows:
            if until is not None and row[0] > until:
                return
            entry = entry_of(row[3:]) if row[3] is not None else None
            yield Sealed(row[0], bytes(row[1]), row[2], entry)
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


# --- archives -------------------------------------------------------------------------------------


def archive(out: IO[bytes], until: datetime) -> Archive:
    """Write the entries that are older than `until`, and not in an archive yet, to a file.

    One JSON object a line: first what stands before, then the entries with their seals. Nothing
    leaves the database by it. Raises BadArchive when there is nothing, or the chain is broken.
    """
    keys = chain_keys()
    newest = AuditArchive.objects.order_by("-first").first()
    begin, before = (newest.last, bytes(newest.last_mac)) if newest else (0, GENESIS)
    last = _last_before(until)
    if last <= begin:
        raise BadArchive("There is nothing so old that is not in an archive yet.")
    digest = hashlib.sha256()

    def write(content: dict[str, Any]) -> None:
        line = json.dumps(content, sort_keys=True).encode() + b"\n"
        digest.update(line)
        out.write(line)

    def written() -> Iterator[Sealed]:
        for row in _rows(begin, last):
            write(as_line(row))
            yield row

    write({"first": begin + 1, "last": last, "before": before.hex()})
    end, mac, broken = check(written(), keys, begin, before)
    if broken or end != last:
        raise BadArchive("The chain is broken: see 'manage.py audit verify'.")
    made = Archive(begin + 1, last, mac, digest.digest())
    version, key = next(iter(keys.items()))
    AuditArchive.objects.create(
        first=made.first,
        last=made.last,
        last_mac=made.last_mac,
        digest=made.digest,
        at=timezone.now(),
        key=version,
        mac=seal_archive(key, made),
    )
    return made


def _last_before(until: datetime) -> int:
    """The last number of the part in which everything is older than `until`."""
    ids = AuditEntry.objects.filter(at__gte=until).values("pk")
    young = AuditSeal.objects.filter(entry_id__in=ids).order_by("seq").first()
    if young is not None:
        return int(young.seq) - 1
    newest = AuditSeal.objects.order_by("-seq").first()
    return int(newest.seq) if newest else 0


def forget_archived(now: datetime) -> int:
    """Take entries out of the database that are in an archive and older than KEPT; how many.

    As the owner of the tables: the portal's own role may not, and the triggers check it again.
    """
    with transaction.atomic(), owner(), connection.cursor() as cursor:
        let_take_long()
        cursor.execute(
            "SELECT max(last) FROM tenants_auditarchive a WHERE NOT EXISTS ("
            "SELECT FROM tenants_auditseal s JOIN tenants_auditentry e ON e.id = s.entry_id "
            "WHERE s.seq BETWEEN a.first AND a.last AND e.at >= %s)",
            [now - KEPT],
        )
        last = cursor.fetchone()[0] or 0
        cursor.execute(
            "DELETE FROM tenants_auditentry e USING tenants_auditseal s "
            "WHERE s.entry_id = e.id AND s.seq <= %s",
            [last],
        )
        gone = int(cursor.rowcount)
        cursor.execute("DELETE FROM tenants_auditseal WHERE seq <= %s", [last])
    return gone


def verify_file(lines: IO[bytes]) -> Proof:
    """Follow the chain of an archive, and compare it with the note that we keep of it."""
    keys = chain_keys()
    digest = hashlib.sha256()

    def told() -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    source = told()
    try:
        header = json.loads(next(source, b""))
        begin, before = int(header["first"]) - 1, bytes.fromhex(header["before"])
        seq, mac, broken = check(map(from_line, source), keys, begin, before)
    except (KeyError, TypeError, ValueError) as err:
        raise BadArchive("The file is no archive of the audit log.") from err
    if broken is None:
        row = AuditArchive.objects.filter(first=begin + 1, last=seq).first()
        known = row is not None and _is_genuine(row, keys)
        if not known or row is None or bytes(row.digest) != digest.digest():
            broken = Broken(seq, None, "The portal has no note of an archive with this content.")
    return Proof(seq - begin, (seq, mac), 0, broken)


def as_line(row: Sealed) -> dict[str, Any]:
    """What an archive says of an entry."""
    entry = row.entry
    told: dict[str, Any] = {"seq": row.seq, "seal": row.mac.hex(), "key": row.key}
    if entry is not None:
        told |= {
            "id": entry.id,
            "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": entry.actor,
            "action": entry.action,
            "tenant": entry.tenant_id,
            "subject": entry.subject,
            "facts": entry.facts,
        }
    return told


def from_line(line: bytes) -> Sealed:
    """Raises KeyError, TypeError, ValueError."""
    told = json.loads(line)
    at = datetime.fromisoformat(told["at"])
    entry = Entry(
        int(told["id"]), at, told["actor"], told["action"], told["tenant"], told["subject"],
        dict(told["facts"]),
    )  # fmt: skip
    return Sealed(int(told["seq"]), bytes.fromhex(told["seal"]), told["key"], entry)
