"""Reports: those that are kept, one with its numbers or as PDF, and a new one of past days."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers as s
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.access import TenantRef
from csc_portal.api import shapes
from csc_portal.api.asked import Strict
from csc_portal.api.bodies import Body
from csc_portal.api.documented import IDEMPOTENCY, ONE_TENANT, PAGING, errors
from csc_portal.api.once import once
from csc_portal.api.pages import MOST_ID, cursor_for, limit_of, page, place_of
from csc_portal.api.problems import NOT_HERE, FieldError, Problem, bad_fields
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.report_due import note_standing
from reports.kept import brand, document_of, file_name, keep, report_of
from reports.models import Report
from reports.pdf import pdf
from reports.periods import BadPeriod, Period, Plan, days_between, last_month, month_of
from tenants.audit import record
from tenants.models import Tenant
from tenants.scope import scope

PDF = "application/pdf"
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


class ReportShape(s.Serializer[Any]):
    id = s.UUIDField()
    tenant = s.CharField(help_text="Slug")
    period = s.CharField(help_text="In words")
    since = s.DateTimeField()
    until = s.DateTimeField(help_text="The first instant that does not belong to it")
    zone = s.CharField(help_text="Time zone of its days")
    is_month = s.BooleanField()
    made_at = s.DateTimeField()


class ReportDetail(ReportShape):
    brief = s.ListField(child=s.CharField(), help_text="The first page in sentences")
    todo = s.ListField(child=s.CharField(), help_text="What is for the customer to decide")
    figures = s.DictField(help_text="The numbers; see reports.md")
    before = s.DictField(allow_null=True, help_text="Of the period before; null: not known")


class Made(Strict):
    """A month, or both days."""

    tenant = s.SlugField(required=False, max_length=40, help_text="If the key has more than one")
    month = s.RegexField(_MONTH, required=False, help_text="2026-10: a whole month")
    first = s.DateField(required=False)
    last = s.DateField(required=False, help_text="Included; it has to be over")


class ReportsView(ApiView):
    scope = Scope.REPORTS_READ
    known = frozenset({"tenant"})

    def found(self, id: uuid.UUID) -> tuple[Tenant, TenantRef, Report]:
        """Raises Problem, Http404."""
        ref = self.one_tenant()
        tenant = Tenant.objects.get(pk=ref.pk)
        report = report_of(tenant, id)
        if report is None:
            raise Http404
        return tenant, ref, report


class Reports(ReportsView):
    is_list = True

    @extend_schema(
        operation_id="list_reports",
        summary="Reports of a tenant that are kept, the last made first",
        parameters=[ONE_TENANT, *PAGING],
        responses={200: shapes.listed(ReportShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        ref, limit = self.one_tenant(), limit_of(query)
        before = place_of(query, MOST_ID, MOST_ID)
        with scope(Tenant.objects.get(pk=ref.pk)):
            rows = Report.objects.defer("figures", "before").filter(pk__lt=before).order_by("-pk")
            read = list(rows[: limit + 1])
        shown = read[:limit]
        following = cursor_for(query, [shown[-1].pk]) if len(read) > limit else ""
        return Response(page([report_body(one, ref) for one in shown], following))

    @extend_schema(
        operation_id="make_report",
        summary="Keep a report of a month, or of days that are over",
        description="Of a period there is one report: what is there already is answered again.",
        parameters=[IDEMPOTENCY],
        request=Made,
        examples=[
            OpenApiExample("a month", {"tenant": "contoso", "month": "2026-10"}, request_only=True),
            OpenApiExample(
                "days", {"first": "2026-10-03", "last": "2026-10-09"}, request_only=True
            ),
        ],
        responses={200: ReportDetail, **errors(post=True)},
    )
    def post(self, request: Request) -> Response:
        asked = Made(data=request.data)
        asked.is_valid(raise_exception=True)
        ref = self._tenant_of(asked.validated_data)
        tenant = Tenant.objects.get(pk=ref.pk)
        now = timezone.now()
        period = _period_of(asked.validated_data, Plan.of(tenant.report_plan).zone, now)

        def run() -> tuple[Response, dict[str, Any]]:
            report, is_new = keep(tenant, period, now, actor=self.owner.username)
            if is_new and period == last_month(now, period.zone):
                note_standing(tenant, report, period)
            return Response(report_detail(tenant, ref, report)), {"report": str(report.public_id)}

        def again(ref_: dict[str, Any]) -> Response:
            report = report_of(tenant, uuid.UUID(ref_["report"]))
            if report is None:
                raise Http404
            return Response(report_detail(tenant, ref, report))

        return once(request, self.key, run, again)

    def _tenant_of(self, asked: dict[str, Any]) -> TenantRef:
        """Raises Problem."""
        allowed = {
            self.rights.tenants[pk].slug: self.rights.tenants[pk]
            for pk in self.rights.having(self.right)
        }
        slug = asked.get("tenant")
        if slug is None and len(allowed) == 1:
            return next(iter(allowed.values()))
        if slug is None:
            raise bad_fields(FieldError("tenant", "Name one tenant."))
        if slug not in allowed:
            raise Problem(404, NOT_HERE)
        return allowed[slug]


def _period_of(asked: dict[str, Any], zone: str, now: datetime) -> Period:
    """Raises Problem."""
    month, first, last = (asked.get(name) for name in ("month", "first", "last"))
    if bool(month) == bool(first or last) or bool(first) != bool(last):
        raise bad_fields(FieldError("month", "Send a month, or the first and the last day."))
    try:
        if month:
            whole = month_of(date(int(month[:4]), int(month[5:]), 1), zone)
            return days_between(whole.first_day, whole.last_day, zone, now)
        return days_between(first, last, zone, now)  # type: ignore[arg-type]
    except (BadPeriod, ValueError, OverflowError) as err:
        told = str(err) if isinstance(err, BadPeriod) else "There is no such month."
        raise bad_fields(FieldError("month" if month else "first", told)) from err


class OneReport(ReportsView):
    @extend_schema(
        operation_id="get_report",
        summary="A report with its numbers and those of the period before",
        parameters=[ONE_TENANT],
        responses={200: ReportDetail, **errors(400)},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        tenant, ref, report = self.found(id)
        return Response(report_detail(tenant, ref, report))


class Paper(JSONRenderer):
    """What is asked for; a refusal is JSON all the same."""

    media_type = PDF
    format = "pdf"


class ReportPdf(ReportsView):
    renderer_classes = [Paper, JSONRenderer]

    @extend_schema(
        operation_id="get_report_pdf",
        summary="A report as PDF, with the provider's branding; recorded",
        parameters=[ONE_TENANT],
        responses={(200, PDF): OpenApiTypes.BINARY, **errors(400)},
    )
    def get(self, request: Request, id: uuid.UUID) -> HttpResponse:
        tenant, _, report = self.found(id)
        facts: dict[str, object] = {"key": self.key.prefix}
        record(self.owner.username, "report_downloaded", tenant, f"report {id}", facts)
        answer = HttpResponse(pdf(document_of(tenant, report), brand()), content_type=PDF)
        name = file_name(tenant, report.period)
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer


def report_body(report: Report, ref: TenantRef) -> Body:
    return {
        "id": report.public_id,
        "tenant": ref.slug,
        "period": report.period.name,
        "since": report.since,
        "until": report.until,
        "zone": report.zone,
        "is_month": report.is_month,
        "made_at": report.made_at,
    }


def report_detail(tenant: Tenant, ref: TenantRef, report: Report) -> Body:
    shown = document_of(tenant, report)
    return {
        **report_body(report, ref),
        "brief": list(shown.brief),
        "todo": list(shown.todo),
        "figures": report.figures,
        "before": report.before,
    }
