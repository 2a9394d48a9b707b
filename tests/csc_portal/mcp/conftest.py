"""The SDK's own client against the portal's web application over real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, connections
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from csc_portal.wsgi import application
from tests.csc_portal.api.conftest import Caller, bearer_of, in_one_transaction, key_of  # noqa: F401
from tests.csc_portal.web.conftest import sign_in, world  # noqa: F401

T = TypeVar("T")


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


def served(environ: dict[str, Any], start: Any) -> Any:
    """Django's own test client turns these looks at the connection on again."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    return application(environ, start)


@pytest.fixture
def address(db, in_one_transaction, settings) -> Iterator[str]:  # noqa: F811
    """Of a server in a thread, which sees what the test's transaction holds."""
    settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
    own = connections["default"]
    connection.inc_thread_sharing()
    server = make_server("127.0.0.1", 0, served, handler_class=Quiet)

    def serve() -> None:
        connections["default"] = own
        server.serve_forever(poll_interval=0.01)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/mcp"
    server.shutdown()
    thread.join()
    server.server_close()
    connection.dec_thread_sharing()


@dataclass(frozen=True, slots=True)
class Assistant:
    """Calls tools with a key. `mode`: the era of the protocol that it speaks."""

    address: str
    secret: str
    mode: str = "auto"

    def during(self, work: Callable[[Client], Awaitable[T]]) -> T:
        async def connected() -> T:
            headers = {"Authorization": f"Bearer {self.secret}"}
            async with create_mcp_http_client(headers=headers) as http:
                transport = streamable_http_client(self.address, http_client=http)
                async with Client(transport, mode=self.mode) as client:
                    return await work(client)

        return asyncio.run(connected())

    def call(self, tool: str, **arguments: Any) -> tuple[bool, str]:
        """Whether it is an error, and the text."""
        found = self.during(lambda client: client.call_tool(tool, arguments))
        [content] = found.content
        return found.is_error, content.text

    def answer(self, tool: str, **arguments: Any) -> Any:
        is_error, text = self.call(tool, **arguments)
        assert not is_error, text
        return json.loads(text)["answer"]


@pytest.fixture
def assistant(address: str) -> Callable[..., Assistant]:
    return lambda caller, mode="auto": Assistant(address, caller.secret, mode)


__all__ = ["Assistant", "Caller"]
