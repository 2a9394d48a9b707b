"""Makes each tenant's monthly report on its day, once, and sends it as the tenant's plan says.

start_reports -> make_report -> a row of the tenant's, its line in the list of all tenants
"""

from __future__ import annotations

import logging
import zlib
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from clients.errors import ApiError
from clients.throttle import Priority, at_priority
from csc_portal.claims import claimed, due
from csc_portal.pipeline import active_tenant, lane
from csc_portal.turns import REPORT, turn
from reports.delivery import owed, own_link, send
from reports.kept import keep
from reports.models import Report
from reports.periods import Period, Plan, last_month
from tenants.audit import SYSTEM
from tenants.directories import BadSecret
from tenants.models import Tenant
from ticketing.connections import connect

logger = logging.getLogger(__name__)

STUCK_AFTER = timedelta(minutes=20)
"""One that was asked for and not noted as done by then is asked for again."""
AGAIN = timedelta(minutes=30)
"""Until what could not be sent is tried again."""
LOOK_AGAIN = timedelta(days=30)
"""At a tenant that wants no monthly report."""
NO_SYSTEM = "There is no ticket system to send it to."


@shared_task(time_limit=60, soft_time_limit=50)
def start_reports() -> None:
    """Start what is due, each once. Empty: not planned yet, so at once."""
    now = timezone.now()
    tenants = due("next_report_at", now, new=50, late=200)
    for tenant in claimed(tenants, "next_report_at", now + STUCK_AFTER):
        make_report.apply_async((tenant.pk,), queue=lane(tenant, "maintenance"))


@shared_task(time_limit=900, soft_time_limit=840)
@at_priority(Priority.POSTURE)
def make_report(tenant_id: int) -> None:
    """One tenant's turn, unless somebody has it just now."""
    tenant = active_tenant(tenant_id)
    if tenant is None:
        return
    with turn(tenant.pk, REPORT) as is_ours:
        if is_ours:
            run_reports(tenant, timezone.now())


def run_reports(tenant: Tenant, now: datetime) -> None:
    """Make what is due, send what is owed, and note when to look again. Safe to repeat."""
    plan = Plan.of(tenant.report_plan)
    period = due_month(tenant, plan, now)
    problem = ""
    if period is not None:
        report, is_new = keep(tenant, period, now, actor=SYSTEM, is_owed=plan.send == "ticket")
        if is_new:
            note_standing(tenant, report, period)
        try:
            if plan.send == "link":
                own_link(tenant, report, plan.link_days, now)
        except (ApiError, BadSecret) as err:
            problem = str(err)
    problem = send_owed(tenant, plan, now) or problem
    following = plan.next_at(now, phase_of(tenant)) or now + LOOK_AGAIN
    if problem:
        following = min(following, now + AGAIN)
    standing = {**tenant.report_standing, "problem": problem[:300]}
    Tenant.objects.filter(pk=tenant.pk).update(next_report_at=following, report_standing=standing)


def due_month(tenant: Tenant, plan: Plan, now: datetime) -> Period | None:
    """The month whose turn has come. None before the plan's first turn, and before the tenant."""
    at = plan.last_at(now, phase_of(tenant))
    if at is None or at < planned_at(tenant):
        return None
    period = last_month(at, plan.zone)
    return period if tenant.created_at < period.until else None


def planned_at(tenant: Tenant) -> datetime:
    """Since when the plan holds: a change of it does not send what lies before."""
    said = tenant.report_plan.get("since")
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else tenant.created_at
    except ValueError:
        return tenant.created_at


def send_owed(tenant: Tenant, plan: Plan, now: datetime) -> str:
    """Open the tickets that are owed; what went wrong last, or ""."""
    waiting = owed(tenant)
    if not waiting:
        return ""
    connection = getattr(tenant, "ticketing", None)
    if connection is None or not connection.is_enabled:
        return NO_SYSTEM
    problem = ""
    try:
        system = connect(connection)
        for report_id in waiting:
            problem = send(tenant, report_id, system, plan.link_days, now) or problem
    except (ApiError, BadSecret) as err:
        problem = str(err)
    return problem


def note_standing(tenant: Tenant, report: Report, period: Period) -> None:
    """For the list of all tenants, which asks no tenant's schema."""
    tenant.report_standing = {
        "report": str(report.public_id),
        "period": period.name,
        "made_at": report.made_at.isoformat(),
    }
    Tenant.objects.filter(pk=tenant.pk).update(report_standing=tenant.report_standing)


def phase_of(tenant: Tenant) -> int:
    """A number of the tenant's own, so that not all are made in one minute."""
    return zlib.crc32(tenant.pk.to_bytes(8, "big"))
