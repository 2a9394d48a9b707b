"""Freshservice's API v2: numbers for states, a late index, tickets that stay when deleted."""

import base64

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ticketing.wire.server import Desk, Ticket

_REFUSED = {"field": "group_id", "message": "of bob@example.com", "code": "invalid_value"}
_ERRORS: dict[int, object] = {
    401: {"code": "invalid_credentials", "message": "You have to be logged in."},
    404: None,
    429: {"message": "You have exceeded the limit of requests per minute."},
}


class FreshserviceDesk(Desk):
    statuses = ("2", "3", "4", "5", "99", "deleted")
    ours = ("open", "pending", "resolved", "closed", "other", "deleted")

    def is_known(self, request: Request) -> bool:
        pair = base64.b64encode(f"{self.secret}:X".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def error(self, status: int) -> object:
        return _ERRORS.get(status, {"description": "Validation failed", "errors": [_REFUSED]})

    def answer(self, status: int) -> Response:
        return Response("", 404) if status == 404 else JSONResponse(self.error(status), status)

    def app(self) -> Starlette:
        root = "/api/v2/tickets"
        return Starlette(
            routes=[
                Route(root, self.listed, methods=["GET"]),
                Route(root, self.create, methods=["POST"]),
                Route(f"{root}/filter", self.filtered),
                Route(f"{root}/{{id:int}}", self.one, methods=["GET", "PUT"]),
                Route(f"{root}/{{id:int}}/notes", self.note, methods=["POST"]),
                Route(f"{root}/{{id:int}}/conversations", self.conversations),
            ]
        )

    async def create(self, request: Request) -> Response:
        body = await request.json()
        if len(body["subject"]) > 255 or not body["email"]:
            return self.answer(400)
        return JSONResponse({"ticket": self._shown(self.add(body, "2"))}, 201)

    async def one(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        if request.method == "PUT":
            self.change(ticket, state=str((await request.json())["status"]))
        return JSONResponse({"ticket": self._shown(ticket)})

    async def listed(self, request: Request) -> Response:
        since = request.query_params.get("updated_since", "")
        found = [
            self._shown(ticket)
            for ticket in sorted(self.tickets.values(), key=lambda t: -t.number)
            if ticket.stamp() >= since and ticket.state != "deleted"
        ]
        return self._page(request, "tickets", found)

    async def filtered(self, request: Request) -> Response:
        return self._page(request, "tickets", [])  # the index knows nothing yet

    async def note(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        body = await request.json()
        assert body["private"] is True
        self.change(ticket, note=body["body"])
        return JSONResponse({"conversation": {"id": len(ticket.notes)}}, 201)

    async def conversations(self, request: Request) -> Response:
        ticket = self.tickets[request.path_params["id"]]
        rows = [{"id": n, "body": note, "body_text": note} for n, note in enumerate(ticket.notes)]
        return self._page(request, "conversations", rows)

    def _page(self, request: Request, name: str, rows: list[dict[str, object]]) -> Response:
        size = int(request.query_params.get("per_page", 30))
        start = size * (int(request.query_params.get("page", 1)) - 1)
        return JSONResponse({name: rows[start : start + size]})

    def _shown(self, ticket: Ticket) -> dict[str, object]:
        is_deleted = ticket.state == "deleted"
        return {
            "id": ticket.number,
            "subject": ticket.fields["subject"],
            "tags": ticket.fields["tags"],
            "status": 2 if is_deleted else int(ticket.state),
            "deleted": is_deleted,
            "created_at": ticket.stamp(),
            "updated_at": ticket.stamp(),
            "responder_id": int(ticket.agent) if ticket.agent else None,
        }
