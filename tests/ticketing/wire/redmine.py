"""Redmine's REST API, https://www.redmine.org/projects/redmine/wiki/Rest_api."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ticketing.wire.server import Desk, Ticket


class Redmine(Desk):
    statuses = ("New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected")
    ours = ("open", "open", "resolved", "pending", "closed", "closed")

    def is_known(self, request: Request) -> bool:
        """A wrong key makes an anonymous visitor, who may look for issues and sees none."""
        is_search = request.method == "GET" and request.url.path.endswith("/issues.json")
        return is_search or self._is_key(request)

    def _is_key(self, request: Request) -> bool:
        return request.headers.get("x-redmine-api-key") == self.secret

    def error(self, status: int) -> object:
        return {"errors": ["Subject cannot be blank"]} if status == 422 else None

    def answer(self, status: int) -> Response:
        return JSONResponse(self.error(status), status) if status == 422 else Response("", status)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/users/current.json", self.me),
                Route("/issues.json", self.search, methods=["GET"]),
                Route("/issues.json", self.create, methods=["POST"]),
                Route("/issues/{id:int}.json", self.read, methods=["GET"]),
                Route("/issues/{id:int}.json", self.update, methods=["PUT"]),
            ]
        )

    async def me(self, request: Request) -> Response:
        return JSONResponse({"user": {"id": 5, "login": "csc"}})

    async def create(self, request: Request) -> Response:
        issue = (await request.json())["issue"]
        if issue.get("project_id") != "security" or not issue.get("subject"):
            return self.answer(422)
        return JSONResponse({"issue": self._shown(self.add(issue, "New"))}, 201)

    async def read(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        shown = self._shown(ticket)
        if "journals" in request.query_params.get("include", ""):
            changed = {"property": "attr", "name": "status_id", "old_value": "1"}
            shown["journals"] = [
                {"id": 1, "notes": "", "private_notes": False, "details": [changed]},
                *(
                    {"id": n, "notes": note, "private_notes": True, "details": []}
                    for n, note in enumerate(ticket.notes, 2)
                ),
            ]
        return JSONResponse({"issue": shown})

    async def update(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        issue = (await request.json())["issue"]
        if "status_id" in issue:
            self.change(ticket, state=self.statuses[issue["status_id"] - 1])
        else:
            assert issue["private_notes"] is True
            self.change(ticket, note=issue["notes"])
        return Response(status_code=204)

    async def search(self, request: Request) -> Response:
        """Open issues only, unless status_id=*; subject=~text is "contains"."""
        query = request.query_params
        wanted = query.get("subject", "")
        closed = {"Closed", "Rejected"}
        found = [
            self._shown(ticket)
            for ticket in sorted(self.tickets.values(), key=lambda t: -t.number)
            if self._is_key(request)
            and (query.get("status_id") == "*" or ticket.state not in closed)
            and wanted.removeprefix("~").lower() in str(ticket.fields["subject"]).lower()
            and ticket.stamp() >= query.get("updated_on", "").removeprefix(">=")
        ]
        start, size = int(query.get("offset", 0)), min(100, int(query.get("limit", 25)))
        shown = found[start : start + size]
        return JSONResponse(
            {"issues": shown, "total_count": len(found), "offset": start, "limit": size}
        )

    def _shown(self, ticket: Ticket) -> dict[str, object]:
        state = {"id": self.statuses.index(ticket.state) + 1, "name": ticket.state}
        fields = {"subject": ticket.fields["subject"], "project": {"id": 1, "name": "Security"}}
        if ticket.agent:  # the member is missing otherwise
            fields["assigned_to"] = {"id": int(ticket.agent), "name": "Ada"}
        return {"id": ticket.number, **fields, "status": state, "updated_on": ticket.stamp()}
