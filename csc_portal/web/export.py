"""The queue as a file: what was selected, or all that meets the filter. Pseudonyms, never names."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from itertools import chain, islice

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_http_methods

from csc_portal import queue
from csc_portal.filters import ANY, Filter
from csc_portal.queue import Row
from csc_portal.spreadsheet import no_formula
from csc_portal.templatetags.portal import (
    pillar_list,
    pseudonym,
    severity_name,
    source_name,
    status_name,
    verdict_name,
)
from csc_portal.typed import uuid_of
from csc_portal.web.desk import Desk, desk_of, user_of
from csc_portal.web.lines import Line, cases_of_entity, filter_of, lines, problems
from tenants.audit import record
from tenants.roles import Right

MOST_EXPORTED = 50_000
AT_ONCE = 500
EVERYTHING = Filter(status=(ANY,), severity=(ANY,), snoozed=ANY)
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@require_http_methods(["GET", "HEAD", "POST"])
def queue_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """A GET takes the filter of the address, a POST the rows named by `case` (PUBLIC_ID~...).

    Sent while it is read, at most MOST_EXPORTED rows.
    """
    desk, user = desk_of(request), user_of(request)
    wanted = filter_of(request, desk)
    told = problems(wanted, desk)
    if told and request.method != "POST":
        return HttpResponse("\n".join(told), status=400, content_type="text/plain")
    ids = set(desk.rights.having(Right.EXPORT))
    facts: dict[str, object] = {"format": kind}
    if request.method == "POST":
        picked = [
            uuid_of(text.partition("~")[0]) for text in request.POST.getlist("case")[:AT_ONCE]
        ]
        public_ids = [public_id for public_id in picked if public_id]
        facts["rows"] = len(public_ids)
        tenant_ids = tuple(ids)  # rows on the screen may lie outside of a scope changed meanwhile
        rows: Iterator[Row] = _selected(public_ids, tenant_ids, user.pk)
    else:
        tenant_ids = tuple(pk for pk in desk.ids if pk in ids)
        facts["tenants"] = len(tenant_ids)
        rows = _all(wanted, desk, tenant_ids, user.pk)
    record(user.username, "exported", facts=facts)
    plain = _plain(islice(rows, MOST_EXPORTED), desk)
    content = _json(plain) if kind == "json" else _csv(plain)
    response = StreamingHttpResponse(content, content_type=TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="queue.{kind}"'
    return response


def _selected(public_ids: list[uuid.UUID], tenant_ids: tuple[int, ...], me: int) -> Iterator[Row]:
    yield from queue.page(
        EVERYTHING, tenant_ids, me, limit=AT_ONCE, public_ids=public_ids, total=0
    ).rows


def _all(wanted: Filter, desk: Desk, tenant_ids: tuple[int, ...], me: int) -> Iterator[Row]:
    """Walks on where a page was cut, so that a rare filter is not exported in part."""
    cases = cases_of_entity(wanted, desk)
    total = queue.counts(tenant_ids).total
    after = ""
    while True:
        found = queue.page(
            wanted, tenant_ids, me, after=after, limit=AT_ONCE, cases=cases, total=total
        )
        yield from found.rows
        after = found.after
        if not after:
            return


def _plain(rows: Iterator[Row], desk: Desk) -> Iterator[dict[str, object]]:
    while part := list(islice(rows, AT_ONCE)):
        yield from map(_line, lines(part, desk))


def _line(line: Line) -> dict[str, object]:
    row = line.row
    pillars = [str(pillar["name"]) for pillar in pillar_list(row.pillars) if pillar["is_on"]]
    return {
        "case": str(row.public_id),
        "number": row.case_id,
        "tenant": line.tenant.slug,
        "severity": severity_name(row.severity),
        "priority": row.priority,
        "title": row.title,
        "chain": " ".join(pillars),
        "entities": "; ".join(pseudonym(entity) for entity in row.entities),
        "vip": "yes" if row.is_vip else "no",
        "source": source_name(row.source),
        "alerts": row.alert_count,
        "status": status_name(row.status),
        "assignee": line.assignee,
        "verdict": verdict_name(row.verdict),
        "ticket": row.ticket_ref,
        "due": row.due_at.isoformat() if row.due_at else "",
        "first_activity": row.first_activity_at.isoformat(),
        "last_activity": row.last_activity_at.isoformat(),
        "opened": row.opened_at.isoformat(),
    }


def _json(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    yield "["
    for index, row in enumerate(rows):
        yield f"{',' if index else ''}\n{json.dumps(row)}"
    yield "\n]\n"


def _csv(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    first = next(rows, None)
    if first is None:
        yield "case\r\n"
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(first))
    writer.writeheader()
    for row in chain([first], rows):
        writer.writerow({name: no_formula(value) for name, value in row.items()})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
