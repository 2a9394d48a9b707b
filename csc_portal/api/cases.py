"""Cases: the list, one, how many, and what changed since."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.models import Case
from csc_portal import queue
from csc_portal.access import Rights, TenantRef, case_for
from csc_portal.api import shapes
from csc_portal.api.bodies import case_body, case_detail
from csc_portal.api.documented import FILTER, PAGING, TENANT, errors
from csc_portal.api.filtering import FILTERS, filter_of, narrowed
from csc_portal.api.pages import bad_cursor, cursor_for, cursor_of, limit_of, page
from csc_portal.api.problems import Problem
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.filters import Filter
from csc_portal.people import people
from csc_portal.sync import Change, Changes, CursorOfAnotherLife, Position, changes_since
from csc_portal.tallies import count_cases
from csc_portal.web.desk import Desk
from csc_portal.web.lines import cases_of_entity
from tenants.models import QueueEntry, Tenant
from tenants.scope import scope


class FilteredView(ApiView):
    """Over cases that meet the query's filter."""

    scope = Scope.CASES_READ
    known = FILTERS

    def wanted(self) -> tuple[Filter, dict[int, TenantRef]]:
        """The filter and the tenants in effect. Raises Problem."""
        wanted = filter_of(self.request.query_params)
        return wanted, narrowed(wanted, self.tenants(), self.rights, self.owner)


class Cases(FilteredView):
    is_list = True

    @extend_schema(
        operation_id="list_cases",
        summary="Cases that meet a filter",
        description=(
            "The filters are those of the queue's page. Without `status` and `severity` they mean "
            "open cases that are not merely informational. A page may hold fewer cases than "
            "`limit` and yet have a `next`: what is rare is looked for 10,000 rows at a time."
        ),
        parameters=[*FILTER, *PAGING],
        responses={200: shapes.listed(shapes.CaseShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        wanted, tenants = self.wanted()
        limit, after = limit_of(request.query_params), self._after(wanted)
        desk = Desk(Rights(tenants), (), ())
        found = queue.page(
            wanted,
            list(tenants),
            self.owner.pk,
            after=after,
            limit=limit,
            cases=cases_of_entity(wanted, desk),
            total=queue.counts(list(tenants)).total,
        )
        known = people(row.assignee_id for row in found.rows)
        items = [case_body(row, tenants[row.tenant_id], known) for row in found.rows]
        following = cursor_for(request.query_params, [found.after]) if found.after else ""
        return Response(page(items, following))

    def _after(self, wanted: Filter) -> str:
        values = cursor_of(self.request.query_params, (str,))
        if values is None:
            return ""
        if not wanted.ordering.read(values[0]):
            raise bad_cursor()
        return str(values[0])


class CaseCount(FilteredView):
    known = FILTERS - {"entity"}  # which has its own cases: ask for the entity

    @extend_schema(
        operation_id="count_cases",
        summary="How many cases meet a filter",
        description="At most the newest 10,000 are looked at; see `is_exact`.",
        parameters=[one for one in FILTER if one.name != "entity"],
        responses={200: shapes.Count, **errors(400)},
    )
    def get(self, request: Request) -> Response:
        wanted, tenants = self.wanted()
        count, is_exact = count_cases(wanted, list(tenants), self.owner.pk)
        return Response({"count": count, "is_exact": is_exact})


class OneCase(ApiView):
    scope = Scope.CASES_READ

    @extend_schema(
        operation_id="get_case",
        summary="One case",
        description="The header ETag is for `If-Match` of an action. A merged case answers 410.",
        responses={200: shapes.CaseDetail, **errors(404, 410)},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return shown(self, id)


def shown(view: ApiView, public_id: uuid.UUID) -> Response:
    """A case with its ETag. Raises Http404."""
    entry, tenant = case_for(view.owner, public_id, rights=view.rights)
    case = version_of(tenant, entry)
    body = case_detail(entry, view.rights.tenants[tenant.pk], people([entry.assignee_id]), case)
    return Response(body, headers={"ETag": etag(case)})


def version_of(tenant: Tenant, entry: QueueEntry) -> Case:
    with scope(tenant):
        case = Case.objects.filter(pk=entry.case_id).exclude(status=Case.Status.MERGED).first()
    if case is None:
        raise Problem(409, "The case is being merged. Ask again.")
    return case


def etag(case: Case) -> str:
    """Of the version of what people decided; new alerts of a case leave it as it is."""
    return f'"v{case.version}"'


class CaseChanges(ApiView):
    scope = Scope.CASES_READ
    known = frozenset({"tenant"})
    is_list = True

    @extend_schema(
        operation_id="list_case_changes",
        summary="What changed since, for a copy of all cases",
        description=(
            "Without `cursor` it begins with the first case there is. Keep `next` and ask again "
            "with it: at once while `has_more` is true, else after a while. Nothing is left out "
            "and no change comes twice, whoever writes meanwhile. Cases that were merged or "
            "erased come with `is_gone`. When the key's tenants change, the answer is 410: "
            "begin anew (or copy each tenant by itself, with `tenant`)."
        ),
        parameters=[TENANT, *PAGING],
        responses={200: shapes.Changes, **errors(400, 410)},
    )
    def get(self, request: Request) -> Response:
        tenants = self.tenants()
        query = request.query_params
        position = position_of(query, tenants) or Position()
        found = read_changes(position, list(tenants), limit_of(query))
        known = people(one.row.assignee_id for one in found.items if one.row)
        items = [_change_body(one, tenants[one.tenant_id], known) for one in found.items]
        following = mark_of(query, tenants, found.position)
        return Response(page(items, following, has_more=found.has_more))


def mark_of(query: QueryDict, tenants: Mapping[int, TenantRef], at: Position) -> str:
    """A place in the sequence of changes, as a cursor of the query and its tenants."""
    return cursor_for(query, [_digest(tenants), at.change, at.place, str(at.gone or "")])


def position_of(query: QueryDict, tenants: Mapping[int, TenantRef]) -> Position | None:
    """What `mark_of` made, taken from `cursor`. Raises Problem."""
    values = cursor_of(query, (str, int, int, str))
    if values is None:
        return None
    digest, change, place, gone = values
    if digest != _digest(tenants):
        raise Problem(410, "The tenants of this key are others now.")
    try:
        public_id = uuid.UUID(gone) if gone else None
    except ValueError:
        public_id = None
    if not (0 <= change < 2**63 and 0 <= place < 2**63) or (gone and not public_id):
        raise bad_cursor()
    return Position(change, place, public_id)


def _digest(tenants: Mapping[int, TenantRef]) -> str:
    return hashlib.sha256(repr(sorted(tenants)).encode()).hexdigest()[:16]


def read_changes(
    position: Position, tenant_ids: Sequence[int], limit: int, until: int | None = None
) -> Changes:
    """Raises Problem for a position of another database."""
    try:
        return changes_since(position, tenant_ids, limit, until)
    except CursorOfAnotherLife:
        raise Problem(410, "The portal's database is another one now.") from None


def _change_body(one: Change, ref: TenantRef, known: Any) -> dict[str, Any]:
    return {
        "id": one.public_id,
        "tenant": ref.slug,
        "is_gone": one.row is None,
        "merged_into": one.target,
        "case": case_body(one.row, ref, known) if one.row else None,
    }
