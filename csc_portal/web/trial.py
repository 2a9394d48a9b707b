"""Send a test ticket from a page, and say what became of it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from clients.errors import ApiError
from csc_portal.templatetags.portal import is_web
from csc_portal.web.desk import user_of
from tenants.audit import record
from tenants.models import Tenant
from ticketing.connections import connect
from ticketing.trial import send_test_ticket


def send_trial(request: HttpRequest, tenant: Tenant) -> None:
    """Open a marked ticket by the stored connection; the outcome is a message on the next page."""
    connection = getattr(tenant, "ticketing", None)
    if connection is None:
        messages.error(request, "There is no ticket system yet.")
        return
    try:
        trial = send_test_ticket(connect(connection), timezone.now())
    except ApiError as err:
        record(user_of(request).username, "test_ticket", tenant, facts={"failed": True})
        messages.error(request, f"No test ticket was opened: {err}")
        return
    record(user_of(request).username, "test_ticket", tenant, facts={"ticket": trial.ticket.id})
    name = trial.ticket.id
    if is_web(trial.ticket.url):
        name = format_html('<a href="{}" rel="noopener noreferrer" target="_blank">{}</a>',
                           trial.ticket.url, trial.ticket.id)  # fmt: skip
    said = " ".join(trial.steps)
    if trial.problem:
        text = format_html("The test ticket {} was opened, but: {}", name, trial.problem)
        messages.warning(request, text)
        return
    messages.success(request, format_html("The test ticket {} works. {}", name, said))
    for limit in trial.limits:
        messages.warning(request, limit)
