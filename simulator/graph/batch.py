"""Graph $batch: up to 20 requests, each handled as if it had come alone."""

import asyncio
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response

from simulator.graph import gate
from simulator.middleware import call_json
from simulator.store import Document

MOST = 20


async def batch(request: Request) -> Response:
    gate.enter(request)
    body = await gate.body_of(request)
    items = body.get("requests")
    if not isinstance(items, list) or not items:
        raise gate.bad(request, "Invalid batch payload format.")
    if len(items) > MOST:
        text = f"Number of batch request steps exceeds the maximum value of {MOST}."
        raise gate.bad(request, text)
    ids = [item.get("id") for item in items if isinstance(item, dict)]
    if len(set(ids)) != len(items) or None in ids:
        raise gate.bad(request, "Each request in a batch needs its own id.")
    done: dict[str, Document] = {}
    for item in items:
        done[item["id"]] = await _one(request, item, done)
        await asyncio.sleep(0)
    # The service promises no order; last first shows who relies on one.
    return gate.reply(request, {"responses": list(reversed(done.values()))})


async def _one(request: Request, item: Document, done: dict[str, Document]) -> Document:
    waits = item.get("dependsOn") or []
    if any(done.get(key, {"status": 424})["status"] >= 400 for key in waits):
        error = {"error": {"code": "FailedDependency", "message": "A dependency failed."}}
        return {"id": item["id"], "status": 424, "headers": {}, "body": error}
    version = request.url.path.removesuffix("/$batch")
    url = urlsplit(str(item.get("url", "")))
    path = unquote(f"{version}/{url.path.lstrip('/')}")
    headers = {str(key): str(value) for key, value in (item.get("headers") or {}).items()}
    names = {key.lower() for key in headers}
    if "body" in item and "content-type" not in names:
        error = {
            "error": {
                "code": "BadRequest",
                "message": "Write request id : "
                f"{item['id']} does not contain Content-Type header or body.",
            }
        }
        return {"id": item["id"], "status": 400, "headers": {}, "body": error}
    headers["authorization"] = request.headers["authorization"]
    outer = request.app.state.outer
    method = str(item.get("method", "GET")).upper()
    status, found, content = await call_json(
        outer, method, path, url.query, headers, item.get("body")
    )
    kept = {key: value for key, value in found.items() if key in {"content-type", "retry-after"}}
    titled = {"-".join(part.capitalize() for part in key.split("-")): v for key, v in kept.items()}
    return {"id": item["id"], "status": status, "headers": titled, "body": _parsed(content)}


def _parsed(content: bytes) -> Any:
    if not content:
        return None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")
