"""Findings of every kind: what is the matter with tenants' posture."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.access import TenantRef
from csc_portal.api import posture_shapes, shapes
from csc_portal.api.bodies import Body, assignee
from csc_portal.api.documented import PAGING, SINCE, TENANT, UNTIL, errors
from csc_portal.api.pages import bad_cursor, cursor_for, cursor_of, limit_of, page
from csc_portal.api.records import time_of
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.people import People, people
from posture.models import Finding
from tenants.models import SEVERITIES, FindingEntry, Tenant
from tenants.scope import granted, scope

STATUSES = ("open", "closed", "any")


class Findings(ApiView):
    scope = Scope.POSTURE_READ
    is_list = True
    known = frozenset({"tenant", "status", "kind", "severity", "since", "until"})

    @extend_schema(
        operation_id="list_findings",
        summary="Findings about posture, newest first",
        description="Without `status` those that are open. `since` and `until`: when they opened.",
        parameters=[
            TENANT,
            OpenApiParameter("status", str, "query", enum=list(STATUSES)),
            OpenApiParameter("kind", str, "query", enum=Finding.Kind.values, many=True),
            OpenApiParameter("severity", str, "query", enum=list(SEVERITIES), many=True),
            SINCE,
            UNTIL,
            *PAGING,
        ],
        responses={200: shapes.listed(posture_shapes.FindingShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        tenants, limit = self.tenants(), limit_of(query)
        wanted = self._wanted() & _behind(cursor_of(query, (str, str)))
        rows = FindingEntry.objects.filter(wanted, tenant_id__in=tenants)
        with granted(tenants):
            read = list(rows.order_by("-opened_at", "-public_id")[: limit + 1])
        shown, following = read[:limit], ""
        if len(read) > limit:
            last = shown[-1]
            following = cursor_for(query, [last.opened_at.isoformat(), str(last.public_id)])
        known = people(row.owner_id for row in shown)
        items = [finding_body(row, tenants[row.tenant_id], known) for row in shown]
        return Response(page(items, following))

    def _wanted(self) -> Q:
        """What the filters say. Raises Problem."""
        query = self.request.query_params
        status = self.one_of("status", STATUSES) or "open"
        wanted = Q() if status == "any" else Q(closed_at__isnull=status == "open")
        if kinds := self.some_of("kind", Finding.Kind.values):
            wanted &= Q(kind__in=kinds)
        if severities := self.some_of("severity", SEVERITIES):
            wanted &= Q(severity__in=[SEVERITIES.index(one) for one in severities])
        if since := time_of(query, "since"):
            wanted &= Q(opened_at__gte=since)
        if until := time_of(query, "until"):
            wanted &= Q(opened_at__lt=until)
        return wanted


class OneFinding(ApiView):
    scope = Scope.POSTURE_READ

    @extend_schema(
        operation_id="get_finding",
        summary="One finding with its facts",
        responses={200: posture_shapes.FindingDetail, **errors()},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        ids = list(self.rights.having(self.right))
        with granted(ids):
            entry = FindingEntry.objects.filter(public_id=id, tenant_id__in=ids).first()
        if entry is None:
            raise Http404
        with scope(Tenant.objects.get(pk=entry.tenant_id)):
            finding = Finding.objects.filter(public_id=id).first()
        if finding is None:
            raise Http404
        ref = self.rights.tenants[entry.tenant_id]
        known = people([entry.owner_id])
        return Response({**finding_body(entry, ref, known), "facts": finding.facts})


def _behind(values: list[Any] | None) -> Q:
    """What comes after the cursor. Raises Problem."""
    if values is None:
        return Q()
    try:
        at, last = datetime.fromisoformat(values[0]), uuid.UUID(values[1])
        if at.tzinfo is None:
            raise ValueError("a time without a zone")
    except ValueError:
        raise bad_cursor() from None
    return Q(opened_at__lt=at) | Q(opened_at=at, public_id__lt=last)


def finding_body(row: FindingEntry, ref: TenantRef, known: People) -> Body:
    ticket = {"reference": row.ticket_ref, "url": row.ticket_url}
    return {
        "id": row.public_id,
        "tenant": ref.slug,
        "kind": row.kind,
        "severity": SEVERITIES[row.severity],
        "summary": row.summary,
        "size": row.size,
        "is_open": row.closed_at is None,
        "owner": assignee(row.owner_id, ref, known),
        "accepted_until": row.accepted_until,
        "accepted_why": row.accepted_why,
        "ticket": ticket if row.ticket_ref else None,
        "opened_at": row.opened_at,
        "changed_at": row.changed_at,
        "closed_at": row.closed_at,
    }
