"""POST /mcp: one message in, one answer out, as JSON; nothing is kept between two of them.

The SDK speaks ASGI and the web process WSGI, so each message runs its own short event loop. The
tools themselves run in the thread that serves the request, with its connection to the database.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import anyio
from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpResponse
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from rest_framework.request import Request

from csc_portal.api.view import LARGEST, ApiView
from csc_portal.mcp.asking import Asker
from csc_portal.mcp.server import Context, make_server

LONGEST_S = 60


def _asker(context: Context) -> Asker:
    assert context.request is not None  # noqa: S101 - set by every HTTP transport of the SDK
    return Asker(context.request.headers.get("authorization", ""), is_counted=True)


SERVER = make_server(_asker)


class Endpoint(ApiView):
    """A key, its quota and the headers of both as everywhere in the API; any scope will do."""

    http_method_names = ["post"]

    def post(self, request: Request) -> HttpResponse:
        raw = request._request
        host = raw.get_host()
        sent = {name.lower(): value for name, value in raw.headers.items()} | {"host": host}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": raw.scheme,
            "path": raw.path,
            "raw_path": raw.path.encode(),
            "query_string": b"",
            "headers": [
                (k.encode("latin-1"), v.encode("latin-1", "replace")) for k, v in sent.items()
            ],
            "server": (host, None),
            "client": None,
        }
        status, headers, body = async_to_sync(_exchange)(scope, raw.body, host)
        return HttpResponse(body, status=status, headers=headers)


async def _exchange(
    scope: dict[str, Any], body: bytes, host: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the SDK's answer. Raises TimeoutError."""
    taken: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if taken:
            return taken.pop()
        await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    manager = StreamableHTTPSessionManager(
        SERVER,
        json_response=True,
        stateless=True,
        security_settings=_origins(host, str(scope["scheme"])),
        max_request_body_size=LARGEST,
    )
    with anyio.fail_after(LONGEST_S):
        async with manager.run():
            await manager.handle_request(scope, receive, send)  # type: ignore[arg-type]
    start = said[0]
    headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return start["status"], headers, b"".join(one.get("body", b"") for one in said[1:])


def _origins(host: str, scheme: str) -> TransportSecuritySettings:
    """Pages of others may not ask, as the protocol demands. Django has checked the host."""
    portal = urlsplit(settings.PORTAL_URL)
    return TransportSecuritySettings(
        allowed_hosts=[host],
        allowed_origins=[f"{scheme}://{host}", f"{portal.scheme}://{portal.netloc}"],
    )
