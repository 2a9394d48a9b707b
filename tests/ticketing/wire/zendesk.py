"""Zendesk's Ticketing API: external ids, idempotency keys, comments in cursor pages."""

import base64
import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ticketing.wire.server import Desk, Ticket

_ERRORS = {
    401: {"error": "Couldn't authenticate you"},
    404: {"error": "RecordNotFound", "description": "Not found"},
    429: {"error": "APIRateLimitExceeded", "description": "Number of allowed requests exceeded"},
}
_REFUSED = {"group_id": [{"description": "Group: is invalid for bob@example.com"}]}
_PAGE = 2


class ZendeskDesk(Desk):
    statuses = ("new", "open", "pending", "hold", "solved", "closed", "deleted")
    ours = ("open", "open", "pending", "pending", "resolved", "closed", "deleted")

    def reset(self) -> None:
        super().reset()
        self.keys: dict[str, tuple[str, int]] = {}

    def is_known(self, request: Request) -> bool:
        pair = base64.b64encode(f"ada@example.com/token:{self.secret}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def error(self, status: int) -> object:
        refused = {"error": "RecordInvalid", "description": "bob", "details": _REFUSED}
        return _ERRORS.get(status, refused)

    def app(self) -> Starlette:
        root = "/api/v2/tickets"
        return Starlette(
            routes=[
                Route(f"{root}.json", self.search, methods=["GET"]),
                Route(f"{root}.json", self.create, methods=["POST"]),
                Route(f"{root}/{{id:int}}.json", self.one, methods=["GET", "PUT"]),
                Route(f"{root}/{{id:int}}/comments.json", self.comments),
            ]
        )

    async def create(self, request: Request) -> Response:
        sent = await request.json()
        key, text = request.headers["idempotency-key"], json.dumps(sent)
        if key in self.keys:
            kept, number = self.keys[key]
            if kept != text:
                return JSONResponse({"error": "IdempotentRequestError", "description": "x"}, 400)
            return JSONResponse({"ticket": self._shown(self.tickets[number])}, 201)
        ticket = self.add(sent["ticket"], "new")
        assert ticket.fields["comment"]["public"] is False
        if len(ticket.fields["comment"]["html_body"].encode()) > 65_535:
            return self.answer(422)
        self.keys[key] = (text, ticket.number)
        return JSONResponse({"ticket": self._shown(ticket)}, 201)

    async def search(self, request: Request) -> Response:
        wanted = request.query_params.get("external_id")
        newest_first = request.query_params.get("sort_by") == "updated_at"
        found = [
            self._shown(ticket)
            for ticket in sorted(
                self.tickets.values(), key=lambda t: (t.updated, t.number), reverse=newest_first
            )
            if wanted in (None, ticket.fields["external_id"]) and ticket.state != "deleted"
        ]
        start = 100 * (int(request.query_params.get("page", 1)) - 1)
        shown = found[start : start + 100]
        return JSONResponse({"tickets": shown, "next_page": None, "count": len(found)})

    async def one(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        if request.method == "PUT":
            sent = (await request.json())["ticket"]
            comment = sent.get("comment", {"public": False, "html_body": ""})
            assert comment["public"] is False
            if len(comment["html_body"].encode()) > 65_535 or ticket.state == "closed":
                return self.answer(422)
            self.change(ticket, state=sent.get("status", ""), note=comment["html_body"])
        return JSONResponse({"ticket": self._shown(ticket)})

    async def comments(self, request: Request) -> Response:
        ticket = self.tickets[request.path_params["id"]]
        start = int(request.query_params.get("page[after]", 0))
        bodies = [ticket.fields["comment"]["html_body"], *ticket.notes]
        shown = [
            {"id": n, "html_body": f'<div class="zd-comment">{body}</div>', "public": False}
            for n, body in enumerate(bodies)
        ][start : start + _PAGE]
        more = start + _PAGE < len(bodies)
        link = request.url.include_query_params(**{"page[after]": start + _PAGE})
        return JSONResponse(
            {
                "comments": shown,
                "meta": {"has_more": more},
                "links": {"next": str(link) if more else None},
            }
        )

    def _shown(self, ticket: Ticket) -> dict[str, object]:
        kept = {name: ticket.fields[name] for name in ("external_id", "subject")}
        more = {"assignee_id": int(ticket.agent) if ticket.agent else None}
        return {
            "id": ticket.number,
            "status": ticket.state,
            "updated_at": ticket.stamp(),
            **kept,
            **more,
        }
