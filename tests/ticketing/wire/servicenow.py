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
        conditions = request.query_params.get("sysparm_query", "").split("^")
        limit = int(request.query_params["sysparm_limit"])
        start = int(request.query_params.get("sysparm_offset", 0))
        found = [
            self._shown(request, ticket)
            for ticket in self.tickets.values()
            if all(_meets(ticket, one) for one in conditions)
        ]
        return JSONResponse({"result": found[start : start + limit]})

    async def one(self, request: Request) -> Response:
        number = int(request.path_params["id"], 16)
        ticket = self.tickets.get(number)
        if ticket is None:
            return self.answer(404)
        if request.method == "PATCH":
            body = await request.json()
            if body.get("state") == "6" and not (body["close_code"] and body["close_notes"]):
                return self.answer(403)  # a data policy
            assert "[code]" not in body.get("work_notes", "")
            ticket.fields["close_code"] = body.get("close_code", "")
            note = body.get("work_notes", "")[:4000]
            self.change(ticket, state=body.get("state", ""), note=note)
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
            "close_code": ticket.fields.get("close_code", ""),
            "assigned_to": ticket.agent,
            "sys_updated_on": ticket.stamp("%Y-%m-%d %H:%M:%S"),
        }
        fields = request.query_params["sysparm_fields"].split(",")
        return {name: value for name, value in whole.items() if name in fields}


def _meets(ticket: Ticket, condition: str) -> bool:
    if condition.startswith("sys_updated_on>="):
        return ticket.stamp("%Y-%m-%d %H:%M:%S") >= condition.partition(">=")[2]
    name, _, value = condition.partition("=")
    return not value or ticket.fields.get(name) == value
