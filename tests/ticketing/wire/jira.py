"""Jira Cloud's REST API v3 and Service Management: documents in ADF, a search index that lags."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ticketing.wire.server import Desk, Ticket

_CATEGORIES = {"To Do": "new", "In Progress": "indeterminate", "Pending": "indeterminate"}


class JiraDesk(Desk):
    statuses = ("To Do", "In Progress", "Pending", "Done", "Closed", "Canceled")
    ours = ("open", "open", "pending", "resolved", "closed", "closed")

    def reset(self) -> None:
        super().reset()
        self.unindexed = 0
        self.refused: set[str] = set()

    def is_known(self, request: Request) -> bool:
        pair = base64.b64encode(f"ada@example.com:{self.secret}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def error(self, status: int) -> object:
        if status == 400:
            return {"errorMessages": [], "errors": {"summary": "bob@example.com may not set it"}}
        return {"errorMessages": ["Issue does not exist or you may not see it."], "errors": {}}

    def app(self) -> Starlette:
        root = "/rest/api/3"
        return Starlette(
            routes=[
                Route(f"{root}/mypermissions", self.permissions),
                Route(f"{root}/search/jql", self.search),
                Route(f"{root}/issue", self.create, methods=["POST"]),
                Route(f"{root}/issue/bulkfetch", self.bulk, methods=["POST"]),
                Route(f"{root}/issue/{{key}}", self.read),
                Route(f"{root}/issue/{{key}}/comment", self.comments, methods=["GET", "POST"]),
                Route(f"{root}/issue/{{key}}/transitions", self.ways, methods=["GET", "POST"]),
                Route("/rest/servicedeskapi/request", self.request, methods=["POST"]),
            ]
        )

    async def permissions(self, request: Request) -> Response:
        names = request.query_params["permissions"].split(",")
        may = request.query_params["projectKey"] == "SEC"
        return JSONResponse({"permissions": {name: {"havePermission": may} for name in names}})

    async def create(self, request: Request) -> Response:
        fields = (await request.json())["fields"]
        refused = self.refused & set(fields)
        if refused:
            errors = {name: f"Field '{name}' cannot be set." for name in refused}
            return JSONResponse({"errorMessages": [], "errors": errors}, 400)
        if not _is_document(fields["description"]) or any(" " in x for x in fields["labels"]):
            return self.answer(400)
        number = self.add(fields, "To Do").number
        return JSONResponse({"id": f"{10000 + number}", "key": f"SEC-{number}", "self": "x"}, 201)

    async def request(self, request: Request) -> Response:
        body = await request.json()
        assert (body["serviceDeskId"], body["requestTypeId"]) == ("3", "25")
        number = self.add(body["requestFieldValues"], "To Do").number
        return JSONResponse({"issueId": f"{10000 + number}", "issueKey": f"SEC-{number}"}, 201)

    async def search(self, request: Request) -> Response:
        """The index: without the newest issues that `unindexed` counts."""
        jql = request.query_params["jql"]
        known = [t for n, t in self.tickets.items() if n <= len(self.tickets) - self.unindexed]
        wanted = re.search(r'labels = "([^"]+)" OR summary ~ "([^"]+)"', jql)
        if wanted:
            known = [t for t in known if wanted[1].lower() in json.dumps(t.fields).lower()]
        back = re.search(r'updated >= "-(\d+)m"', jql)
        if back:
            border = datetime.now(UTC) - timedelta(minutes=int(back[1]))
            known = [t for t in known if t.updated >= border]
        known.sort(key=lambda ticket: ticket.number, reverse="DESC" in jql)
        size = int(request.query_params["maxResults"])
        start = int(request.query_params.get("nextPageToken", "0"))
        page: dict[str, object] = {"issues": [self._shown(t) for t in known[start : start + size]]}
        if start + size < len(known):
            page["nextPageToken"] = str(start + size)
        return JSONResponse({**page, "isLast": "nextPageToken" not in page})

    async def bulk(self, request: Request) -> Response:
        keys = (await request.json())["issueIdsOrKeys"]
        if len(keys) > 100:
            return self.answer(400)
        found = [self._shown(t) for t in self.tickets.values() if f"SEC-{t.number}" in keys]
        return JSONResponse({"issues": found, "issueErrors": []})

    async def read(self, request: Request) -> Response:
        ticket = self._ticket(request)
        return self.answer(404) if ticket is None else JSONResponse(self._shown(ticket))

    async def comments(self, request: Request) -> Response:
        ticket = self._ticket(request)
        if ticket is None:
            return self.answer(404)
        if request.method == "POST":
            body = await request.json()
            assert body["properties"][0]["value"] == {"internal": True}
            if not _is_document(body["body"]):
                return self.answer(400)
            self.change(ticket, note=json.dumps(body["body"]))
            return JSONResponse({"id": f"{len(ticket.notes)}"}, 201)
        start, size = (int(request.query_params[name]) for name in ("startAt", "maxResults"))
        shown = [{"body": json.loads(note)} for note in ticket.notes[start : start + size]]
        page = {"startAt": start, "maxResults": size, "total": len(ticket.notes)}
        return JSONResponse({**page, "comments": shown})

    async def ways(self, request: Request) -> Response:
        """From each state to every other one; to be done an issue needs a resolution."""
        ticket = self._ticket(request)
        if ticket is None:
            return self.answer(404)
        if request.method == "POST":
            body = await request.json()
            state = self.statuses[int(body["transition"]["id"]) - 11]
            if state == "Done" and body.get("fields", {}).get("resolution") != {"name": "Done"}:
                return self.answer(400)
            self.change(ticket, state=state)
            return Response(status_code=204)
        shown = [
            {
                "id": f"{11 + place}",
                "name": f"To {state}",
                "to": {
                    "name": state,
                    "statusCategory": {"key": _CATEGORIES.get(state, "done")},
                },
                "fields": {"resolution": {"required": True}} if state == "Done" else {},
            }
            for place, state in enumerate(self.statuses)
            if state != ticket.state
        ]
        return JSONResponse({"expand": "transitions", "transitions": list(reversed(shown))})

    def _ticket(self, request: Request) -> Ticket | None:
        return self.tickets.get(int(request.path_params["key"].removeprefix("SEC-")))

    def _shown(self, ticket: Ticket) -> dict[str, object]:
        category = {"key": _CATEGORIES.get(ticket.state, "done")}
        fields = {
            "summary": ticket.fields["summary"],
            "labels": ticket.fields.get("labels", []),
            "status": {"name": ticket.state, "statusCategory": category},
            "updated": ticket.stamp("%Y-%m-%dT%H:%M:%S.000+0000"),
            "resolution": {"name": "Done"} if category["key"] == "done" else None,
            "assignee": {"accountId": ticket.agent, "displayName": "Ada"} if ticket.agent else None,
        }
        return {"id": f"{10000 + ticket.number}", "key": f"SEC-{ticket.number}", "fields": fields}


def _is_document(value: object) -> bool:
    """Whether it is ADF that Jira would take: known nodes, no empty text, not too large."""
    if not isinstance(value, dict) or (value.get("type"), value.get("version")) != ("doc", 1):
        return False
    nodes = value["content"]
    texts = [text for node in nodes for text in node["content"]]
    return (
        all(node["type"] in ("paragraph", "heading") for node in nodes)
        and all(text["type"] == "text" and text["text"] for text in texts)
        and len(json.dumps(value, ensure_ascii=False)) <= 32_767
    )
