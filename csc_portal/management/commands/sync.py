"""manage.py sync: the whole pipeline once, in the foreground."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from alerts.ingest import Counts
from csc_portal.inventory import InventoryRun, run_inventory
from csc_portal.management.base import PortalCommand
from csc_portal.outcome import Carried, carry_outcome
from csc_portal.pipeline import Run, run_incidents, run_tenant
from csc_portal.score import ScoreRun, run_score
from csc_portal.weaknesses import WeaknessRun, run_weaknesses

SOURCES = ("alerts", "incidents", "secure-score", "inventory", "weaknesses", "tickets", "all")
PATIENCE_S = 600
"""How long a command waits for the ticket system's limit per minute."""


def moment(text: str) -> datetime:
    """ISO 8601; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as err:
        raise ArgumentTypeError(f"'{text[:40]}' is no time such as 2026-11-20T08:00:00Z") from err
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def report(run: Run, carried: Carried | None = None) -> dict[str, Any]:
    """The counts that sync and replay print."""
    carried = carried or Carried()
    result: dict[str, Any] = {
        **asdict(run.counts),
        "tickets": run.sent.tickets + carried.sent.tickets,
        "notes": run.sent.notes + carried.sent.notes,
        "write_backs": carried.written.written,
        "failed": run.sent.failed + bool(run.error) + carried.failed,
    }
    result["closed"] += carried.synced.closed
    if run.noted:
        result["noted"] = run.noted
    error = run.error or run.sent.error or carried.problem
    if error:
        result["error"] = error
    return result


def report_score(run: ScoreRun) -> dict[str, Any]:
    """The counts of a read of the Secure Score, in the words of the others."""
    counts = Counts(
        fetched=run.read.days + run.read.profiles,
        new=run.read.new_days,
        quarantined=run.read.unread,
    )
    return with_score(report(Run(counts=counts)), run)


def with_score(found: dict[str, Any], run: ScoreRun) -> dict[str, Any]:
    """The same with what the score's read did. An earlier error stays the one that is told."""
    found["secure_score"] = {
        "percent": run.read.percent,
        "days": run.read.days,
        "controls": run.read.profiles,
        "findings_opened": run.read.opened,
        "findings_closed": run.read.closed,
    }
    found["failed"] += bool(run.error)
    for name, said in (("noted", run.noted), ("error", run.error)):
        if said:
            found.setdefault(name, said)
    return found


def report_inventory(run: InventoryRun) -> dict[str, Any]:
    """The counts of a read of Azure, in the words of the others."""
    found = report(Run(counts=Counts(fetched=run.reading.resources)))
    found["inventory"] = {
        "resources": run.reading.resources,
        "subscriptions": run.reading.subscriptions,
        "by_listing": run.reading.by_listing,
        **(run.tally.as_json() if run.tally else {}),
        "findings_opened": len(run.settled.opened),
        "findings_closed": len(run.settled.closed),
    }
    found["failed"] += bool(run.error)
    found |= {name: said for name, said in (("noted", run.noted), ("error", run.error)) if said}
    return found


def report_weaknesses(run: WeaknessRun) -> dict[str, Any]:
    """The counts of a read of weaknesses, in the words of the others."""
    found = report(Run(counts=Counts(fetched=run.reading.weaknesses + run.reading.rows)))
    settled = run.exposure.settled
    found["weaknesses"] = {
        **run.exposure.as_json(),
        "unread": run.reading.unread,
        "findings_opened": len(settled.opened),
        "findings_closed": len(settled.closed),
    }
    found["failed"] += bool(run.error)
    found |= {name: said for name, said in (("noted", run.noted), ("error", run.error)) if said}
    return found


class Command(PortalCommand):
    help = (
        "Read what is new for a tenant, make cases of it, send their tickets, and carry what was "
        "decided to Microsoft and what happened to tickets back. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--source", choices=SOURCES, default="all")
        parser.add_argument("--since", type=moment, help="ISO 8601; default: since the last time")
        parser.add_argument("--until", type=moment, help="ISO 8601, exclusive")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        since, until = options["since"], options["until"]
        if since and until and since >= until:
            raise CommandError("--since must be before --until.")
        source = options["source"]
        if source == "secure-score":
            return report_score(run_score(tenant, timezone.now()))
        if source == "inventory":
            return report_inventory(run_inventory(tenant, timezone.now(), is_full=True))
        if source == "weaknesses":
            return report_weaknesses(run_weaknesses(tenant, timezone.now()))
        if source == "tickets":
            run = Run()
        elif source == "incidents":
            run = run_incidents(tenant, since=since, until=until, patience_s=PATIENCE_S)
        else:
            run = run_tenant(
                tenant,
                since=since,
                until=until,
                incidents=source == "all",
                patience_s=PATIENCE_S,
            )
        carried = carry_outcome(
            tenant,
            patience_s=PATIENCE_S,
            read_tickets=source in ("tickets", "all"),
            deliver=source == "tickets",
        )
        found = report(run, carried)
        return found if source != "all" else with_score(found, run_score(tenant, timezone.now()))
