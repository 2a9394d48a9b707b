"""Serves the stand-ins on loopback, in a thread, under a certificate authority of their own."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

SECRET = "s3cret"


@dataclass
class Ticket:
    """What every stand-in keeps of a ticket; `fields` are as they came over the wire."""

    number: int
    fields: dict[str, object]
    notes: list[str] = field(default_factory=list)
    state: str = ""
    agent: str = ""
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    def stamp(self, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
        return self.updated.strftime(form)


class Desk:
    """One help desk: its tickets, and the faults that its next answers have."""

    secret = SECRET

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.tickets: dict[int, Ticket] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[tuple[int, dict[str, str]]] = []
        self.headers: list[Mapping[str, str]] = []

    def add(self, fields: dict[str, object], state: str) -> Ticket:
        ticket = Ticket(len(self.tickets) + 1, fields, [], state)
        self.tickets[ticket.number] = ticket
        return ticket

    def change(self, ticket: Ticket, *, state: str = "", note: str = "") -> None:
        """As an agent or the API does."""
        ticket.state = state or ticket.state
        ticket.notes += [note] if note else []
        ticket.updated = datetime.now(UTC)

    def fail(self, status: int, *, times: int = 1, **headers: str) -> None:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults += [(status, shown)] * times

    def is_known(self, request: Request) -> bool:
        """Whether the credential is right, as the system is told it."""
        raise NotImplementedError

    def error(self, status: int) -> object:
        """The body of an error as the vendor publishes it."""
        raise NotImplementedError

    def app(self) -> Starlette:
        raise NotImplementedError

    def answer(self, status: int) -> Response:
        return JSONResponse(self.error(status), status)


class Gate:
    """Before each request of a desk: note it, let it fail as told, check the credential."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._app: ASGIApp = desk.app()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self._desk.requests.append((request.method, request.url.path))
        self._desk.headers.append(request.headers)
        if self._desk.faults:
            status, headers = self._desk.faults.pop(0)
            response = JSONResponse(self._desk.error(status), status, headers)
            await response(scope, receive, send)
        elif not self._desk.is_known(request):
            await self._desk.answer(401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@contextmanager
def serving(desks: Mapping[str, Desk], state: Path) -> Iterator[str]:
    """The origin that serves each desk below /name; `state`/ca.pem is its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(state / "ca.pem")
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(state / "server.pem")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    routes = [Mount(f"/{name}", Gate(desk)) for name, desk in desks.items()]
    config = uvicorn.Config(
        Starlette(routes=routes),
        ssl_certfile=str(state / "server.pem"),
        log_level="error",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
