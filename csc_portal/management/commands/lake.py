"""manage.py lake: write the lake, compare it with the database, ask it, say how long it keeps."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from csc_portal.figures import count_figures
from csc_portal.lake_due import FAULTS
from csc_portal.lake_keep import LEAST_DAYS, MOST_DAYS, keep
from csc_portal.lake_run import begin_anew, export, lake_store, orphans, verify, write_again
from csc_portal.management.base import PortalCommand
from csc_portal.management.commands.sync import moment
from csc_portal.spreadsheet import no_formula
from csc_portal.turns import LAKE, turn
from lake.analyses import ANALYSES
from lake.manifest import Manifest
from lake.reader import BadQuery, Lake, Limits
from lake.store import Store
from tenants.audit import SYSTEM, record
from tenants.models import Tenant

DO = ("export", "verify", "query", "keep")
MOST_SAID = 20


class Command(PortalCommand):
    help = "Write the lake, compare it with the database, ask it, say how long it keeps."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("do", choices=DO)
        parser.add_argument("what", nargs="*", help="query: the SQL; else slugs of tenants")
        parser.add_argument("--all", action="store_true", help="every tenant that is not off")
        parser.add_argument("--tenant", action="append", help="query: of this one (slug); repeat")
        parser.add_argument("--since", type=moment, help="export: write windows again from then")
        parser.add_argument("--until", type=moment, help="export: ... that ended before then")
        parser.add_argument("--anew", action="store_true", help="export: forget it, write it all")
        parser.add_argument("--saved", choices=sorted(ANALYSES), help="query: instead of SQL")
        parser.add_argument("--rows", type=int, default=10_000, help="query: at most (10000)")
        parser.add_argument("--seconds", type=float, default=60, help="query: at most (60)")
        parser.add_argument("--memory", type=int, default=1024, help="query: MB at most (1024)")
        parser.add_argument("--days", type=int, help="keep: so many, from 30 on")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(getattr(self, f"_{options['do']}")(options))
        except FAULTS as err:
            raise CommandError(_said(err)) from err

    # --- writing ----------------------------------------------------------------------------------

    def _export(self, options: dict[str, Any]) -> dict[str, Any]:
        store, told = lake_store(), {"tenants": 0, "windows": 0, "rows": 0}
        busy = []
        for tenant in self._tenants(options):
            with turn(tenant.pk, LAKE) as is_ours:
                if not is_ours:
                    busy.append(tenant.slug)
                    continue
                windows, rows = _written(tenant, store, options)
            told["tenants"] += 1
            told["windows"] += windows
            told["rows"] += rows
        if busy:
            names = ", ".join(busy[:MOST_SAID])
            return {**told, "error": f"Being written just now, so left out: {names}."}
        return told

    def _verify(self, options: dict[str, Any]) -> dict[str, Any]:
        store, told = lake_store(), {"tenants": 0, "windows": 0, "rows": 0}
        differences: list[dict[str, object]] = []
        for tenant in self._tenants(options):
            found = verify(tenant, store)
            told["tenants"] += 1
            told["windows"] += found.windows
            told["rows"] += found.rows
            differences += [
                {"tenant": tenant.slug, "window": one.window, "table": one.table,
                 "problem": one.problem, "rows": one.rows, "wanted": one.wanted}
                for one in found.differences
            ]  # fmt: skip
        result: dict[str, Any] = {**told, "differences": differences, "orphans": orphans(store)}
        if differences:
            slugs = sorted({str(one["tenant"]) for one in differences})
            result["error"] = f"The lake differs from the database: {', '.join(slugs[:MOST_SAID])}."
        return result

    def _keep(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["days"] not in range(LEAST_DAYS, MOST_DAYS + 1):
            raise CommandError(f"Say how long with --days N, from {LEAST_DAYS} to {MOST_DAYS}.")
        tenants = self._tenants(options)
        for tenant in tenants:
            keep(tenant, options["days"], SYSTEM)
        return {"tenants": len(tenants), "days": options["days"]}

    def _tenants(self, options: dict[str, Any]) -> list[Tenant]:
        if options["all"]:
            return list(Tenant.objects.exclude(state=Tenant.State.OFFBOARDED).order_by("pk"))
        if not options["what"]:
            raise CommandError("Name tenants by their slugs, or give --all.")
        return [self.tenant(slug) for slug in options["what"]]

    # --- asking -----------------------------------------------------------------------------------

    def _query(self, options: dict[str, Any]) -> dict[str, Any]:
        sql = ANALYSES[options["saved"]].sql if options["saved"] else " ".join(options["what"])
        if not sql.strip():
            names = ", ".join(sorted(ANALYSES))
            raise CommandError(f"Give SQL, or --saved with one of: {names}.")
        named = [self.tenant(slug) for slug in options["tenant"] or ()]
        tenants = named or list(Tenant.objects.all())
        meant: list[Tenant | None] = [*named] or [None]
        for tenant in meant:
            record(SYSTEM, "lake_queried", tenant, facts={"saved": options["saved"] or ""})
        limits = Limits(options["memory"], seconds=options["seconds"], rows=options["rows"])
        store = lake_store()
        try:
            with Lake(store, {str(one.public_id): one.slug for one in tenants}, limits) as lake:
                answer = lake.query(sql)
        except BadQuery as err:
            raise CommandError(str(err)) from err
        if options["json"]:
            rows = [[_plain(value) for value in row] for row in answer.rows]
            return {"columns": answer.columns, "rows": rows, "cut": answer.is_cut}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([[no_formula(value) for value in row] for row in answer.rows])
        self.stdout.write(text.getvalue(), ending="")
        cut = f"There are more rows; these are the first {options['rows']}."
        return {"error": cut} if answer.is_cut else {}


def _written(tenant: Tenant, store: Store, options: dict[str, Any]) -> tuple[int, int]:
    """(windows, rows): those of the period again, or what is new."""
    since, until = options["since"], options["until"]
    if since or until:

        def is_meant(window: Manifest) -> bool:
            return (not since or window.until >= since) and (not until or window.until < until)

        done = write_again(tenant, store, is_meant)
        record(SYSTEM, "lake_written_again", tenant, facts={"windows": done[0]})
        return done
    if options["anew"]:
        begin_anew(tenant, store)
        record(SYSTEM, "lake_written_anew", tenant)
    windows = rows = 0
    is_behind = True
    while is_behind:
        found = export(tenant, store)
        windows, rows, is_behind = windows + bool(found.rows), rows + found.rows, found.is_behind
    count_figures(tenant, store, found.until)
    return windows, rows


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _said(err: Exception) -> str:
    """Errors of files name paths of the lake, which hold public ids and nothing else."""
    return str(err).strip().partition("\n")[0][:300] or type(err).__name__
