"""Puts new entries of the audit log into its chain: in batches, in one place.

Writers never wait for each other, and the chain can't fork. What that guards against and what not
stands in docs/architecture.md.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from tenants.audit_chain import GENESIS, Entry, derive_key, seal
from tenants.directories import master_keys
from tenants.models import AuditArchive, AuditSeal

logger = logging.getLogger(__name__)

BATCH = 2_000
LATE = 10_000
"""Transactions end in another order than they took their ids in: so far back a look is cheap."""
_LOCK = 0x43534341  # "CSCA"

_NEW = """
SELECT e.id, e.at, e.actor, e.action, e.tenant_id, e.subject, e.facts
FROM tenants_auditentry e LEFT JOIN tenants_auditseal s ON s.entry_id = e.id
WHERE e.id > %s AND s.entry_id IS NULL ORDER BY e.id LIMIT %s
"""


def chain_keys() -> dict[str, bytes]:
    """Version -> key, newest first. Raises BadSecret, ApiError when the vault is away."""
    return {version: derive_key(master) for version, master in master_keys()}


def seal_new(*, everything: bool = False) -> int:
    """Seal what was written since; how many. One process at a time, the others do nothing.

    `everything`: look for entries of any age that were left out (a transaction of hours).
    """
    keys = chain_keys()
    count = 0
    while True:
        with transaction.atomic():
            if not _is_ours():
                return count
            sealed = _seal_batch(keys, everything=everything)
        count += sealed
        if sealed < BATCH:
            return count


def _is_ours() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _seal_batch(keys: Mapping[str, bytes], *, everything: bool) -> int:
    seq, before, newest = head()
    entries = _unsealed(0 if everything else newest - LATE)
    version, key = next(iter(keys.items()))
    seals = []
    for entry in entries:
        seq += 1
        before = seal(key, before, seq, entry)
        seals.append(AuditSeal(seq=seq, entry_id=entry.id, mac=before, key=version))
    AuditSeal.objects.bulk_create(seals)
    if seals:
        # Kept by whoever keeps the logs: a chain that was cut off behind this is found out.
        logger.info("audit sealed entries=%s head=%s:%s", len(seals), seq, before.hex())
    return len(seals)


def head() -> tuple[int, bytes, int]:
    """(number, seal, entry id) of the end of the chain."""
    last = AuditSeal.objects.order_by("-seq").first()
    if last is not None:
        return last.seq, bytes(last.mac), last.entry_id
    archive = AuditArchive.objects.order_by("-first").first()
    return (archive.last, bytes(archive.last_mac), 0) if archive else (0, GENESIS, 0)


def _unsealed(above: int) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(_NEW, [max(0, above), BATCH])
        return [entry_of(row) for row in cursor.fetchall()]


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Of a row (id, at, actor, action, tenant, subject, facts as text)."""
    pk, at, actor, action, tenant_id, subject, facts = row
    return Entry(pk, at, actor, action, tenant_id, subject, json.loads(facts))
