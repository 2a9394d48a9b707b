"""Reports that are kept: the numbers of a period that is over, frozen in one row.

The page and the PDF are made anew from them, so that a wording can become better, while a number
stays what it was also when the alerts it came from are forgotten.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from reports.blocks import Document
from reports.brand import DEFAULT_COLOUR, Brand
from reports.figures import Figures, figures_of
from reports.models import Report
from reports.periods import Period
from reports.read import read_counts, read_figures
from reports.summary import document
from tenants.audit import record
from tenants.models import Branding, Tenant
from tenants.scope import scope

MOST_ASKED = 60
"""Reports of a tenant that somebody asked for; months do not count. The oldest goes."""
SHOWN = 60


class NotOver(ValueError):
    """Numbers of a period that goes on would change: they are shown, not kept."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted for a period; `before` None: nobody knows."""

    period: Period
    now: Figures
    before: Figures | None
    at: datetime


def count(tenant: Tenant, period: Period, now: datetime) -> Counted:
    """Read now, beside what was frozen for the period before it, or can still be counted."""
    earlier = period.before
    with scope(tenant):
        kept = Report.objects.filter(since=earlier.since, until=earlier.until).first()
    before: Figures | None = None
    if kept is not None:
        before = figures_of(kept.figures)
    elif tenant.created_at < earlier.until:
        before = read_counts(tenant, earlier, now)
    return Counted(period, read_figures(tenant, period, now), before, now)


def keep(
    tenant: Tenant, period: Period, now: datetime, *, actor: str, is_owed: bool = False
) -> tuple[Report, bool]:
    """The period's report, made now if there is none; whether it was. Raises NotOver.

    Exactly one row a period, whoever else makes it at the same time. `is_owed`: the ticket system
    is to get it; the intent is part of the row, so that no crash lies between them.
    """
    if period.until > now:
        raise NotOver
    with scope(tenant):
        found = _of(period)
    if found is not None:
        return found, False
    row = Report(
        since=period.since,
        until=period.until,
        zone=period.zone,
        is_month=period.is_month,
        made_at=now,
        delivery=Report.Delivery.PENDING if is_owed else Report.Delivery.NONE,
        asked_at=now if is_owed else None,
    )
    _fill(row, count(tenant, period, now))
    with scope(tenant), transaction.atomic():
        Report.objects.bulk_create([row], ignore_conflicts=True)
        kept = Report.objects.get(since=period.since, until=period.until)
        _forget_oldest()
    if kept.public_id == row.public_id:
        record(actor, "report_made", tenant, f"report {kept.public_id}", _facts(kept))
    return kept, kept.public_id == row.public_id


def renew(tenant: Tenant, report: Report, now: datetime, *, actor: str) -> None:
    """Count again, as when a verdict was corrected. The links open what is counted now."""
    _fill(report, count(tenant, report.period, now))
    report.made_at = now
    with scope(tenant):
        report.save(update_fields=["figures", "before", "made_at"])
    record(actor, "report_made_again", tenant, f"report {report.public_id}", _facts(report))


def _of(period: Period) -> Report | None:
    return Report.objects.filter(since=period.since, until=period.until).first()


def _fill(row: Report, counted: Counted) -> None:
    row.figures = counted.now.as_json()
    row.before = counted.before.as_json() if counted.before else None


def _facts(report: Report) -> dict[str, object]:
    return {"since": report.since.isoformat(), "until": report.until.isoformat()}


def _forget_oldest() -> None:
    asked = Report.objects.filter(is_month=False).order_by("-made_at", "-pk")
    old = list(asked.values_list("pk", flat=True)[MOST_ASKED:])
    if old:
        Report.objects.filter(pk__in=old).delete()


def reports_of(tenant: Tenant) -> list[Report]:
    """The newest period first, without their numbers. One query."""
    with scope(tenant):
        return list(Report.objects.defer("figures", "before")[:SHOWN])


def report_of(tenant: Tenant, public_id: uuid.UUID) -> Report | None:
    with scope(tenant):
        return Report.objects.filter(public_id=public_id).first()


def document_of(tenant: Tenant, report: Report) -> Document:
    before = figures_of(report.before) if report.before else None
    now = figures_of(report.figures)
    return document(tenant.name, report.period, now, before, report.made_at)


def live_document(tenant: Tenant, counted: Counted) -> Document:
    """Of what was just counted; nothing is kept."""
    return document(tenant.name, counted.period, counted.now, counted.before, counted.at)


def brand() -> Brand:
    """The provider's. One query."""
    row = Branding.objects.first()
    if row is None:
        return Brand()
    return Brand(row.name, row.colour or DEFAULT_COLOUR, bytes(row.logo) if row.logo else None)


def file_name(tenant: Tenant, period: Period) -> str:
    """ "contoso-2026-10.pdf", or with first and last day."""
    if period.is_month:
        return f"{tenant.slug}-{period.first_day:%Y-%m}.pdf"
    return f"{tenant.slug}-{period.first_day:%Y%m%d}-{period.last_day:%Y%m%d}.pdf"
