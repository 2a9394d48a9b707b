"""What a program does to one case: an action, a comment."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import triage
from alerts.rules import Refused as BadText
from csc_portal.access import case_for
from csc_portal.api import shapes
from csc_portal.api.asked import Action, Comment, order_fields
from csc_portal.api.cases import etag, shown, version_of
from csc_portal.api.documented import IDEMPOTENCY, IF_MATCH, errors
from csc_portal.api.once import HEADER, nonce_of, once
from csc_portal.api.problems import Problem
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.comments import send_comment
from csc_portal.many import ORDERS, Order, forbidden, hurry
from tenants.audit import record
from tenants.models import QueueEntry, Tenant
from tenants.roles import Right
from tenants.scope import scope

STALE = "It is at another version than If-Match says. Read it again."


class CaseActions(ApiView):
    scope = Scope.CASES_WRITE

    @extend_schema(
        operation_id="act_on_case",
        summary="Assign, start, judge, resolve, reopen, snooze, wake, set severity, ask for ticket",
        description="Answers the case as it is then. What is so already changes nothing.",
        parameters=[IF_MATCH, IDEMPOTENCY],
        request=Action,
        examples=[
            OpenApiExample(
                "resolve",
                {
                    "do": "resolve",
                    "verdict": "falsePositive",
                    "determination": "notMalicious",
                    "reason": "trusted_address",
                },
                request_only=True,
            ),
            OpenApiExample("assign to me", {"do": "assign"}, request_only=True),
        ],
        responses={200: shapes.CaseDetail, **errors(410, 412, post=True)},
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        entry, tenant = case_for(self.owner, id, Right.ACT, self.rights)
        asked = Action(data=request.data)
        asked.is_valid(raise_exception=True)

        def run() -> tuple[Response, dict[str, Any]]:
            order = Order(
                asked.validated_data["do"], order_fields(asked.validated_data), self.owner.pk
            )
            self._act(entry, tenant, order)
            return shown(self, id), {}

        return once(request, self.key, run, lambda _: shown(self, id))

    def _act(self, entry: QueueEntry, tenant: Tenant, order: Order) -> None:
        """Raises Problem."""
        if problem := forbidden(order, self.rights.tenants[tenant.pk], tenant):
            raise Problem(422, problem)
        case = version_of(tenant, entry)
        wanted = self.request.headers.get("If-Match", "*").split(",")
        if not {"*", etag(case)} & {one.strip() for one in wanted}:
            raise Problem(412, STALE)
        try:
            with scope(tenant):
                outcome = ORDERS[order.do](order, tenant, {case.pk: case.version})
        except (triage.Refused, BadText) as err:
            raise Problem(422, str(err)) from err
        if outcome.stale:
            raise Problem(409, triage.STALE)
        if outcome.changed:
            hurry(order, tenant)
            facts = {"do": order.do, "key": self.key.prefix}
            record(self.owner.username, "api_action", tenant, f"case {entry.public_id}", facts)


class CaseComments(ApiView):
    scope = Scope.CASES_WRITE

    @extend_schema(
        operation_id="comment_on_case",
        summary="Write a comment into the case's ticket, and at Microsoft",
        description=(
            "It goes out while you wait and is kept nowhere in the portal. With an "
            "Idempotency-Key a repetition does not arrive twice, also where an answer was lost."
        ),
        parameters=[IDEMPOTENCY],
        request=Comment,
        responses={200: shapes.Commented, **errors(410, post=True)},
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        entry, tenant = case_for(self.owner, id, Right.ACT, self.rights)
        asked = Comment(data=request.data)
        asked.is_valid(raise_exception=True)
        version_of(tenant, entry)
        said = asked.validated_data

        def run() -> tuple[Response, dict[str, Any]]:
            given = HEADER in request.headers
            sent = send_comment(
                tenant,
                entry.case_id,
                said["text"],
                nonce_of(request, self.key) if given else secrets.token_hex(12),
                actor_id=self.owner.pk,
                author=self.owner.get_full_name() or self.owner.username,
                to_microsoft=said["to_microsoft"],
            )
            if not sent.where:
                raise Problem(422, sent.problem)
            body = {"where": list(sent.where), "problem": sent.problem}
            facts = {"do": "comment", "key": self.key.prefix, "where": list(sent.where)}
            record(self.owner.username, "api_action", tenant, f"case {entry.public_id}", facts)
            return Response(body), body

        return once(request, self.key, run, Response)
