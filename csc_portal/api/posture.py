"""Secure Score and Azure coverage: of all tenants from their own rows, and of one in full."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.access import tenant_for
from csc_portal.api import posture_shapes, shapes
from csc_portal.api.bodies import Body
from csc_portal.api.documented import PAGING, SINCE, TENANT, UNTIL, errors
from csc_portal.api.pages import (
    MOST_ID,
    bad_cursor,
    cursor_for,
    cursor_of,
    limit_of,
    page,
    place_of,
)
from csc_portal.api.problems import FieldError, bad_fields
from csc_portal.api.records import time_of, uuid_of
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.resource_cases import entities_of
from csc_portal.score_board import TenantScore, tenant_score
from posture import listing
from posture.coverage import Rule, State, Why, explain
from posture.models import AzureResource, ScoreDay, WatchRule
from posture.scores import Score, Step
from posture.stored_inventory import rule_of
from posture.tally import new_since, percent_of
from tenants.models import Tenant
from tenants.scope import scope

LONGEST_TYPE = 120
COUNTS = ("watched", "unwatched", "exempt", "unknown", "ignored", "new")


class PostureView(ApiView):
    scope = Scope.POSTURE_READ

    def tenant(self, slug: str) -> Tenant:
        """Raises Http404."""
        return tenant_for(self.owner, slug, self.right, self.rights)

    def by_tenant(self, body: Callable[[Tenant], Body]) -> Response:
        """A page over tenants, of their own rows alone."""
        query = self.request.query_params
        limit, after = limit_of(query), place_of(query, 0, MOST_ID)
        rows = Tenant.objects.filter(pk__in=self.tenants(), pk__gt=after)
        read = list(rows.exclude(state=Tenant.State.OFFBOARDED).order_by("pk")[: limit + 1])
        shown = read[:limit]
        following = cursor_for(query, [shown[-1].pk]) if len(read) > limit else ""
        return Response(page([body(one) for one in shown], following))


class Scores(PostureView):
    is_list = True
    known = frozenset({"tenant"})

    @extend_schema(
        operation_id="list_scores",
        summary="Secure Score of tenants, as it stands",
        parameters=[TENANT, *PAGING],
        responses={200: shapes.listed(posture_shapes.ScoreShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        return self.by_tenant(score_body)


class TenantScoreView(PostureView):
    @extend_schema(
        operation_id="get_score",
        summary="Secure Score of a tenant, beside others of its size",
        responses={200: posture_shapes.ScoreDetail, **errors()},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant = self.tenant(slug)
        return Response(score_detail(tenant, tenant_score(tenant, timezone.now())))


class ScoreHistory(PostureView):
    is_list = True
    known = frozenset({"since", "until"})

    @extend_schema(
        operation_id="list_score_days",
        summary="Secure Score of a tenant by day, newest first",
        parameters=[SINCE, UNTIL, *PAGING],
        responses={200: shapes.listed(posture_shapes.ScoreDayShape), **errors(400)},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant, query = self.tenant(slug), request.query_params
        limit, before = limit_of(query), _day_of(cursor_of(query, (str,)))
        wanted: dict[str, Any] = {"day__lt": before} if before else {}
        if since := time_of(query, "since"):
            wanted["day__gte"] = since.date()
        rows = ScoreDay.objects.filter(**wanted).order_by("-day")
        if until := time_of(query, "until"):
            rows = rows.filter(day__lt=until.date())
        with scope(tenant):
            read = list(rows.values_list("day", "current", "most")[: limit + 1])
        shown = [Score(*one) for one in read[:limit]]
        following = cursor_for(query, [shown[-1].day.isoformat()]) if len(read) > limit else ""
        return Response(page([day_body(one) for one in shown], following))


class ScoreControls(PostureView):
    is_list = True
    known = frozenset({"state"})

    @extend_schema(
        operation_id="list_score_controls",
        summary="Controls of a tenant's score, the best gain for its effort first",
        description="`open`: something to gain, and nobody decided against it: what to do next.",
        parameters=[
            OpenApiParameter("state", str, "query", enum=["open", "any"], default="any"),
            *PAGING,
        ],
        responses={200: shapes.listed(posture_shapes.ControlShape), **errors(400)},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant, query = self.tenant(slug), request.query_params
        limit, state = limit_of(query), self.one_of("state", ("open", "any"))
        start = place_of(query, 0, MOST_ID)
        found = tenant_score(tenant, timezone.now()).steps
        if state == "open":
            found = [step for step in found if _is_open(step)]
        end = start + limit
        following = cursor_for(query, [end]) if len(found) > end else ""
        return Response(page([control_body(step) for step in found[start:end]], following))


class Coverages(PostureView):
    is_list = True
    known = frozenset({"tenant"})

    @extend_schema(
        operation_id="list_coverage",
        summary="Azure coverage of tenants: how many resources are watched",
        parameters=[TENANT, *PAGING],
        responses={200: shapes.listed(posture_shapes.CoverageShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        return self.by_tenant(coverage_body)


class TenantCoverage(PostureView):
    @extend_schema(
        operation_id="get_coverage",
        summary="Azure coverage of a tenant by subscription and type",
        responses={200: posture_shapes.CoverageDetail, **errors()},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant = self.tenant(slug)
        with scope(tenant):
            rule = rule_of(WatchRule.objects.first())
            subscriptions, types = listing.groups(new_since(timezone.now()))
        body = {
            **coverage_body(tenant),
            "rule": str(rule),
            "subscriptions": [
                {**_numbers(one), "subscription": one.subscription, "plans_on": one.plans_on}
                for one in subscriptions
            ],
            "types": [{**_numbers(one), "type": one.type} for one in types],
        }
        return Response(body)


class Resources(PostureView):
    is_list = True
    known = frozenset({"state", "type", "subscription", "new"})

    @extend_schema(
        operation_id="list_resources",
        summary="Azure resources of a tenant by pseudonym, and whether each is watched",
        parameters=[
            OpenApiParameter("state", str, "query", enum=[one.value for one in State]),
            OpenApiParameter("type", {"type": "string", "maxLength": LONGEST_TYPE}, "query"),
            OpenApiParameter("subscription", OpenApiTypes.UUID, "query", description="Pseudonym"),
            OpenApiParameter(
                "new", str, "query", enum=["true", "false"], description="First seen within a day"
            ),
            *PAGING,
        ],
        responses={200: shapes.listed(posture_shapes.ResourceShape), **errors(400)},
    )
    def get(self, request: Request, slug: str) -> Response:
        tenant, query = self.tenant(slug), request.query_params
        limit, after = limit_of(query), _id_of(cursor_of(query, (str,)))
        wanted = listing.Wanted(
            state=self.one_of("state", [one.value for one in State]),
            type=_type_of(query.get("type", "")),
            subscription=uuid_of(query, "subscription"),
            is_new=self.one_of("new", ("true", "false")) == "true",
        )
        with scope(tenant):
            rule = rule_of(WatchRule.objects.first())
            since = new_since(timezone.now())
            read = listing.page(wanted, since, after=after, limit=limit + 1)
            shown = read[:limit]
            entities = entities_of(one.pseudonym for one in shown)
        following = cursor_for(query, [str(shown[-1].pseudonym)]) if len(read) > limit else ""
        items = [resource_body(one, tenant, rule, entities.get(one.pseudonym)) for one in shown]
        return Response(page(items, following))


def _day_of(values: list[Any] | None) -> date | None:
    try:
        return date.fromisoformat(values[0]) if values else None
    except ValueError:
        raise bad_cursor() from None


def _id_of(values: list[Any] | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(values[0]) if values else None
    except ValueError:
        raise bad_cursor() from None


def _type_of(text: str) -> str:
    if len(text) > LONGEST_TYPE or "\0" in text:
        raise bad_fields(FieldError("type", "Too long, or with a NUL in it."))
    return text.lower()


def score_body(tenant: Tenant) -> Body:
    standing = tenant.score_standing
    return {
        "tenant": tenant.slug,
        "percent": tenant.score_percent,
        "change_7": standing.get("change_7"),
        "change_30": standing.get("change_30"),
        "open_controls": standing.get("open", 0),
        "day": standing.get("day"),
        "read_at": tenant.score_read_at,
        "problem": standing.get("problem", ""),
    }


def score_detail(tenant: Tenant, found: TenantScore) -> Body:
    newest, band = found.newest, found.band
    return {
        **score_body(tenant),
        "points": newest.current if newest else None,
        "most": newest.most if newest else None,
        "change_90": dict(found.changes)[90],
        "averages": dict(newest.averages) if newest else {},
        "similar": {
            "size": band.name,
            "members": band.members,
            "lower": band.lower,
            "middle": band.middle,
            "upper": band.upper,
        }
        if band
        else None,
        "findings": [one.public_id for one in found.findings],
    }


def day_body(one: Score) -> Body:
    return {"day": one.day, "points": one.current, "most": one.most, "percent": one.percent}


def _is_open(step: Step) -> bool:
    return step.gap > 0 and not step.profile.is_settled


def control_body(step: Step) -> Body:
    one = step.profile
    return {
        "name": one.name,
        "title": one.title,
        "category": one.category,
        "service": one.service,
        "points": step.score,
        "most": step.most,
        "gap": step.gap,
        "gain": step.gain,
        "effort": one.effort,
        "cost": one.cost,
        "impact": one.impact,
        "tier": one.tier,
        "threats": list(one.threats),
        "state": one.state,
        "is_deprecated": one.is_deprecated,
        "is_open": _is_open(step),
    }


def coverage_body(tenant: Tenant) -> Body:
    counts = {name: tenant.coverage.get(name, 0) for name in COUNTS}
    return {
        "tenant": tenant.slug,
        **counts,
        "percent": percent_of(counts["watched"], counts["unwatched"]),
        "read_at": tenant.coverage.get("read_at") or None,
    }


def _numbers(one: listing.Group) -> Body:
    return {"total": one.total, **{name: getattr(one, name) for name in COUNTS}}


def resource_body(row: AzureResource, tenant: Tenant, rule: Rule, entity: uuid.UUID | None) -> Body:
    return {
        "id": row.pseudonym,
        "tenant": tenant.slug,
        "subscription": row.subscription,
        "resource_group": row.resource_group,
        "type": row.type,
        "location": row.location,
        "state": row.state,
        "why": row.why,
        "reason": explain(Why(row.why), rule),
        "entity": entity,
        "first_seen_at": row.first_seen_at,
        "changed_at": row.changed_at,
    }
