"""Tickets: create, view, update, list, filter, delete, restore."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator import moments
from simulator.answers import json_body
from simulator.freshservice import automation, search
from simulator.freshservice.account import Account, Visit, enter
from simulator.freshservice.validation import errors_of
from simulator.store import Document

_TAGS = re.compile(r"<[^>]*>")
LARGEST = 1_000_000
INCLUDES = {
    "conversations",
    "requester",
    "requested_for",
    "stats",
    "problem",
    "assets",
    "change",
    "related_tickets",
}
_DEFAULTS: Document = {
    "cc_emails": [], "fwd_emails": [], "reply_cc_emails": [], "fr_escalated": False, "spam": False,
    "email_config_id": None, "group_id": None, "responder_id": None, "source": 2, "to_emails": None,
    "department_id": None, "type": "Incident", "is_escalated": False, "category": None,
    "sub_category": None, "item_category": None, "custom_fields": {}, "tags": [], "attachments": [],
    "urgency": 1, "impact": 1, "workspace_id": 2, "deleted": False, "approval_status": 4,
    "tasks_dependency_type": 0,
}  # fmt: skip


async def body_of(request: Request, visit: Visit) -> Document:
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind != "application/json":
        text = f"Content-Type header is set to {kind or 'nothing'}. It should be application/json"
        raise visit.refuse(415, {"code": "invalid_content_type", "message": text})
    if len(await request.body()) > LARGEST:
        raise visit.refuse(
            413, {"code": "payload_too_large", "message": "The payload is too large."}
        )
    try:
        body = await json_body(request)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = "Request body has invalid json format."
        raise visit.refuse(400, {"code": "invalid_json", "message": text})
    return body


def plain_text(html: str) -> str:
    return unescape(_TAGS.sub(" ", html)).strip()


async def collection(request: Request) -> Response:
    return await (_create(request) if request.method == "POST" else _list(request))


async def _create(request: Request) -> Response:
    visit = enter(request, "create")
    body = await body_of(request, visit)
    errors = errors_of(body, creating=True)
    if errors:
        raise visit.invalid(*errors)
    account = visit.account
    now = moments.now()
    requester = _requester(account, body)
    ticket = {
        **_DEFAULTS,
        **{key: value for key, value in body.items() if key not in {"email", "phone", "name"}},
        "id": account.next_ticket_id(),
        "requester_id": requester,
        "requested_for_id": body.get("requested_for_id") or requester,
        "description_text": plain_text(body["description"]),
        "due_by": moments.seconds_stamp(now + timedelta(days=3)),
        "fr_due_by": moments.seconds_stamp(now + timedelta(hours=8)),
        "created_at": moments.seconds_stamp(now),
        "updated_at": moments.seconds_stamp(now),
        "_indexed": now.timestamp(),
    }
    account.tickets.put(str(ticket["id"]), ticket)
    return visit.reply({"ticket": shown(ticket)}, 201)


def _requester(account: Account, body: Document) -> int:
    """The requester's id; an unknown address becomes a new requester, silently."""
    if body.get("requester_id"):
        return int(body["requester_id"])
    for row in account.requesters.values():
        if body.get("email") and row["primary_email"].lower() == body["email"].lower():
            return int(row["id"])
    number = account.next_id(account.requesters)
    mail = body.get("email") or ""
    row = {
        "id": number,
        "primary_email": mail,
        "first_name": body.get("name") or mail.partition("@")[0],
        "last_name": None,
        "active": True,
    }
    account.requesters.put(str(number), row)
    return number


def shown(ticket: Document) -> Document:
    return {key: value for key, value in ticket.items() if not key.startswith("_")}


def found(request: Request, visit: Visit) -> Document:
    ticket = visit.account.tickets.get(str(request.path_params["id"]))
    if ticket is None:
        raise visit.refuse(404, None)
    return ticket


async def single(request: Request) -> Response:
    """GET, PUT and DELETE of one ticket."""
    includes = {part for part in request.query_params.get("include", "").split(",") if part}
    bucket = {"GET": "view", "PUT": "update", "DELETE": "update"}[request.method]
    visit = enter(request, bucket, 1 + (1 if includes and request.method == "GET" else 0))
    ticket = found(request, visit)
    if request.method == "DELETE":
        save(visit.account, {**ticket, "deleted": True})
        return Response(status_code=204, headers=visit.headers)
    if request.method == "PUT":
        return await _update(request, visit, ticket)
    if includes - INCLUDES:
        raise visit.invalid(
            (
                "include",
                f"It should be one of these values: '{','.join(sorted(INCLUDES))}'",
                "invalid_value",
            )
        )
    return visit.reply({"ticket": {**shown(ticket), **_included(visit.account, ticket, includes)}})


def _included(account: Account, ticket: Document, includes: set[str]) -> Document:
    more: Document = {}
    if "conversations" in includes:
        rows = [row for row in account.conversations.values() if row["ticket_id"] == ticket["id"]]
        more["conversations"] = rows[:10]
    if "requester" in includes:
        more["requester"] = account.requesters.get(str(ticket["requester_id"]))
    if "stats" in includes:
        more["stats"] = {
            "created_at": ticket["created_at"], "updated_at": ticket["updated_at"],
            "resolved_at": ticket.get("_resolved_at"), "closed_at": ticket.get("_closed_at"),
        }  # fmt: skip
    return more


async def _update(request: Request, visit: Visit, ticket: Document) -> Response:
    body = await body_of(request, visit)
    errors = errors_of(body, creating=False)
    if errors:
        raise visit.invalid(*errors)
    changes = {key: value for key, value in body.items() if key not in {"email", "phone", "name"}}
    if "description" in changes:
        changes["description_text"] = plain_text(changes["description"] or "")
    changed = save(visit.account, {**ticket, **changes})
    return visit.reply({"ticket": shown(changed)})


def save(account: Account, ticket: Document) -> Document:
    """Store a changed ticket: `updated_at` moves, and so does the time of a closing."""
    now = moments.now()
    stamp = moments.seconds_stamp(now)
    old = account.tickets.get(str(ticket["id"]), {})
    if ticket["status"] in {4, 5} and old.get("status") not in {4, 5}:
        ticket = {**ticket, "_resolved_at": stamp}
    if ticket["status"] == 5 and old.get("status") != 5:
        ticket = {**ticket, "_closed_at": stamp}
    changed = {**ticket, "updated_at": stamp, "_indexed": now.timestamp(), "_before": shown(old)}
    automation.fire(account, changed)
    return account.tickets.put(str(ticket["id"]), changed)


async def restore(request: Request) -> Response:
    visit = enter(request, "update")
    save(visit.account, {**found(request, visit), "deleted": False})
    return Response(status_code=204, headers=visit.headers)


async def _list(request: Request) -> Response:
    asked = request.query_params
    includes = {part for part in asked.get("include", "").split(",") if part}
    visit = enter(request, "list", 1 + (3 if includes else 0))
    since = asked.get("updated_since")
    border = moments.seconds_stamp(moments.now() - timedelta(days=30))
    rows = [row for row in visit.account.tickets.values() if not row["deleted"]]
    if since is not None:
        if not moments.ticks_or_zero(since):
            raise visit.invalid(
                (
                    "updated_since",
                    "It should be in the 'combined date and time ISO8601' format",
                    "invalid_value",
                )
            )
        rows = [row for row in rows if moments.ticks(row["updated_at"]) >= moments.ticks(since)]
    else:
        rows = [row for row in rows if row["created_at"] >= border]
    if asked.get("requester_id"):
        rows = [row for row in rows if str(row["requester_id"]) == asked["requester_id"]]
    rows.sort(
        key=lambda row: (row["created_at"], row["id"]), reverse=asked.get("order_type") != "asc"
    )
    return page(request, visit, [shown(row) for row in rows], "tickets")


def page(request: Request, visit: Visit, rows: list[Any], name: str, most: int = 100) -> Response:
    """One page with its Link header."""
    size, number = _whole(request, visit, "per_page", 30), _whole(request, visit, "page", 1)
    if not 1 <= size <= most:
        raise visit.invalid(
            (
                "per_page",
                f"It should be a Positive Integer less than or equal to {most}",
                "invalid_value",
            )
        )
    if number < 1:
        raise visit.invalid(("page", "It should be a Positive Integer", "invalid_value"))
    start = (number - 1) * size
    more = {}
    if start + size < len(rows):
        url = request.url.include_query_params(page=number + 1)
        more["Link"] = f'<{url}>; rel="next"'
    return visit.reply({name: rows[start : start + size]}, more=more)


def _whole(request: Request, visit: Visit, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.lstrip("-").isdecimal():
        raise visit.invalid((name, "It should be a/an Positive Integer", "datatype_mismatch"))
    return int(text)


async def filtered(request: Request) -> Response:
    """GET /tickets/filter?query="…": reads an index that lags behind."""
    visit = enter(request, "list")
    text = request.query_params.get("query", "")
    try:
        keep = search.parse(text)
    except search.BadQuery as err:
        raise visit.invalid(("query", str(err), "invalid_value")) from None
    border = moments.now().timestamp() - float(visit.world.settings["filter_lag_s"])
    indexed = (search.as_indexed(row, border) for row in visit.account.tickets.values())
    rows = [shown(row) for row in indexed if row is not None and not row["deleted"] and keep(row)]
    rows.sort(key=lambda row: row["id"], reverse=True)
    return page(request, visit, rows, "tickets")
