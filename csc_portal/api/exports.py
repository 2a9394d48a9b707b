"""Everything that meets a filter, as a stream: in batches that go on where the last one ended.

No cursor of the database and no transaction stays open while a client reads slowly, and memory
holds one batch. Every few batches the key is looked at again: a revoked one breaks the stream off.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from alerts.models import Alert, AlertEntity
from csc_portal import queue
from csc_portal.access import Rights, TenantRef
from csc_portal.api import shapes
from csc_portal.api.bodies import alert_body, by_alert, case_body
from csc_portal.api.cases import FilteredView
from csc_portal.api.documented import FILTER, SINCE, TENANT, UNTIL, errors
from csc_portal.api.formats import ecs, ocsf
from csc_portal.api.formats.documents import AlertDocument, CaseDocument, Thing
from csc_portal.api.formats.plain import csv_lines, gathered, ndjson
from csc_portal.api.keys import again, rights_of_key
from csc_portal.api.problems import FieldError, bad_fields
from csc_portal.api.records import time_of
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.filters import Filter
from csc_portal.people import people
from csc_portal.queue import Row
from csc_portal.web.desk import Desk
from csc_portal.web.lines import cases_of_entity
from tenants.audit import record
from tenants.models import ApiKey, Tenant
from tenants.roles import Right
from tenants.scope import scope

AT_ONCE = 500
LOOKED_AT_EVERY = 20
"""Batches between two looks at the key."""
NDJSON, CSV, OCSF, ECS = "ndjson", "csv", "ocsf", "ecs"
TYPES = {
    NDJSON: "application/x-ndjson",
    CSV: "text/csv; charset=utf-8",
    OCSF: "application/x-ndjson",
    ECS: "application/x-ndjson",
}
FORMAT = OpenApiParameter(
    "format",
    {"type": "string", "enum": list(TYPES), "default": NDJSON},
    "query",
    description="Lines of JSON in our shape, CSV, OCSF 1.3 or Elastic Common Schema 8.11",
)
STREAMED = {
    (200, "application/x-ndjson"): OpenApiTypes.STR,
    (200, "text/csv"): OpenApiTypes.STR,
}
Batches = Iterator[Sequence[Any]]


class KeyLost(RuntimeError):
    """The key was revoked, or lost a tenant, in the middle of an export."""


class Ndjson(JSONRenderer):
    """For clients that ask for it by `Accept`; errors are problem+json all the same."""

    media_type = "application/x-ndjson"


class Csv(JSONRenderer):
    media_type = "text/csv"


class ExportView(ApiView):
    """Takes the scope `export`, and the right to see cases."""

    scope = Scope.EXPORT
    renderer_classes = [JSONRenderer, Ndjson, Csv]

    def format(self) -> str:
        wanted = self.request.query_params.get("format", NDJSON)
        if wanted not in TYPES or len(self.request.query_params.getlist("format")) > 1:
            raise bad_fields(FieldError("format", f"One of {', '.join(TYPES)}."))
        return wanted

    def seen(self, tenants: Mapping[int, TenantRef]) -> dict[int, TenantRef]:
        """Those where the key may also see cases."""
        return {pk: ref for pk, ref in tenants.items() if ref.may(Right.SEE_CASES)}

    def streamed(self, kind: str, name: str, tenants: int, content: Any) -> StreamingHttpResponse:
        facts: dict[str, object] = {"format": kind, "what": name, "tenants": tenants}
        record(self.owner.username, "exported", subject=f"key {self.key.prefix}", facts=facts)
        response = StreamingHttpResponse(gathered(content), content_type=TYPES[kind])
        response.headers["Cache-Control"] = "no-store"
        extension = CSV if kind == CSV else NDJSON
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.{extension}"'
        return response


class CaseExport(FilteredView, ExportView):
    scope = Scope.EXPORT
    known = FilteredView.known | {"format"}

    @extend_schema(
        operation_id="export_cases",
        summary="All cases that meet a filter, as a stream",
        description="Without a limit, in the order of `sort`. OCSF: Incident Finding (2005).",
        parameters=[FORMAT, *FILTER],
        responses={**STREAMED, **errors(400)},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        kind = self.format()
        wanted, tenants = self.wanted()
        tenants = self.seen(tenants)
        found = chain.from_iterable(
            guarded(self.key, tenants, case_batches(wanted, tenants, self.owner.pk))
        )
        content = _written(
            kind, found, tuple(shapes.CaseShape().fields),
            lambda pairs: (case_body(row, tenants[row.tenant_id], known) for row, known in pairs),
            lambda pairs: (case_document(row, tenants) for row, _ in pairs),
            (ocsf.incident_finding, ecs.case_document),
        )  # fmt: skip
        return self.streamed(kind, "cases", len(tenants), content)


class AlertExport(ExportView):
    known = frozenset({"format", "tenant", "since", "until"})

    @extend_schema(
        operation_id="export_alerts",
        summary="All alerts, as a stream",
        description=(
            "Tenant by tenant, those that Microsoft changed first come first; `since` and `until` "
            "are about that time. OCSF: Detection Finding (2004). An alert that changes meanwhile "
            "may come twice."
        ),
        parameters=[FORMAT, TENANT, SINCE, UNTIL],
        responses={**STREAMED, **errors(400)},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        kind = self.format()
        tenants = self.seen(self.tenants())
        since, until = (time_of(request.query_params, name) for name in ("since", "until"))
        found = chain.from_iterable(
            guarded(self.key, tenants, alert_batches(tenants, since, until))
        )
        content = _written(
            kind, found, tuple(shapes.AlertShape().fields),
            lambda found: (
                alert_body(one, ref, one.case.public_id if one.case else None, named)
                for one, ref, named in found
            ),
            lambda found: (alert_document(*one) for one in found),
            (ocsf.detection_finding, ecs.alert_document),
        )  # fmt: skip
        return self.streamed(kind, "alerts", len(tenants), content)


def _written(
    kind: str,
    found: Iterable[Any],
    columns: Sequence[str],
    bodies: Callable[[Iterable[Any]], Iterable[Mapping[str, Any]]],
    documents: Callable[[Iterable[Any]], Iterable[Any]],
    schemas: tuple[Callable[[Any], dict[str, object]], Callable[[Any], dict[str, object]]],
) -> Iterator[bytes]:
    if kind == CSV:
        return csv_lines(columns, bodies(found))
    if kind == NDJSON:
        return ndjson(bodies(found))
    write = schemas[0] if kind == OCSF else schemas[1]
    return ndjson(write(one) for one in documents(found))


def guarded(key: ApiKey, tenants: Mapping[int, TenantRef], batches: Batches) -> Batches:
    """The batches, as long as the key lives and has these tenants. Raises KeyLost."""
    for number, batch in enumerate(batches, start=1):
        yield batch
        if number % LOOKED_AT_EVERY == 0:
            fresh = again(key, timezone.now())
            if fresh is None:
                raise KeyLost
            rights = rights_of_key(fresh)
            if not tenants.keys() <= set(rights.having(Right.EXPORT)):
                raise KeyLost


def case_batches(wanted: Filter, tenants: Mapping[int, TenantRef], me: int) -> Batches:
    """(row, assignees). Walks on where a page was cut, so that a rare filter is not cut short."""
    ids = list(tenants)
    cases = cases_of_entity(wanted, Desk(Rights(tenants), (), ()))
    total = queue.counts(ids).total
    after = ""
    while True:
        page = queue.page(wanted, ids, me, after=after, limit=AT_ONCE, cases=cases, total=total)
        known = people(row.assignee_id for row in page.rows)
        yield [(row, known) for row in page.rows]
        after = page.after
        if not after:
            return


def alert_batches(
    tenants: Mapping[int, TenantRef], since: datetime | None, until: datetime | None
) -> Batches:
    """(alert, tenant, its entities), in the order of Microsoft's changes, in a scope a batch."""
    for tenant in Tenant.objects.filter(pk__in=tenants):
        last: tuple[datetime, int] | None = None
        while True:
            with scope(tenant):
                alerts = _alerts_after(last, since, until)
                ids = [alert.pk for alert in alerts]
                links = AlertEntity.objects.filter(alert_id__in=ids).select_related("entity")
                named = by_alert(list(links.order_by("alert_id", "entity_id")))
            yield [(one, tenants[tenant.pk], named.get(one.pk, [])) for one in alerts]
            if len(alerts) < AT_ONCE:
                break
            last = (alerts[-1].updated_at, alerts[-1].pk)


def _alerts_after(
    last: tuple[datetime, int] | None, since: datetime | None, until: datetime | None
) -> list[Alert]:
    found = Alert.objects.select_related("case").order_by("updated_at", "pk")
    if since is not None:
        found = found.filter(updated_at__gte=since)
    if until is not None:
        found = found.filter(updated_at__lt=until)
    if last is not None:
        # The first condition is what the index serves.
        found = found.filter(updated_at__gte=last[0]).exclude(updated_at=last[0], pk__lte=last[1])
    return list(found[:AT_ONCE])


def case_document(row: Row, tenants: Mapping[int, TenantRef]) -> CaseDocument:
    return CaseDocument(
        public_id=row.public_id,
        number=row.case_id,
        tenant=tenants[row.tenant_id].slug,
        title=row.title,
        category=row.category,
        source=row.source,
        status=row.status,
        severity=row.severity,
        priority=row.priority,
        verdict=row.verdict,
        ticket=row.ticket_ref,
        alert_count=row.alert_count,
        things=[Thing(kind, pseudonym) for kind, pseudonym in row.entities],
        first_activity_at=row.first_activity_at,
        last_activity_at=row.last_activity_at,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
    )


def alert_document(alert: Alert, ref: TenantRef, named: Iterable[AlertEntity]) -> AlertDocument:
    case: uuid.UUID | None = alert.case.public_id if alert.case else None
    return AlertDocument(
        provider_id=alert.provider_id,
        case=case,
        tenant=ref.slug,
        title=alert.title,
        category=alert.category,
        techniques=alert.techniques,
        source=alert.service_source,
        product=alert.product,
        detector=alert.detector_id,
        severity=alert.severity,
        status=alert.status,
        classification=alert.classification,
        things=[Thing(link.entity.kind, link.entity.pseudonym) for link in named],
        created_at=alert.created_at,
        updated_at=alert.updated_at,
        activity_at=alert.activity_at,
        last_activity_at=alert.last_activity_at,
    )
