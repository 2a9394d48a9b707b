"""manage.py audit: prove, export and archive the audit log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.http import QueryDict
from django.utils import timezone

from csc_portal.audit_formats import KINDS, WRITERS, heading
from csc_portal.audit_log import Reader, Wanted, parse, stream
from csc_portal.management.base import PortalCommand
from tenants.audit import SYSTEM, record
from tenants.audit_proof import BadArchive, Proof, archive, forget_archived, verify, verify_file
from tenants.audit_seals import seal_new
from tenants.models import Tenant

DO = ("verify", "export", "archive", "seal")
FILTERS = ("who", "action", "since", "until")


class Command(PortalCommand):
    help = "Prove that the audit log is whole, export it, or put old entries into a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("do", choices=DO)
        parser.add_argument("--file", help="verify: an archive instead of the database")
        parser.add_argument(
            "--head",
            help="verify: SEQ:SEAL as written down (a log line), which must still be there",
        )
        parser.add_argument("--out", help="export, archive: the file to write")
        parser.add_argument("--format", choices=KINDS, default="jsonl", help="export")
        parser.add_argument("--tenant", help="export: of this tenant only (slug)")
        for name in FILTERS:
            parser.add_argument(f"--{name}", default="", help="export: as on the page")
        parser.add_argument(
            "--older-than", type=int, default=365, help="archive: days; at least 1 (365)"
        )
        parser.add_argument(
            "--remove",
            action="store_true",
            help="archive: take archived entries of more than 90 days out of the database",
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(getattr(self, f"_{options['do']}")(options))
        except (BadArchive, OSError) as err:
            raise CommandError(str(err)) from err

    def _verify(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["file"]:
            with Path(options["file"]).open("rb") as lines:
                return _told(verify_file(lines))
        return _told(verify(_head(options["head"])))

    def _seal(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"sealed": seal_new(everything=True)}

    def _export(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["json"] and not options["out"]:
            raise CommandError("Give --out FILE with --json.")
        tenant = self.tenant(options["tenant"]) if options["tenant"] else None
        wanted = _wanted(options)
        if not options["out"]:
            for text in _texts(tenant, wanted, options["format"]):
                sys.stdout.write(text)
            return {}
        count = -1 if options["format"] == "csv" else 0
        with _new_file(Path(options["out"])) as out:
            for text in _texts(tenant, wanted, options["format"]):
                count += 1
                out.write(text.encode())
        return {"file": options["out"], "entries": count}

    def _archive(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["out"]:
            raise CommandError("Give --out FILE: where the entries go.")
        if options["older_than"] < 1:
            raise CommandError("--older-than is at least 1 day.")
        now = timezone.now()
        seal_new(everything=True)
        path = Path(options["out"])
        try:
            with _new_file(path) as out:
                made = archive(out, now - timedelta(days=options["older_than"]))
        except BadArchive:
            path.unlink()
            raise
        facts = {"first": made.first, "last": made.last, "sha256": made.digest.hex()}
        record(SYSTEM, "audit_archived", facts=facts)
        removed = forget_archived(now) if options["remove"] else 0
        return {"file": options["out"], "entries": made.last - made.first + 1, "removed": removed}


def _told(proof: Proof) -> dict[str, Any]:
    seq, mac = proof.head
    told: dict[str, Any] = {
        "whole": proof.broken is None,
        "checked": proof.checked,
        "unsealed": proof.unsealed,
        "head": f"{seq}:{mac.hex()}",
    }
    if proof.broken:
        broken = proof.broken
        told["broken"] = {"seq": broken.seq, "entry": broken.entry_id, "why": broken.why}
        told["error"] = f"Broken at {broken.seq} (entry {broken.entry_id or 'gone'}): {broken.why}"
    return told


def _head(text: str | None) -> tuple[int, bytes] | None:
    if not text:
        return None
    seq, _, mac = text.partition(":")
    try:
        return int(seq), bytes.fromhex(mac)
    except ValueError as err:
        raise CommandError("--head is SEQ:SEAL, as a log line 'audit sealed' says it.") from err


def _wanted(options: dict[str, Any]) -> Wanted:
    query = QueryDict(mutable=True)
    query.update({name: options[name] for name in FILTERS})
    wanted = parse(query)
    if wanted.problems:
        raise CommandError(wanted.problems[0])
    return wanted


def _texts(tenant: Tenant | None, wanted: Wanted, kind: str) -> Iterator[str]:
    tenants = [tenant] if tenant else Tenant.objects.all()
    reader = Reader({one.pk: one for one in tenants}, is_everywhere=tenant is None)
    yield from filter(None, [heading(kind)])
    yield from map(WRITERS[kind], stream(reader, wanted))


def _new_file(path: Path) -> IO[bytes]:
    """Readable by its owner alone; never over another one."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
