"""Tenants, how they fare, and the ledger of what was read; and what the key itself is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.access import tenant_for
from csc_portal.api import shapes
from csc_portal.api.documented import PAGING, errors
from csc_portal.api.keys import scopes_of
from csc_portal.api.pages import MOST_ID, cursor_for, limit_of, page, place_of
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.people import workers
from csc_portal.queue import open_by_tenant
from csc_portal.tenant_health import read_health
from tenants.models import SEVERITIES, Tenant
from tenants.roles import Right


class OwnKey(ApiView):
    @extend_schema(
        operation_id="get_key",
        summary="The key that asks: its scopes and the tenants that it shows now",
        responses={200: shapes.KeyShape, **errors()},
    )
    def get(self, request: Request) -> Response:
        body = {
            "prefix": self.key.prefix,
            "name": self.key.name,
            "scopes": scopes_of(self.key),
            "tenants": [ref.slug for ref in self.rights.tenants.values()],
            "expires_at": self.key.expires_at,
        }
        return Response(body)


class Tenants(ApiView):
    scope = Scope.TENANTS_READ
    is_list = True

    @extend_schema(
        operation_id="list_tenants",
        summary="Tenants with their health and open cases",
        parameters=[*PAGING],
        responses={200: shapes.listed(shapes.TenantShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        ids, limit = self.rights.having(self.right), limit_of(query)
        after = place_of(query, 0, MOST_ID)
        rows = list(Tenant.objects.filter(pk__in=ids, pk__gt=after).order_by("pk")[: limit + 1])
        shown = rows[:limit]
        counts = open_by_tenant([tenant.pk for tenant in shown])
        items = [tenant_body(tenant, counts.get(tenant.pk, {})) for tenant in shown]
        following = cursor_for(query, [shown[-1].pk]) if len(rows) > limit else ""
        return Response(page(items, following))


class OneTenant(ApiView):
    scope = Scope.TENANTS_READ

    @extend_schema(
        operation_id="get_tenant",
        summary="A tenant with its health, ledger, deliveries and write-backs",
        responses={200: shapes.TenantDetail, **errors()},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant = tenant_for(self.owner, slug, self.right, self.rights)
        health = read_health(tenant)
        counts = open_by_tenant([tenant.pk]).get(tenant.pk, {})
        body = {
            **tenant_body(tenant, counts),
            "watermark": health.watermark,
            "ledger": [
                {
                    "source": poll.source,
                    "since": poll.since,
                    "until": poll.until,
                    "state": poll.state,
                    "attempts": poll.attempts,
                    "started_at": poll.started_at,
                    "finished_at": poll.finished_at,
                    "error": poll.error,
                }
                for poll in health.polls
            ],
            "deliveries": health.deliveries,
            "write_backs": health.write_backs,
        }
        return Response(body)


class Workers(ApiView):
    scope = Scope.CASES_WRITE

    @extend_schema(
        operation_id="list_workers",
        summary="People to whom cases of a tenant can be assigned",
        responses={200: shapes.listed(shapes.Worker), **errors()},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant = tenant_for(self.owner, slug, Right.ACT, self.rights)
        return Response(page([{"id": one.pk, "name": one.name} for one in workers([tenant.pk])]))


def tenant_body(tenant: Tenant, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "slug": tenant.slug,
        "name": tenant.name,
        "state": tenant.state,
        "open_cases": {name: counts.get(name, 0) for name in SEVERITIES},
        "health": {
            "is_failing": tenant.is_active and tenant.is_failing,
            "failing_since": tenant.failing_since,
            "last_error": tenant.last_error,
            "polled_at": tenant.polled_at,
            "last_alert_at": tenant.last_alert_at,
            "silent_since": tenant.silent_since,
            "silent_sources": tenant.silent_sources,
            "unread_windows": tenant.unread_windows,
            "quarantined": tenant.quarantined,
            "missing_permissions": tenant.missing_permissions,
            "credential_expires_at": tenant.credential_expires_at,
            "push_healthy_at": tenant.push_healthy_at,
        },
    }
