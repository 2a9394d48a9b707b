"""Rules and the audit log, read-only."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.rules import listed
from csc_portal.access import TenantRef
from csc_portal.api import shapes
from csc_portal.api.bodies import rule_body
from csc_portal.api.documented import PAGING, SINCE, TENANT, UNTIL, errors
from csc_portal.api.pages import bad_cursor, cursor_for, cursor_of, limit_of, page
from csc_portal.api.records import time_of
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.audit_log import page as audit_page
from csc_portal.audit_log import parse, reader_for
from tenants.models import Rule


class Rules(ApiView):
    scope = Scope.RULES_READ
    known = frozenset({"tenant"})

    @extend_schema(
        operation_id="list_rules",
        summary="Rules by which cases are closed, raised or held",
        description="Those of the key's tenants, of their groups, and those for all.",
        parameters=[TENANT],
        responses={200: shapes.listed(shapes.RuleShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        tenants = self.tenants()
        rules = listed(list(tenants))
        return Response(page([rule_body(rule, _scope_of(rule, tenants)) for rule in rules]))


def _scope_of(rule: Rule, tenants: dict[int, TenantRef]) -> dict[str, Any]:
    ref = tenants.get(rule.tenant_id or 0)
    kind = "tenant" if rule.tenant_id else "group" if rule.group_id else "all"
    return {"applies_to": kind, "tenant": ref.slug if ref else None}


class Audit(ApiView):
    scope = Scope.AUDIT_READ
    known = frozenset({"tenant", "who", "action", "since", "until"})
    is_list = True

    @extend_schema(
        operation_id="list_audit_entries",
        summary="Who did or saw what, newest first",
        parameters=[
            TENANT,
            OpenApiParameter("who", {"type": "string", "maxLength": 150}, "query"),
            OpenApiParameter("action", {"type": "string", "maxLength": 40}, "query"),
            SINCE,
            UNTIL,
            *PAGING,
        ],
        responses={200: shapes.listed(shapes.AuditLine), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        for name in ("since", "until"):
            time_of(query, name)
        limit, values = limit_of(query), cursor_of(query, (int,))
        if values and not 0 < values[0] < 2**62:
            raise bad_cursor()
        reader = reader_for(self.rights, list(self.tenants()), is_narrowed="tenant" in query)
        wanted = parse(query)
        lines = audit_page(reader, wanted, values[0] if values else None, limit + 1)
        shown = lines[:limit]
        following = cursor_for(query, [shown[-1].id]) if len(lines) > limit else ""
        names = ("id", "at", "actor", "action", "tenant", "subject", "facts", "seq")
        items = [{name: getattr(line, name) for name in names} for line in shown]
        return Response(page(items, following))
