"""What a report says of the customer whose alerts, score and weaknesses are canaries."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import requests
from django.utils import timezone
from pypdf import PdfReader

from reports.kept import document_of, keep
from reports.links import address_of, make_link
from reports.models import Report
from reports.periods import Period
from tenants.models import Tenant
from tenants.scope import scope


def read_reports(url: str, get: Callable[[str], requests.Response], tenant: Tenant) -> str:
    """Live, kept and by link: as page, as PDF, and the numbers that are stored."""
    now = timezone.now()
    report, _ = keep(tenant, Period(now - timedelta(days=1), now), now, actor="test")
    link = make_link(tenant, report, 1, now, actor="test", actor_id=None)
    opened = address_of(tenant, link).partition("/r/")[2]
    live = f"{url}/reports/{tenant.slug}/"
    with scope(tenant):
        stored = Report.objects.values_list("figures", "before").get(pk=report.pk)
    told = [str(stored), str(document_of(tenant, report))]
    for page, paper in (
        (live, f"{live}live.pdf"),
        (f"{live}{report.public_id}/", f"{live}{report.public_id}/report.pdf"),
        (f"{url}/r/{opened}", f"{url}/r/{opened}report.pdf"),
    ):
        told.append(get(page).text)
        pages = PdfReader(io.BytesIO(get(paper).content)).pages
        told += [one.extract_text() for one in pages]
    return "\n".join(told)
