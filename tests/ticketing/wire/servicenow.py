"""ServiceNow's Table API: unknown fields are ignored in silence, journals are display values."""

import base64

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ticketing.wire.server import Desk, Ticket

_NAMES = {
    401: ("User Not Authenticated", "Required to provide Auth information"),
    404: ("No Record found", "Record doesn't exist or ACL restricts the record retrieval"),
    429: ("Rate limit exceeded", "Rejected by large REST rate limit"),
}


class ServiceNowDesk(Desk):
    statuses = ("1", "2", "3", "6", "7", "8", "-5")
    ours = ("open", "open", "pending", "resolved", "closed", "closed", "other")

    def is_known(self, request: Request) -> bool:
        pair = base64.b64encode(f"csc:{self.secret}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def error(self, status: int) -> object:
        message, detail = _NAMES.get(status, ("Operation Failed", "of caller bob@example.com"))
        return {"error": {"message": message, "detail": detail}, "status": "failure"}

    def app(self) -> Starlette:
        root = "/api/now/table/incident"
        return Starlette(
            routes=[
                Route(root, self.search, methods=["GET"]),
                Route(root, self.create, methods=["POST"]),
                Route(f"{root}/{{id}}", self.one, methods=["GET", "PATCH"]),
            ]
        )

    async def create(self, request: Request) -> Response:
        body = await request.json()
        body["short_description"] = body["short_description"][:160]
        body["description"] = body["description"][:4000]
        ticket = self.add(body, "1")
        return JSONResponse({"result": self._shown(request, ticket)}, 201)

    async def search(self, request: Request) -> Response:
        wanted = request.query_params.get("sysparm_query", "").partition("^")[0]
        reference = wanted.removeprefix("correlation_id=")
        limit = int(request.query_params["sysparm_limit"])
        found = [
            self._shown(request, ticket)
            for ticket in self.tickets.values()
            if not reference or ticket.fields["correlation_id"] == reference
        ]
        return JSONResponse({"result": found[:limit]})

    async def one(self, request: Request) -> Response:
        number = int(request.path_params["id"], 16)
        ticket = self.tickets.get(number)
        if ticket is None:
            return self.answer(404)
        if request.method == "PATCH":
            body = await request.json()
            assert "[code]" not in body["work_notes"]
            ticket.notes.append(body["work_notes"][:4000])
        return JSONResponse({"result": self._shown(request, ticket)})

    def _shown(self, request: Request, ticket: Ticket) -> dict[str, object]:
        is_display = request.query_params.get("sysparm_display_value") == "true"
        notes = "".join(f"2026-11-20 08:00:00 - CSC (Work notes)\n{n}\n\n" for n in ticket.notes)
        whole = {
            "sys_id": f"{ticket.number:032x}",
            "number": f"INC{ticket.number:07}",
            "state": ticket.state,
            "correlation_id": ticket.fields.get("correlation_id", ""),
            "work_notes": notes if is_display else "",
        }
        fields = request.query_params["sysparm_fields"].split(",")
        return {name: value for name, value in whole.items() if name in fields}
