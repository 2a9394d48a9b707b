"""What lies in one tenant's schema, newest first: tickets, deliveries, decisions; and what the
portal closed by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.http import QueryDict
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.auto_closed import MOST, AutoClosed, auto_closed
from alerts.models import Decision
from csc_portal.access import TenantRef
from csc_portal.api import shapes
from csc_portal.api.bodies import Body, decision_body, delivery_body, ticket_body
from csc_portal.api.documented import ONE_TENANT, PAGING, SINCE, UNTIL, errors
from csc_portal.api.pages import MOST_ID, cursor_for, limit_of, page, place_of
from csc_portal.api.problems import FieldError, bad_fields
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from tenants.models import SEVERITIES, Tenant
from tenants.scope import scope
from ticketing.models import Delivery, Ticket

CASE = OpenApiParameter("case", OpenApiTypes.UUID, "query", description="Of this case alone")
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
LONGEST_REPORT = timedelta(days=31)


class RecordsView(ApiView):
    """Rows of one tenant, by falling id."""

    scope = Scope.CASES_READ
    is_list = True
    known = frozenset({"tenant", "case"})

    def found(
        self, rows: Callable[[], QuerySet[Any]], body: Callable[[Any, TenantRef], Body]
    ) -> Response:
        """Two queries: the tenant, and the rows with their cases."""
        query = self.request.query_params
        ref, limit = self.one_tenant(), limit_of(query)
        before = place_of(query, MOST_ID, MOST_ID)
        case = uuid_of(query, "case")
        with scope(Tenant.objects.get(pk=ref.pk)):
            wanted = rows().filter(pk__lt=before).select_related("case").order_by("-pk")
            if case:
                wanted = wanted.filter(case__public_id=case)
            read: list[Model] = list(wanted[: limit + 1])
        shown = read[:limit]
        following = cursor_for(query, [shown[-1].pk]) if len(read) > limit else ""
        return Response(page([body(one, ref) for one in shown], following))


class Tickets(RecordsView):
    @extend_schema(
        operation_id="list_tickets",
        summary="Tickets of a tenant",
        parameters=[ONE_TENANT, CASE, *PAGING],
        responses={200: shapes.listed(shapes.TicketShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        return self.found(lambda: Ticket.objects.exclude(case=None), ticket_body)


class Deliveries(RecordsView):
    known = frozenset({"tenant", "case", "state"})

    @extend_schema(
        operation_id="list_deliveries",
        summary="What was or is to be told to a tenant's ticket system",
        parameters=[
            ONE_TENANT,
            CASE,
            OpenApiParameter("state", str, "query", enum=Delivery.State.values),
            *PAGING,
        ],
        responses={200: shapes.listed(shapes.DeliveryShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        state = request.query_params.get("state", "")
        if state and state not in Delivery.State.values:
            told = f"Choose of: {', '.join(Delivery.State.values)}."
            raise bad_fields(FieldError("state", told))
        wanted = {"state": state} if state else {}
        return self.found(
            lambda: Delivery.objects.filter(case__isnull=False, **wanted), delivery_body
        )


class Decisions(RecordsView):
    @extend_schema(
        operation_id="list_decisions",
        summary="What the portal decided about a tenant's cases, and why",
        parameters=[ONE_TENANT, CASE, *PAGING],
        responses={200: shapes.listed(shapes.DecisionShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        return self.found(Decision.objects.all, decision_body)


class AutoClosedReport(ApiView):
    scope = Scope.REPORTS_READ
    known = frozenset({"tenant", "since", "until"})

    @extend_schema(
        operation_id="report_auto_closed",
        summary="What the portal closed by itself, or would have",
        description="Of one tenant; of the last 7 days, or of at most 31; 1,000 at most.",
        parameters=[ONE_TENANT, SINCE, UNTIL],
        responses={200: shapes.listed(shapes.AutoClosed), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query, now = request.query_params, timezone.now()
        ref = self.one_tenant()
        until = time_of(query, "until") or now
        since = time_of(query, "since") or until - timedelta(days=7)
        if not timedelta() <= until - since <= LONGEST_REPORT:
            raise bad_fields(FieldError("since", "At most 31 days before until."))
        with scope(Tenant.objects.get(pk=ref.pk)):
            found = auto_closed(since, until, limit=MOST)
        return Response(page([_closed_body(one, ref) for one in found]))


def _closed_body(one: AutoClosed, ref: TenantRef) -> Body:
    return {
        "decision": one.decision_id,
        "case": one.public_id,
        "tenant": ref.slug,
        "at": one.at,
        "title": one.title,
        "severity": SEVERITIES[one.severity],
        "outcome": one.outcome,
        "by": one.by,
        "reasons": [{"code": code, "detail": words} for code, words in one.reasons],
        "rule": one.rule_id,
        "rule_version": one.rule_version,
        "is_open": one.is_open,
        "verdict": one.verdict,
    }


def uuid_of(query: QueryDict, name: str) -> uuid.UUID | None:
    if name not in query:
        return None
    try:
        return uuid.UUID(query[name])
    except ValueError:
        raise bad_fields(FieldError(name, "This is no id.")) from None


def time_of(query: QueryDict, name: str) -> datetime | None:
    """Raises Problem. Without a zone it is UTC; nothing is older than FIRST."""
    if name not in query:
        return None
    try:
        at = datetime.fromisoformat(query[name])
    except ValueError:
        told = "This is no time. Write it as 2026-11-20T08:00:00Z."
        raise bad_fields(FieldError(name, told)) from None
    if not FIRST.year < at.year < LAST.year:  # also what has no place in UTC
        return FIRST if at.year <= FIRST.year else LAST
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
