"""Request Tracker's REST 2, https://docs.bestpractical.com/rt/latest/RT/REST2.html."""

import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ticketing.wire.server import Desk, Ticket


class RequestTracker(Desk):
    statuses = ("new", "open", "stalled", "resolved", "rejected", "deleted")
    ours = ("open", "open", "pending", "resolved", "closed", "deleted")

    def is_known(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"token {self.secret}"

    def error(self, status: int) -> object:
        return {"message": {401: "Unauthorized", 404: "Not Found"}.get(status, "refused")}

    def reference_of(self, ticket: Ticket) -> str:
        return str(ticket.fields["Subject"])

    def app(self) -> Starlette:
        root = "/REST/2.0"
        return Starlette(
            routes=[
                Route(f"{root}/queue/{{name}}", self.queue),
                Route(f"{root}/ticket", self.create, methods=["POST"]),
                Route(f"{root}/ticket/{{id:int}}", self.read, methods=["GET"]),
                Route(f"{root}/ticket/{{id:int}}", self.update, methods=["PUT"]),
                Route(f"{root}/ticket/{{id:int}}/comment", self.comment, methods=["POST"]),
                Route(f"{root}/transactions", self.transactions),
                Route(f"{root}/tickets", self.search),
            ]
        )

    async def queue(self, request: Request) -> Response:
        if request.path_params["name"] != "General":
            return self.answer(404)
        return JSONResponse({"id": 1, "Name": "General", "Lifecycle": "default"})

    async def create(self, request: Request) -> Response:
        body = await request.json()
        if not {"Queue", "Subject"} <= set(body) or (
            "Content" in body and "ContentType" not in body
        ):
            return self.answer(400)
        # What is longer than the column is cut, in bytes, and nothing says so.
        subject = str(body["Subject"]).encode()[:200].decode(errors="ignore")
        number = self.add({**body, "Subject": subject}, "new").number
        url = f"{request.base_url}REST/2.0/ticket/{number}"
        return JSONResponse({"type": "ticket", "id": str(number), "_url": url}, 201)

    async def read(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        shown = {**self._fields(ticket), "id": ticket.number, "_hyperlinks": []}
        return JSONResponse({**shown, "Queue": {"id": "1", "type": "queue"}})

    async def update(self, request: Request) -> Response:
        """It says in words what became of it, and 200 also to what it did not do."""
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        state = (await request.json())["Status"]
        if state not in self.statuses:
            return JSONResponse([f"Status '{state}' isn't a valid status for this ticket."])
        before = ticket.state
        self.change(ticket, state=state)
        return JSONResponse(
            [f"Ticket {ticket.number}: Status changed from '{before}' to '{state}'"]
        )

    def _fields(self, ticket: Ticket) -> dict[str, object]:
        return {
            "type": "ticket",
            "id": str(ticket.number),
            "Subject": ticket.fields["Subject"],
            "Status": ticket.state,
            "Owner": {"type": "user", "id": ticket.agent or "Nobody", "_url": "x"},
            "LastUpdated": ticket.stamp(),
        }

    async def comment(self, request: Request) -> Response:
        body = await request.json()
        ticket = self.tickets.get(request.path_params["id"])
        if "ContentType" not in body or ticket is None:
            return self.answer(400)
        self.change(ticket, note=f"{body.get('Subject')}\n{body['Content']}")
        return JSONResponse(["Comments added"], 201)

    async def transactions(self, request: Request) -> Response:
        """Data is the subject of a comment, with a line's end."""
        wanted = re.fullmatch(
            r"TicketId = (\d+) AND \(Type = 'Comment' OR Type = 'Correspond'\)",
            request.query_params["query"],
        )
        if wanted is None:
            return self.answer(400)
        ticket = self.tickets.get(int(wanted[1]))
        items: list[dict[str, object]] = [
            {"type": "transaction", "id": str(n), "Data": note.partition("\n")[0] + "\n"}
            for n, note in enumerate(ticket.notes if ticket else [], 1)
        ]
        return JSONResponse(self._collection(request, items))

    async def search(self, request: Request) -> Response:
        query = request.query_params["query"]
        wanted = re.fullmatch(r"Subject LIKE '([^']*)'", query)
        since = re.fullmatch(r"Queue = 'General' AND LastUpdated > '([-0-9]{10})'", query)
        if wanted is None and since is None:
            return self.answer(400)
        items = [
            self._fields(t)
            for t in self.tickets.values()
            if (not wanted or wanted[1].lower() in str(t.fields["Subject"]).lower())
            and (not since or t.stamp() > since[1])
            and t.state != "deleted"
        ]
        return JSONResponse(self._collection(request, items))

    def _collection(self, request: Request, items: list[dict[str, object]]) -> object:
        """Only type, id and _url without `fields`; 20 a page unless told."""
        fields = {"type", "id", *request.query_params.get("fields", "").split(",")}
        page = int(request.query_params.get("page", 1))
        size = min(100, int(request.query_params.get("per_page", 20)))
        shown = items[(page - 1) * size : page * size]
        found = [{k: v for k, v in item.items() if k in fields} for item in shown]
        return {"page": page, "per_page": size, "count": len(found), "items": found}
