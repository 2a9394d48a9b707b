"""Who did or saw what: a page with filters, and the same as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.timezone import get_current_timezone, get_current_timezone_name
from django.views.decorators.http import require_safe

from alerts.rows import run
from csc_portal.audit_formats import CONTENT_TYPES, KINDS, WRITERS, Line, heading
from csc_portal.audit_log import Reader, Wanted, page, parse, reader_for, stream
from csc_portal.people import SOMEBODY, people
from csc_portal.typed import number_of
from csc_portal.web.desk import Desk, desk_of, user_of
from tenants.audit import record
from tenants.roles import Right

PAGE_SIZE = 100
MOST_ACTIONS = 200

# Each step of the recursion is one look into the index on the action.
_ACTIONS = """
WITH RECURSIVE found AS (
  (SELECT action FROM tenants_auditentry ORDER BY action LIMIT 1)
  UNION ALL
  SELECT (SELECT e.action FROM tenants_auditentry e WHERE e.action > f.action
          ORDER BY e.action LIMIT 1) FROM found f WHERE f.action IS NOT NULL
) SELECT action FROM found WHERE action IS NOT NULL LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A line with what only the page says: the tenant's name, and whom "user 17" means."""

    line: Line
    tenant: str
    person: str


@require_safe
def audit_page(request: HttpRequest) -> HttpResponse:
    """Newest first. Entries of no tenant are for those who may read the log of all tenants."""
    desk = desk_of(request)
    reader = _reader(desk)
    wanted = parse(request.GET, get_current_timezone())
    before = number_of(request.GET.get("before", ""))
    found = page(reader, wanted, before or None, PAGE_SIZE + 1)
    context = {
        "lines": _shown(found[:PAGE_SIZE], reader, desk),
        "older": found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None,
        "wanted": wanted,
        "zone": get_current_timezone_name(),
        "query": "&".join(filter(None, (wanted.query(), desk.query))),
        "scope": desk.query,
        "actions": [row[0] for row in run(_ACTIONS, [MOST_ACTIONS])],
        "kinds": KINDS if _may_export(desk) else (),
        "somebody": SOMEBODY if reader.own_people is not None else "",
    }
    return render(request, "audit/page.html", context)


@require_safe
def audit_export(request: HttpRequest, kind: str) -> StreamingHttpResponse:
    """The filter's entries, oldest first, as CEF, JSON lines or CSV: however many there are."""
    desk = desk_of(request)
    reader, wanted = _reader(desk), parse(request.GET, get_current_timezone())
    if not _may_export(desk):
        raise Http404
    record(user_of(request).username, "exported", facts={"what": "audit log", "format": kind})
    response = StreamingHttpResponse(_texts(reader, wanted, kind), content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="audit.{kind}"'
    return response


def _texts(reader: Reader, wanted: Wanted, kind: str) -> Iterator[str]:
    yield heading(kind)
    if not wanted.problems:
        yield from map(WRITERS[kind], stream(reader, wanted))


def _reader(desk: Desk) -> Reader:
    if not desk.rights.may_somewhere(Right.SEE_AUDIT):
        raise Http404
    return reader_for(desk.rights, desk.ids, is_narrowed=desk.is_narrowed)


def _may_export(desk: Desk) -> bool:
    return desk.rights.may_somewhere(Right.EXPORT)


def _shown(lines: list[Line], reader: Reader, desk: Desk) -> list[Shown]:
    names = {ref.slug: ref.name for ref in desk.rights.tenants.values()}
    meant = {line.id: _user_id(line.subject) for line in lines}
    found = people(meant.values()).by_id if reader.own_people is None else {}
    return [
        Shown(line, names.get(line.tenant, ""), _name(found.get(meant[line.id] or 0)))
        for line in lines
    ]


def _user_id(subject: str) -> int | None:
    kind, _, number = subject.partition(" ")
    return number_of(number) if kind == "user" and len(number) < 10 else None


def _name(person: object) -> str:
    return str(getattr(person, "name", ""))
