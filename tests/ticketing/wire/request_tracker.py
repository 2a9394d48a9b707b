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
                Route(f"{root}/ticket/{{id:int}}", self.read),
                Route(f"{root}/ticket/{{id:int}}/comment", self.comment, methods=["POST"]),
                Route(f"{root}/ticket/{{id:int}}/attachments", self.attachments),
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
        number = self.add(body, "new").number
        url = f"{request.base_url}REST/2.0/ticket/{number}"
        return JSONResponse({"type": "ticket", "id": str(number), "_url": url}, 201)

    async def read(self, request: Request) -> Response:
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        shown = {"id": ticket.number, "Subject": ticket.fields["Subject"], "Status": ticket.state}
        return JSONResponse({**shown, "Queue": {"id": "1", "type": "queue"}, "_hyperlinks": []})

    async def comment(self, request: Request) -> Response:
        body = await request.json()
        if "ContentType" not in body:
            return self.answer(400)
        ticket = self.tickets.get(request.path_params["id"])
        if ticket is None:
            return self.answer(404)
        ticket.notes.append(f"{body.get('Subject')}\n{body['Content']}")
        return JSONResponse(["Comments added"], 201)

    async def attachments(self, request: Request) -> Response:
        ticket = self.tickets[request.path_params["id"]]
        texts = [note.partition("\n") for note in ticket.notes]
        items = [
            {"type": "attachment", "id": str(n), "Subject": subject, "Content": content}
            for n, (subject, _, content) in enumerate(texts, 1)
        ]
        return JSONResponse(self._collection(request, items))

    async def search(self, request: Request) -> Response:
        wanted = re.fullmatch(r"Subject LIKE '([^']*)'", request.query_params["query"])
        if wanted is None:
            return self.answer(400)
        items = [
            {
                "type": "ticket",
                "id": str(t.number),
                "Subject": t.fields["Subject"],
                "Status": t.state,
            }
            for t in self.tickets.values()
            if wanted[1].lower() in str(t.fields["Subject"]).lower() and t.state != "deleted"
        ]
        return JSONResponse(self._collection(request, items))

    def _collection(self, request: Request, items: list[dict[str, str]]) -> object:
        """Only type, id and _url without `fields`; 20 a page unless told."""
        fields = {"type", "id", *request.query_params.get("fields", "").split(",")}
        page = int(request.query_params.get("page", 1))
        size = min(100, int(request.query_params.get("per_page", 20)))
        shown = items[(page - 1) * size : page * size]
        found = [{k: v for k, v in item.items() if k in fields} for item in shown]
        return {"page": page, "per_page": size, "count": len(found), "items": found}
