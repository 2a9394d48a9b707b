"""What a signed link opens: one report, without signing in. It lies on the portal alone."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from clients.errors import ApiError
from csc_portal.web.reports import as_pdf
from csc_portal.web.throttle import Guesses, address_of, opened_too_often
from reports.kept import brand, document_of, file_name
from reports.links import open_link
from reports.models import Report
from tenants.directories import BadSecret
from tenants.models import Tenant

BY_LINK = "somebody with the link"
GONE = "This link opens nothing: it has ended, was taken back, or is not whole."
BUSY = "Too many tries from here. Wait some minutes."
AWAY = "The report can't be opened at this moment. Try again in some minutes."


@login_not_required
@require_safe
def link_page(request: HttpRequest, token: str) -> HttpResponse:
    found = _opened(request, token, "page")
    if isinstance(found, HttpResponse):
        return found
    tenant, report = found
    context = {"document": document_of(tenant, report), "brand": brand(), "token": token}
    return _unlisted(render(request, "report/link.html", context))


@login_not_required
@require_safe
def link_pdf(request: HttpRequest, token: str) -> HttpResponse:
    found = _opened(request, token, "pdf")
    if isinstance(found, HttpResponse):
        return found
    tenant, report = found
    return _unlisted(as_pdf(document_of(tenant, report), file_name(tenant, report.period)))


def _opened(request: HttpRequest, token: str, what: str) -> tuple[Tenant, Report] | HttpResponse:
    """Wrong tokens are counted like wrong passwords, openings by address."""
    address = address_of(request)
    guesses = Guesses("report link", address)
    if guesses.wait_minutes() or opened_too_often(address):
        return _refused(request, BUSY, 429)
    actor = request.user.get_username() if request.user.is_authenticated else BY_LINK
    try:
        found = open_link(token, timezone.now(), actor=actor, what=what)
    except (ApiError, BadSecret):
        return _refused(request, AWAY, 503)
    if found is None:
        guesses.add()
        return _refused(request, GONE, 404)
    return found


def _refused(request: HttpRequest, told: str, status: int) -> HttpResponse:
    return _unlisted(render(request, "report/no_link.html", {"told": told}, status=status))


def _unlisted(response: HttpResponse) -> HttpResponse:
    """In no cache and no search engine; the address is told to nobody."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response
