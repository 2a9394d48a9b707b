"""The outermost layer: records every request, and lets faults happen to it."""

import asyncio
import contextlib
import dataclasses
import time
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator import mangle
from simulator.callers import Caller, identify
from simulator.faults import Fault
from simulator.moments import now, stamp
from simulator.traffic import BODY_KEPT, without_secrets
from simulator.world import World

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Recorder:
    """ASGI middleware. Control calls pass untouched and unrecorded."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        body = await _read_body(receive)
        caller = self._resolved(identify(scope))
        scope.setdefault("state", {})["caller"] = caller
        query = scope["query_string"].decode("latin-1")
        target = scope["path"] + (f"?{query}" if query else "")
        fault = self._world.faults.pick(caller, scope["method"], target)
        answer = await self._answered(fault, scope, body, send)
        self._record(scope, target, caller, body, answer, fault, time.perf_counter() - started)

    async def _answered(
        self, fault: Fault | None, scope: Scope, body: bytes, send: Send
    ) -> Answer | None:
        """Send the answer; None when the connection was dropped."""
        if fault is not None and fault.kind in {"drop", "timeout", "status", "garbage"}:
            if fault.when == "after":
                await self._handled(scope, body)
            if fault.kind in {"drop", "timeout"}:
                await asyncio.sleep(fault.seconds or (120 if fault.kind == "timeout" else 0))
                await _drop(send)
                return None
            answer = mangle.replaced(fault, scope)
        else:
            if fault is not None and fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            answer = await self._handled(scope, body)
            if fault is not None:
                answer = mangle.twisted(fault, answer, self._world)
        if fault is not None and fault.kind == "truncate":
            await _send_half(answer, send)
            return None
        await _send_whole(answer, send)
        return answer

    async def _handled(self, scope: Scope, body: bytes) -> Answer:
        return await call(self._app, scope, body)

    def _resolved(self, caller: Caller) -> Caller:
        """With the directory's GUID in place of a domain, slug or help desk key."""
        name = caller.directory
        if caller.service == "freshservice":
            accounts = self._world.accounts.values()
            name = next((one["slug"] for one in accounts if name in {one["key"], one["slug"]}), "")
        with contextlib.suppress(KeyError):
            name = self._world.find_directory(name).guid if name else ""
        return dataclasses.replace(caller, directory=name)

    def _record(
        self, scope: Scope, target: str, caller: Caller, body: bytes,
        answer: Answer | None, fault: Fault | None, took_s: float,
    ) -> None:  # fmt: skip
        headers = {
            key.decode("latin-1"): "***"
            if key in {b"authorization", b"x-identity-header"}
            else value.decode("latin-1")
            for key, value in scope["headers"]
        }
        text = body[:BODY_KEPT].decode("utf-8", "replace")
        self._world.traffic.record(
            {
                "at": stamp(now()),
                "service": caller.service,
                "family": caller.family,
                "directory": caller.directory,
                "client_id": caller.client_id,
                "method": scope["method"],
                "target": target,
                "headers": headers,
                "body": _masked(caller.service, text),
                "status": 0 if answer is None else answer[0],
                "fault": fault.kind if fault else "",
                "took_ms": round(took_s * 1000, 2),
            }
        )


def _masked(service: str, text: str) -> str:
    """A body as it may be kept: without client secrets and vault values."""
    if service == "vault":
        return "***" if text else ""
    return without_secrets(text) if service == "entra" else text


async def call(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    """Run one request through an ASGI app and collect its answer."""
    sent: list[Message] = []
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.sleep(3600)
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    head = sent[0]
    content = b"".join(part.get("body", b"") for part in sent[1:])
    return head["status"], list(head.get("headers", [])), content


async def call_json(
    app: ASGIApp, method: str, path: str, query: str, headers: dict[str, str], body: Any
) -> tuple[int, dict[str, str], bytes]:
    """An inner request, as `$batch` makes them; ConnectionError when a fault drops it."""
    content = b"" if body is None else orjson.dumps(body)
    raw = [
        (key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()
    ]
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "scheme": "https", "server": ("127.0.0.1", 443), "client": ("127.0.0.1", 1), "headers": raw,
    }  # fmt: skip
    status, found, text = await call(app, scope, content)
    return status, {key.decode("latin-1"): value.decode("latin-1") for key, value in found}, text


async def _read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


async def _send_whole(answer: Answer, send: Send) -> None:
    status, headers, body = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_half(answer: Answer, send: Send) -> None:
    status, headers, body = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await _drop(send, politely=True)


async def _drop(send: Send, politely: bool = False) -> None:
    """Close the connection. Uvicorn's `send` is a method of the object that holds the transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        # An item of a $batch has no connection of its own: the item answers 504.
        if not politely:
            await _send_whole((504, [(b"content-type", b"application/json")], b"{}"), send)
        return
    if politely:
        transport.close()
    else:
        transport.abort()
    await asyncio.sleep(0.02)
