"""Brings a report to the customer: a ticket with a link, one and no second, whatever is killed.

As in `ticketing.dispatch` an attempt is counted before it is made, the row stays locked while it is
sent, and whoever finds a second attempt asks the ticket system for our reference first.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from html import escape

from django.db import transaction
from django.db.models import F

from clients.errors import ApiError, Rejected
from reports.blocks import Document
from reports.kept import document_of
from reports.links import address_of, make_link
from reports.models import Report, ReportLink
from tenants.audit import SYSTEM, record
from tenants.models import Tenant
from tenants.pseudonyms import crockford
from tenants.scope import scope
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem

logger = logging.getLogger(__name__)

Delivery = Report.Delivery
OWED = (Delivery.PENDING, Delivery.SENDING)
FIND_MARGIN = timedelta(hours=1)
"""Tickets are looked for from this long before it was asked for: clocks differ."""


def ask_for_ticket(tenant: Tenant, report: Report, now: datetime, *, actor: str) -> bool:
    """Whether a ticket is owed now that was not before. One that was sent is not sent again."""
    with scope(tenant):
        rows = Report.objects.filter(pk=report.pk)
        idle = rows.filter(delivery__in=[Delivery.NONE, Delivery.FAILED])
        # One that was refused may be there all the same: it is looked for first.
        asked = idle.filter(asked_at=None).update(delivery=Delivery.PENDING, asked_at=now)
        asked = asked or idle.update(delivery=Delivery.PENDING, problem="")
    if asked:
        record(actor, "report_sent", tenant, f"report {report.public_id}")
    return bool(asked)


def owed(tenant: Tenant) -> list[int]:
    """Ids of the reports that wait for their ticket."""
    with scope(tenant):
        rows = Report.objects.filter(delivery__in=OWED).order_by("asked_at", "pk")
        return list(rows.values_list("pk", flat=True))


def own_link(tenant: Tenant, report: Report, days: int, now: datetime) -> ReportLink:
    """The portal's own link of a report, made once: a ticket that was opened already has it."""
    with scope(tenant):
        found = report.links.filter(actor_id=None, revoked_at=None, expires_at__gt=now).first()
    return found or make_link(tenant, report, days, now, actor=SYSTEM, actor_id=None)


def send(tenant: Tenant, report_id: int, system: TicketSystem, days: int, now: datetime) -> str:
    """Open the ticket that is owed, unless somebody does just now. What went wrong, or ""."""
    with scope(tenant):
        begun = Report.objects.filter(pk=report_id, delivery__in=OWED).update(
            delivery=Delivery.SENDING, attempts=F("attempts") + 1
        )
        report = Report.objects.filter(pk=report_id).first()
    if not begun or report is None:
        return ""
    try:
        address = address_of(tenant, own_link(tenant, report, days, now))
        with scope(tenant), transaction.atomic():
            _send(tenant, report_id, system, address)
    except ApiError as err:
        is_final = isinstance(err, Rejected) and err.status is not None
        with scope(tenant):
            Report.objects.filter(pk=report_id, delivery=Delivery.SENDING).update(
                delivery=Delivery.FAILED if is_final else Delivery.PENDING,
                problem=str(err)[:300],
            )
        logger.warning("report not sent report=%s kind=%s", report_id, type(err).__name__)
        return str(err)
    return ""


def _send(tenant: Tenant, report_id: int, system: TicketSystem, address: str) -> None:
    rows = Report.objects.select_for_update(skip_locked=True)
    report = rows.filter(pk=report_id, delivery=Delivery.SENDING).first()
    if report is None:
        return  # another worker has it
    found: TicketRef | None = None
    if report.attempts > 1 and report.asked_at is not None:
        found = system.find(reference_of(report), report.asked_at - FIND_MARGIN)
    if found is None:
        found = system.create(draft(document_of(tenant, report), reference_of(report), address))
    Report.objects.filter(pk=report_id).update(
        delivery=Delivery.SENT, ticket_ref=found.id, ticket_url=found.url, problem=""
    )
    logger.info("report sent report=%s", report_id)


def reference_of(report: Report) -> str:
    """Ours, in the ticket: told apart from a case's by its R."""
    return "CSC-R" + crockford(report.public_id.int >> 73, 11)


def draft(document: Document, reference: str, address: str) -> TicketDraft:
    """The first page in words, and the link. Nobody's name is in it."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in document.brief)
    todo = "".join(f"<li>{escape(line)}</li>" for line in document.todo)
    html = f"<p><b>{escape(document.title)}: {escape(document.period)}</b></p><ul>{lines}</ul>"
    if todo:
        html += f"<p>For you to decide:</p><ol>{todo}</ol>"
    if address.startswith("https://") or address.startswith("http://"):
        html += (
            f'<p><a href="{escape(address)}">Open the whole report, also as PDF</a>. The link '
            "works without signing in until it ends or is taken back; each use is recorded.</p>"
        )
    else:
        html += "<p>The portal has the whole report, also as PDF.</p>"
    subject = f"{document.title} {document.period}: {document.tenant}"
    return TicketDraft(reference, subject[:200], html, 1, ("csc-portal", "report"))
