"""Reports: how the month goes for one tenant, those of past periods, and what is done with them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clients.errors import ApiError
from csc_portal.access import Rights, TenantRef, tenant_for
from csc_portal.report_due import make_report, note_standing
from csc_portal.typed import moment_of
from csc_portal.web.desk import desk_of, user_of
from csc_portal.web.report_forms import PeriodForm
from reports.blocks import Document
from reports.delivery import ask_for_ticket
from reports.kept import (
    brand,
    count,
    document_of,
    file_name,
    keep,
    live_document,
    renew,
    report_of,
    reports_of,
)
from reports.links import DAYS, TooMany, address_of, links_of, make_link, revoke
from reports.models import Report, ReportLink
from reports.pdf import pdf
from reports.periods import Period, Plan, last_month, this_month
from tenants.audit import record
from tenants.directories import BadSecret
from tenants.models import Tenant
from tenants.roles import Right

PAGE_SIZE = 50


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Where a sign-in leads: the provider's people to the queue, a customer's to their report."""
    rights = desk_of(request).rights
    is_customer = bool(rights.tenants) and not rights.may_somewhere(Right.SEE_PROVIDER)
    return redirect("reports" if is_customer else "queue")


@require_safe
def reports_page(request: HttpRequest) -> HttpResponse:
    """From the tenants' own rows alone. Who has one tenant sees its report at once."""
    desk = desk_of(request)
    allowed = desk.rights.having(Right.REPORT)
    if len(desk.rights.ids) == 1 and allowed:
        return redirect("report-tenant", desk.rights.tenants[allowed[0]].slug)
    ids = [pk for pk in desk.ids if pk in set(allowed)]
    found = Tenant.objects.filter(pk__in=ids).exclude(state=Tenant.State.OFFBOARDED)
    page = Paginator(found.order_by("name", "pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    lines = [
        (tenant, Plan.of(tenant.report_plan), moment_of(tenant.report_standing.get("made_at")))
        for tenant in page.object_list
    ]
    context = {"page": page, "lines": lines}
    return render(request, "report/list.html", context)


@require_safe
def tenant_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The month so far, live; with `first` and `last` any days that are over."""
    tenant, ref = _tenant(request, slug)
    now = timezone.now()
    form, period = _asked(request, tenant, now)
    counted = count(tenant, period, now)
    context = {
        "tenant": tenant,
        "ref": ref,
        "document": live_document(tenant, counted),
        "brand": brand(),
        "form": form,
        "period": form.period,
        "reports": reports_of(tenant),
        "may_plan": ref.may(Right.MANAGE_RULES),
        "query": request.GET.urlencode() if form.period else "",
    }
    status = 422 if form.errors else 200
    return render(request, "report/tenant.html", context, status=status)


def _asked(request: HttpRequest, tenant: Tenant, now: datetime) -> tuple[PeriodForm, Period]:
    """The period in the address, else the month that goes on."""
    plan = Plan.of(tenant.report_plan)
    is_asked = "first" in request.GET or "last" in request.GET
    form = PeriodForm(request.GET if is_asked else None, plan.zone, now)
    form.is_valid()
    return form, form.period or this_month(now, plan.zone)


@require_safe
def live_pdf(request: HttpRequest, slug: str) -> HttpResponse:
    """The same as the page, as PDF. Nothing of it is kept."""
    tenant, _ = _tenant(request, slug)
    now = timezone.now()
    form, period = _asked(request, tenant, now)
    if form.errors:
        raise Http404
    record(user_of(request).username, "report_downloaded", tenant, facts=_facts(period))
    shown = live_document(tenant, count(tenant, period, now))
    return as_pdf(shown, file_name(tenant, period))


def as_pdf(document: Document, name: str) -> HttpResponse:
    response = HttpResponse(pdf(document, brand()), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _facts(period: Period) -> dict[str, object]:
    return {"since": period.since.isoformat(), "until": period.until.isoformat()}


@require_POST
def make(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the report of the days that are given, or else of the last month."""
    tenant, _ = _tenant(request, slug)
    now, plan = timezone.now(), Plan.of(tenant.report_plan)
    period = last_month(now, plan.zone)
    if "first" in request.POST:
        form = PeriodForm(request.POST, plan.zone, now)
        if not form.is_valid() or form.period is None:
            messages.error(request, " ".join(str(one[0]) for one in form.errors.values()))
            return redirect("report-tenant", slug)
        period = form.period
    report, is_new = keep(tenant, period, now, actor=user_of(request).username)
    if is_new and period.is_month and period == last_month(now, plan.zone):
        note_standing(tenant, report, period)
    if not is_new:
        messages.info(request, "There is a report of this period already.")
    return redirect("report", slug, report.public_id)


@dataclass(frozen=True, slots=True)
class LinkLine:
    """`address`: "" if it opens nothing any more, or the vault is away."""

    link: ReportLink
    address: str
    maker: str


@require_safe
def report_page(request: HttpRequest, slug: str, public_id: uuid.UUID) -> HttpResponse:
    tenant, ref = _tenant(request, slug)
    report = _report(tenant, public_id)
    may_plan = ref.may(Right.MANAGE_RULES)
    context = {
        "tenant": tenant,
        "ref": ref,
        "report": report,
        "document": document_of(tenant, report),
        "brand": brand(),
        "may_plan": may_plan,
        "links": _link_lines(tenant, report, timezone.now()) if may_plan else [],
        "days": DAYS,
        "has_tickets": may_plan and getattr(tenant, "ticketing", None) is not None,
    }
    return render(request, "report/report.html", context)


def _link_lines(tenant: Tenant, report: Report, now: datetime) -> list[LinkLine]:
    found = []
    for link in links_of(tenant, report):
        address = ""
        if link.revoked_at is None and link.expires_at > now:
            try:
                address = address_of(tenant, link)
            except (ApiError, BadSecret):
                address = ""
        maker = "the portal" if link.actor_id is None else "somebody of the provider"
        found.append(LinkLine(link, address, maker))
    return found


@require_safe
def report_pdf(request: HttpRequest, slug: str, public_id: uuid.UUID) -> HttpResponse:
    tenant, _ = _tenant(request, slug)
    report = _report(tenant, public_id)
    record(user_of(request).username, "report_downloaded", tenant, f"report {report.public_id}")
    return as_pdf(document_of(tenant, report), file_name(tenant, report.period))


@require_POST
def report_do(request: HttpRequest, slug: str, public_id: uuid.UUID) -> HttpResponse:
    """`do`: again (count anew), send (by ticket), link (make one), revoke (with `link`)."""
    tenant, _ = _tenant(request, slug, Right.MANAGE_RULES)
    report = _report(tenant, public_id)
    user, now, do = user_of(request), timezone.now(), request.POST.get("do", "")
    if do == "again":
        renew(tenant, report, now, actor=user.username)
        messages.success(request, "Counted anew, from what is there now.")
    elif do == "send":
        _send(request, tenant, report, now)
    elif do == "link":
        days = request.POST.get("days", "")
        wanted = int(days) if days in {str(one) for one in DAYS} else DAYS[1]
        try:
            make_link(tenant, report, wanted, now, actor=user.username, actor_id=user.pk)
        except TooMany:
            messages.error(request, "This report has too many links. Take some back first.")
    elif do == "revoke":
        try:
            link = uuid.UUID(request.POST.get("link", ""))
        except ValueError:
            raise Http404 from None
        if revoke(tenant, link, now, actor=user.username):
            messages.success(request, "The link opens nothing any more.")
    else:
        raise Http404
    return redirect("report", slug, public_id)


def _send(request: HttpRequest, tenant: Tenant, report: Report, now: datetime) -> None:
    connection = getattr(tenant, "ticketing", None)
    if connection is None or not connection.is_enabled:
        messages.error(request, "There is no ticket system to send it to.")
        return
    if not ask_for_ticket(tenant, report, now, actor=user_of(request).username):
        messages.info(request, "It was sent already, or is on its way.")
        return
    # If the message is lost, the turn that is due now sends it.
    Tenant.objects.filter(pk=tenant.pk).update(next_report_at=now)
    make_report.apply_async((tenant.pk,), queue="maintenance")
    messages.success(request, "A ticket with a link is opened in a moment.")


def _tenant(
    request: HttpRequest, slug: str, right: Right = Right.REPORT
) -> tuple[Tenant, TenantRef]:
    rights: Rights = desk_of(request).rights
    tenant = tenant_for(user_of(request), slug, right, rights=rights)
    return tenant, rights.tenants[tenant.pk]


def _report(tenant: Tenant, public_id: uuid.UUID) -> Report:
    found = report_of(tenant, public_id)
    if found is None:
        raise Http404
    return found
