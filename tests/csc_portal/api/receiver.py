"""A program that takes webhooks, over TLS, and can misbehave."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.environment import SIMULATOR


class Receiver:
    """`answer` says what a call is answered with: status and headers; it may wait, too."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], tuple[int, dict[str, str]]] = lambda: (200, {})
        self.came = threading.Event()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.calls]

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the specification of Standard Webhooks tells receivers to check."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, message, "sha256").digest()).decode()
    given = [one.partition(",") for one in headers["webhook-signature"].split(" ")]
    return any(name == "v1" and hmac.compare_digest(mac, wanted) for name, _, mac in given)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """On loopback, with the certificate that the simulator's authority gave for it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.calls.append(({k.lower(): v for k, v in self.headers.items()}, body))
            found.came.set()
            status, headers = found.answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"taken")

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SIMULATOR / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Receiver(f"https://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
