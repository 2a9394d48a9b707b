"""Alerts: those of a case, the one that Microsoft gave an id, or a tenant's newest."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.models import Alert, AlertEntity
from csc_portal.access import TenantRef, case_for
from csc_portal.api import shapes
from csc_portal.api.bodies import alert_body, by_alert
from csc_portal.api.documented import ONE_TENANT, PAGING, SINCE, UNTIL, errors
from csc_portal.api.pages import bad_cursor, cursor_for, cursor_of, limit_of, page
from csc_portal.api.problems import FieldError, bad_fields
from csc_portal.api.records import time_of
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from tenants.models import SEVERITIES, Tenant
from tenants.scope import scope

MOST_ALERTS = 200
MOST_LINKS = 5_000
LONGEST_REF = 200
SCANNED = 10_000


class Alerts(ApiView):
    scope = Scope.CASES_READ
    known = frozenset({"case", "source_ref", "tenant"})

    @extend_schema(
        operation_id="list_alerts",
        summary="The alerts of a case, or one alert by its id at Microsoft",
        description="Name `case`, or `source_ref`. All alerts of a case fit on one page.",
        parameters=[
            OpenApiParameter("case", OpenApiTypes.UUID, "query"),
            OpenApiParameter(
                "source_ref",
                {"type": "string", "minLength": 1, "maxLength": LONGEST_REF},
                "query",
                description="Exact",
            ),
            ONE_TENANT,
        ],
        responses={200: shapes.listed(shapes.AlertShape), **errors(400, 410)},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        if ("case" in query) == ("source_ref" in query):
            raise bad_fields(FieldError("case", "Name either case or source_ref."))
        if "source_ref" in query:
            ref = self.one_tenant()
            text = query["source_ref"].replace("\0", "")[: LONGEST_REF + 1]
            return Response(page(alerts_of(ref, provider_id=text)))
        try:
            public_id = uuid.UUID(query["case"])
        except ValueError:
            raise bad_fields(FieldError("case", "This is no id of a case.")) from None
        tenants = self.tenants()
        entry, tenant = case_for(self.owner, public_id, self.right, self.rights)
        if tenant.pk not in tenants:
            raise Http404
        return Response(page(alerts_of(self.rights.tenants[tenant.pk], case_id=entry.case_id)))


class AlertSearch(ApiView):
    scope = Scope.CASES_READ
    known = frozenset({"tenant", "severity", "source", "since", "until"})
    is_list = True

    @extend_schema(
        operation_id="search_alerts",
        summary="Alerts of a tenant, those that Microsoft changed last first",
        description=(
            "`since` and `until` are about that time. A page may hold fewer alerts than `limit` "
            "and yet have a `next`: what is rare is looked for 10,000 alerts at a time."
        ),
        parameters=[
            ONE_TENANT,
            OpenApiParameter("severity", str, "query", enum=list(SEVERITIES), many=True),
            OpenApiParameter(
                "source", str, "query", many=True, description="Product, as `service_source`"
            ),
            SINCE,
            UNTIL,
            *PAGING,
        ],
        responses={200: shapes.listed(shapes.AlertShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        ref, limit, after = self.one_tenant(), limit_of(query), self._after()
        wanted = self._wanted(query)
        with scope(Tenant.objects.get(pk=ref.pk)):
            walked = _between(time_of(query, "since"), time_of(query, "until"), after)
            met = Alert.objects.filter(**wanted, pk__in=walked.values("pk")[:SCANNED])
            read = list(met.select_related("case").order_by("-updated_at", "-pk")[: limit + 1])
            shown = read[:limit]
            last = shown[-1] if len(read) > limit else walked[SCANNED - 1 : SCANNED].first()
            bodies = _bodies(ref, shown)
        values = [last.updated_at.isoformat(), last.pk] if last else []
        return Response(page(bodies, cursor_for(query, values) if values else ""))

    def _after(self) -> tuple[datetime, int] | None:
        values = cursor_of(self.request.query_params, (str, int))
        if values is None:
            return None
        try:
            at = datetime.fromisoformat(values[0])
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not 0 < values[1] < 2**63:
            raise bad_cursor()
        return at, values[1]

    def _wanted(self, query: QueryDict) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if severities := query.getlist("severity"):
            if not set(severities) <= set(SEVERITIES):
                told = f"Choose of: {', '.join(SEVERITIES)}."
                raise bad_fields(FieldError("severity", told))
            found["severity__in"] = [SEVERITIES.index(name) for name in severities]
        if sources := query.getlist("source"):
            found["service_source__in"] = [name.replace("\0", "")[:100] for name in sources[:20]]
        return found


def _between(
    since: datetime | None, until: datetime | None, after: tuple[datetime, int] | None
) -> QuerySet[Alert]:
    """By falling time of Microsoft's change, beyond a cursor."""
    found = Alert.objects.order_by("-updated_at", "-pk")
    if since is not None:
        found = found.filter(updated_at__gte=since)
    if until is not None:
        found = found.filter(updated_at__lt=until)
    if after is not None:
        # The first condition is what the index serves.
        found = found.filter(updated_at__lte=after[0]).exclude(
            updated_at=after[0], pk__gte=after[1]
        )
    return found


def alerts_of(ref: TenantRef, **which: Any) -> list[dict[str, Any]]:
    """Newest first. Three queries, for the tenant, alerts and entities."""
    with scope(Tenant.objects.get(pk=ref.pk)):
        found = Alert.objects.filter(**which).select_related("case")
        return _bodies(ref, list(found.order_by("-activity_at", "-pk")[:MOST_ALERTS]))


def _bodies(ref: TenantRef, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """Inside the tenant's scope. One query."""
    links = AlertEntity.objects.filter(alert_id__in=[alert.pk for alert in alerts])
    of = by_alert(
        list(links.select_related("entity").order_by("alert_id", "entity_id")[:MOST_LINKS])
    )
    return [
        alert_body(one, ref, one.case.public_id if one.case else None, of.get(one.pk, ()))
        for one in alerts
    ]
