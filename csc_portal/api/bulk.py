"""Up to 10,000 cases at once: the answer is a task, which tells what became of each."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from kombu.exceptions import OperationalError
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.api import shapes
from csc_portal.api.asked import Bulk, order_fields
from csc_portal.api.bulk_run import carry_out
from csc_portal.api.documented import IDEMPOTENCY, errors
from csc_portal.api.once import once
from csc_portal.api.pages import cursor_for, limit_of, page, place_of
from csc_portal.api.problems import Problem
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from tenants.audit import record
from tenants.models import ApiTask

MOST_ITEMS = 1_000


class BulkCases(ApiView):
    scope = Scope.CASES_WRITE

    @extend_schema(
        operation_id="act_on_cases",
        summary="The same action for many cases",
        description=(
            "Answers 202 with a task; its address is in Location. Cases that the key may not work "
            "on are refused one by one, like those that are not there. Rights are looked at again "
            "while it is done."
        ),
        parameters=[IDEMPOTENCY],
        request=Bulk,
        examples=[
            OpenApiExample(
                "start",
                {"do": "start", "cases": ["7f1e9a44-4e8f-4b63-9a4f-3a4f6c1d2b10"]},
                request_only=True,
            )
        ],
        responses={202: shapes.TaskShape, **errors(post=True)},
    )
    def post(self, request: Request) -> Response:
        asked = Bulk(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data

        def run() -> tuple[Response, dict[str, Any]]:
            task = ApiTask.objects.create(
                key=self.key,
                order={"do": said["do"], "fields": order_fields(said)},
                cases=list(dict.fromkeys(said["cases"])),
            )
            facts = {"do": said["do"], "key": self.key.prefix, "cases": len(task.cases)}
            record(self.owner.username, "api_bulk", subject=f"task {task.public_id}", facts=facts)
            with suppress(OperationalError):  # the sweep finds it
                carry_out.apply_async((task.pk,), queue="maintenance")
            task.refresh_from_db()
            return _accepted(task), {"task": task.pk}

        return once(request, self.key, run, _accepted_before)


class OneTask(ApiView):
    scope = Scope.CASES_WRITE

    @extend_schema(
        operation_id="get_task",
        summary="How far a task is",
        responses={200: shapes.TaskShape, **errors()},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(_body(_own(self, id)))


class TaskItems(ApiView):
    scope = Scope.CASES_WRITE
    is_list = True

    @extend_schema(
        operation_id="list_task_items",
        summary="What became of each case of a task",
        description="In the order in which they were given, 1,000 at most a page.",
        parameters=[
            OpenApiParameter("cursor", str, "query", description="`next` of the answer before"),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 50},
                "query",
            ),
        ],
        responses={200: shapes.listed(shapes.TaskItem), **errors(400)},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        task = _own(self, id)
        limit = limit_of(request.query_params, MOST_ITEMS)
        start = place_of(request.query_params, 0, len(task.cases))
        end = start + limit
        items = []
        for place, case in enumerate(task.cases[start:end], start):
            known = place < len(task.results)
            outcome, message = task.results[place] if known else ("pending", "")
            items.append({"case": case, "outcome": outcome, "message": message})
        following = cursor_for(request.query_params, [end]) if end < len(task.cases) else ""
        return Response(page(items, following))


def _own(view: ApiView, public_id: uuid.UUID) -> ApiTask:
    """Of this key alone."""
    task = ApiTask.objects.filter(key=view.key, public_id=public_id).first()
    if task is None:
        raise Http404
    return task


def _accepted_before(ref: dict[str, Any]) -> Response:
    task = ApiTask.objects.filter(pk=ref["task"]).first()
    if task is None:
        raise Problem(409, "The task of this Idempotency-Key is not there any more.")
    return _accepted(task)


def _accepted(task: ApiTask) -> Response:
    return Response(
        _body(task), status=202, headers={"Location": reverse("api-task", args=[task.public_id])}
    )


def _body(task: ApiTask) -> dict[str, Any]:
    return {
        "id": task.public_id,
        "state": task.state,
        "do": task.order["do"],
        "total": len(task.cases),
        "done": len(task.results),
        "changed": sum(outcome == "changed" for outcome, _ in task.results),
        "created_at": task.created_at,
        "moved_at": task.moved_at,
    }
