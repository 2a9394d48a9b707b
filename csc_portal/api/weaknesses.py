"""Weaknesses: of all tenants from their own rows, and the list of one."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.api import posture_shapes, shapes
from csc_portal.api.bodies import Body
from csc_portal.api.documented import PAGING, TENANT, errors
from csc_portal.api.pages import MOST_ID, cursor_for, limit_of, page, place_of
from csc_portal.api.posture import PostureView
from csc_portal.api.problems import FieldError, bad_fields
from posture import weakness_list
from posture.models import Weakness
from posture.weakness_list import WHICH, Asked, Line
from tenants.models import Tenant
from tenants.scope import scope

LONGEST_TEXT = 60
COUNTS = ("total", "critical", "high", "likely", "exploited", "ransomware")


class WeaknessCounts(PostureView):
    is_list = True
    known = frozenset({"tenant"})

    @extend_schema(
        operation_id="list_weakness_counts",
        summary="How many weaknesses tenants have, and how many of them attackers use",
        parameters=[TENANT, *PAGING],
        responses={200: shapes.listed(posture_shapes.WeaknessCountsShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        return self.by_tenant(counts_body)


class Weaknesses(PostureView):
    is_list = True
    known = frozenset({"which", "text"})

    @extend_schema(
        operation_id="list_weaknesses",
        summary="Weaknesses of a tenant's devices, those that attackers use first",
        parameters=[
            OpenApiParameter(
                "which", str, "query", enum=list(WHICH), default="all",
                description="`exploited`: on CISA's list; `likely`: not, but EPSS says 0.5 or more",
            ),
            OpenApiParameter(
                "text", {"type": "string", "maxLength": LONGEST_TEXT}, "query",
                description="A part of the CVE or of a product's name",
            ),
            *PAGING,
        ],
        responses={200: shapes.listed(posture_shapes.WeaknessShape), **errors(400)},
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        tenant, query = self.tenant(slug), request.query_params
        limit, start = limit_of(query), place_of(query, 0, MOST_ID)
        asked = Asked(self.one_of("which", WHICH) or "all", _text_of(query.get("text", "")))
        with scope(tenant):
            read = weakness_list.page(asked, limit=limit + 1, offset=start)
        following = cursor_for(query, [start + limit]) if len(read) > limit else ""
        return Response(page([weakness_body(one) for one in read[:limit]], following))


def _text_of(text: str) -> str:
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise bad_fields(FieldError("text", "Too long, or with a NUL in it."))
    return text


def counts_body(tenant: Tenant) -> Body:
    counts = tenant.weaknesses
    return {
        "tenant": tenant.slug,
        **{name: counts.get(name, 0) for name in COUNTS},
        "read_at": counts.get("read_at") or None,
        "problem": counts.get("problem", ""),
    }


def weakness_body(line: Line) -> Body:
    return {
        "cve": line.cve,
        "severity": Weakness.Severity(line.severity).name.lower(),
        "cvss": line.cvss,
        "devices": line.exposed,
        "products": line.products,
        "exploit": Weakness.Exploit(line.exploit).name.lower(),
        "is_exploited": line.is_exploited,
        "by_ransomware": line.by_ransomware,
        "due_on": line.due_on,
        "epss": line.score,
        "published_on": line.published_on,
        "first_seen_at": line.first_seen_at,
    }
