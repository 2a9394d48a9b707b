"""Links that open one report without signing in: until a day, until taken back, and seen in the
audit log each time.

    <portal>/r/<tenant>.<link>.<mac>/

The mac is derived from the master key in the vault, so nobody who reads the database can open
anything, and a link can be shown again without being stored.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from reports.models import Report, ReportLink
from tenants.audit import record
from tenants.directories import master_keys
from tenants.models import Tenant
from tenants.push_keys import prove_report_token, report_token
from tenants.scope import scope

DAYS = (1, 7, 30, 90)
MOST_LINKS = 50
"""Of one report, that have not ended."""


class TooMany(ValueError):
    """Take some back first."""


def make_link(
    tenant: Tenant, report: Report, days: int, now: datetime, *, actor: str, actor_id: int | None
) -> ReportLink:
    """Raises TooMany."""
    with scope(tenant):
        alive = report.links.filter(revoked_at=None, expires_at__gt=now).count()
        if alive >= MOST_LINKS:
            raise TooMany
        link = ReportLink.objects.create(
            report=report, actor_id=actor_id, expires_at=now + timedelta(days=days)
        )
    facts: dict[str, object] = {"report": str(report.public_id), "days": days}
    record(actor, "report_link_made", tenant, f"link {link.public_id}", facts)
    return link


def address_of(tenant: Tenant, link: ReportLink) -> str:
    """Raises BadSecret, ApiError. Relative where nobody said what the portal is called."""
    token = report_token(master_keys()[0][1], tenant.public_id, link.public_id)
    return f"{settings.PORTAL_URL.rstrip('/')}/r/{token}/"


def revoke(tenant: Tenant, public_id: uuid.UUID, now: datetime, *, actor: str) -> bool:
    """Whether it opened anything until now."""
    with scope(tenant):
        open_ones = ReportLink.objects.filter(public_id=public_id, revoked_at=None)
        done = open_ones.update(revoked_at=now)
    if done:
        record(actor, "report_link_revoked", tenant, f"link {public_id}")
    return bool(done)


def open_link(token: str, now: datetime, *, actor: str, what: str) -> tuple[Tenant, Report] | None:
    """The one report that the token opens, noted as seen; None for whatever reason.

    `actor`: the user's name, or who came by the link alone. Raises BadSecret, ApiError.
    """
    proven = prove_report_token([key for _, key in master_keys()], token)
    if proven is None:
        return None
    tenant = Tenant.objects.filter(public_id=proven[0]).first()
    if tenant is None or tenant.state == Tenant.State.OFFBOARDED:
        return None
    with scope(tenant):
        links = ReportLink.objects.select_related("report")
        link = links.filter(public_id=proven[1], revoked_at=None, expires_at__gt=now).first()
        if link is None:
            return None
        ReportLink.objects.filter(pk=link.pk).update(opened=F("opened") + 1, opened_at=now)
    facts: dict[str, object] = {"link": str(link.public_id), "what": what}
    record(actor, "report_opened", tenant, f"report {link.report.public_id}", facts)
    return tenant, link.report


def links_of(tenant: Tenant, report: Report) -> list[ReportLink]:
    with scope(tenant):
        return list(report.links.all()[:MOST_LINKS])
