"""Public files: CISA's and FIRST's lists and news, with conditional requests and redirects."""

import base64
import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator.stories.weak import public_feeds
from simulator.world import World


def fill(world: World) -> None:
    """First start: what the publishers have."""
    for name, (raw, kind) in public_feeds().items():
        if name not in world.feeds:
            put(world, name, raw, kind)


def put(world: World, name: str, raw: bytes, kind: str, redirect: str = "") -> None:
    world.feeds.put(
        name,
        {"raw": base64.b64encode(raw).decode(), "kind": kind, "redirect": redirect},
    )


async def feed(request: Request) -> Response:
    world: World = request.app.state.world
    found = world.feeds.get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    if found["redirect"]:
        return Response(status_code=302, headers={"Location": found["redirect"]})
    raw = base64.b64decode(found["raw"])
    etag = f'"{hashlib.sha256(raw).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(raw, headers={"ETag": etag}, media_type=found["kind"])


async def control(request: Request, world: World, body: Any) -> Any:
    """PUT {base64, kind, redirect?}: what the address /feeds/NAME has from now on; DELETE: 404."""
    name = request.path_params["name"]
    if request.method == "DELETE":
        world.feeds.drop(name)
        return {}
    raw = base64.b64decode(body.get("base64", ""))
    put(world, name, raw, body.get("kind", "text/xml"), body.get("redirect", ""))
    return {}
