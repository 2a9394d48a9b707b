"""Alerts: those of a case, or the one that Microsoft gave an id."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.models import Alert, AlertEntity
from csc_portal.access import TenantRef, case_for
from csc_portal.api import shapes
from csc_portal.api.bodies import alert_body, by_alert
from csc_portal.api.documented import ONE_TENANT, errors
from csc_portal.api.pages import page
from csc_portal.api.problems import FieldError, bad_fields
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from tenants.models import Tenant
from tenants.scope import scope

MOST_ALERTS = 200
MOST_LINKS = 5_000
LONGEST_REF = 200


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
            return Response(page(_alerts(ref, provider_id=text)))
        try:
            public_id = uuid.UUID(query["case"])
        except ValueError:
            raise bad_fields(FieldError("case", "This is no id of a case.")) from None
        self.tenants()  # an unknown tenant is told here, too
        entry, tenant = case_for(self.owner, public_id, self.right, self.rights)
        return Response(page(_alerts(self.rights.tenants[tenant.pk], case_id=entry.case_id)))


def _alerts(ref: TenantRef, **which: Any) -> list[dict[str, Any]]:
    """Newest first. Three queries, for the tenant, alerts and entities."""
    tenant = Tenant.objects.get(pk=ref.pk)
    with scope(tenant):
        found = Alert.objects.filter(**which).select_related("case")
        alerts = list(found.order_by("-activity_at", "-pk")[:MOST_ALERTS])
        links = AlertEntity.objects.filter(alert_id__in=[alert.pk for alert in alerts])
        named = list(links.select_related("entity").order_by("alert_id", "entity_id")[:MOST_LINKS])
    of = by_alert(named)
    return [
        alert_body(one, ref, one.case.public_id if one.case else None, of.get(one.pk, ()))
        for one in alerts
    ]
