"""Notes, replies and conversations; helpers (agents, groups, form, workspaces); a ticket's page."""

from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from simulator import moments
from simulator.freshservice.account import Account, Visit, desk, enter
from simulator.freshservice.tickets import body_of, found, page, plain_text, save
from simulator.store import Document

STATUS = {2: "Open", 3: "Pending", 4: "Resolved", 5: "Closed"}
PRIORITY = {1: "Low", 2: "Medium", 3: "High", 4: "Urgent"}


async def note(request: Request) -> Response:
    """POST /tickets/{id}/notes"""
    return await _add(request, source=2)


async def reply(request: Request) -> Response:
    """POST /tickets/{id}/reply"""
    return await _add(request, source=0)


async def _add(request: Request, source: int) -> Response:
    visit = enter(request, "other")
    ticket = found(request, visit)
    body = await body_of(request, visit)
    if not isinstance(body.get("body"), str) or not body["body"]:
        raise visit.invalid(("body", "It should be a/an String", "missing_field"))
    if not isinstance(body.get("private", True), bool):
        raise visit.invalid(("private", "It should be a/an Boolean", "datatype_mismatch"))
    private = body.get("private", True) if source == 2 else False
    row = add(visit.account, ticket, body["body"], private=private, source=source)
    row |= {"to_emails": body.get("notify_emails") or [], "cc_emails": body.get("cc_emails") or []}
    return visit.reply({"conversation": row}, 201)


def add(
    account: Account, ticket: Document, text: str, *, private: bool = True, source: int = 2
) -> Document:
    """A note (source 2) or reply (0), stored; the ticket counts as changed."""
    stamp = moments.seconds_stamp(moments.now())
    row = {
        "id": account.next_id(account.conversations),
        "user_id": 27_000_000_001,
        "ticket_id": ticket["id"],
        "body": text,
        "body_text": plain_text(text),
        "private": private,
        "incoming": False,
        "source": source,
        "to_emails": [],
        "cc_emails": [],
        "bcc_emails": [],
        "support_email": None,
        "attachments": [],
        "created_at": stamp,
        "updated_at": stamp,
    }
    account.conversations.put(str(row["id"]), row)
    save(account, ticket)
    return row


async def conversations(request: Request) -> Response:
    visit = enter(request, "other")
    ticket = found(request, visit)
    rows = [row for row in visit.account.conversations.values() if row["ticket_id"] == ticket["id"]]
    return page(request, visit, rows, "conversations")


async def edit(request: Request) -> Response:
    """PUT or DELETE /conversations/{id}"""
    visit = enter(request, "other")
    row = visit.account.conversations.get(str(request.path_params["id"]))
    if row is None:
        raise visit.refuse(404, None)
    if request.method == "DELETE":
        visit.account.conversations.drop(str(row["id"]))
        return Response(status_code=204, headers=visit.headers)
    text = (await body_of(request, visit)).get("body")
    if not isinstance(text, str) or not text:
        raise visit.invalid(("body", "It should be a/an String", "missing_field"))
    stamp = moments.seconds_stamp(moments.now())
    changed = {**row, "body": text, "body_text": plain_text(text), "updated_at": stamp}
    visit.account.conversations.put(str(row["id"]), changed)
    return visit.reply({"conversation": changed})


async def helper(request: Request) -> Response:
    """Agents, groups, departments, workspaces, form fields: enough for a set-up check."""
    visit = enter(request, "other")
    name = request.path_params["name"]
    known: dict[str, list[Document]] = {
        "agents": [_agent(visit)],
        "groups": [{"id": 27_000_000_100, "name": "Security operations"}],
        "departments": [{"id": 27_000_000_200, "name": "Information technology"}],
        "workspaces": [{"id": 2, "name": "IT", "primary": True}],
        "ticket_fields": _form(),
        "requesters": _requesters(request, visit),
    }
    if name == "ticket_form_fields":
        return visit.reply({"ticket_fields": known["ticket_fields"]})
    if name not in known:
        raise visit.refuse(404, None)
    return page(request, visit, known[name], name)


def _agent(visit: Visit) -> Document:
    mail = f"soc@{visit.account.slug}.example"
    return {
        "id": 27_000_000_001,
        "first_name": "Service",
        "last_name": "Desk",
        "email": mail,
        "active": True,
    }


def _requesters(request: Request, visit: Visit) -> list[Document]:
    mail = request.query_params.get("email", "").lower()
    rows = list(visit.account.requesters.values())
    return [row for row in rows if mail in {"", row["primary_email"].lower()}]


def _form() -> list[Document]:
    status = [{"id": key, "value": value} for key, value in STATUS.items()]
    priority = [{"id": key, "value": value} for key, value in PRIORITY.items()]
    rows: list[tuple[str, bool, list[Document]]] = [
        ("subject", True, []),
        ("description", True, []),
        ("requester", True, []),
        ("status", True, status),
        ("priority", True, priority),
    ]
    return [
        {
            "id": 27_000_000_300 + place,
            "name": name,
            "label": name.capitalize(),
            "required_for_agents": needed,
            "required_for_requesters": needed,
            "choices": choices,
            "default_field": True,
        }
        for place, (name, needed, choices) in enumerate(rows)
    ]


async def ticket_page(request: Request) -> Response:
    """/a/tickets/<id>: what was sent, as escaped text, so that a ticket's link leads somewhere."""
    world: Any = request.app.state.world
    key = str(request.path_params["id"])
    slugs = (
        [request.path_params["account"]]
        if "account" in request.path_params
        else list(world.accounts)
    )
    parts = [_section(world, slug, key) for slug in slugs if slug in world.accounts]
    text = "".join(parts)
    if not text:
        return HTMLResponse("<!doctype html><title>Not found</title><p>No such ticket.", 404)
    page_text = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Ticket "
        f"{escape(key)}</title><body>{text}"
    )
    policy = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page_text, headers=policy)


def _section(world: Any, slug: str, key: str) -> str:
    account = desk(world, slug)
    ticket = account.tickets.get(key)
    if ticket is None:
        return ""
    status, priority = STATUS.get(ticket["status"], "?"), PRIORITY.get(ticket["priority"], "?")
    notes = [row for row in account.conversations.values() if row["ticket_id"] == ticket["id"]]
    shown_notes = "".join(
        f"<h2>{escape(row['created_at'])}</h2><pre>{escape(row['body_text'])}</pre>"
        for row in notes
    )
    head = f"<h1>#{escape(key)} {escape(ticket['subject'])}</h1>"
    facts = " · ".join((slug, status, priority, ", ".join(ticket["tags"])))
    text = f"<pre>{escape(ticket['description_text'])}</pre>"
    return f"{head}<p>{escape(facts)}</p>{text}{shown_notes}"
