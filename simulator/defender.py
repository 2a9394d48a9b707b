"""Defender's own API: weaknesses of a directory's devices."""

import jwt
from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import Answered, answer
from simulator.callers import bearer_token
from simulator.directory import Directory
from simulator.store import Document, Table
from simulator.tokens import DEFENDER
from simulator.traffic import DEFENDER_LIMITS
from simulator.world import World

ROLE = "Vulnerability.Read.All"
MOST = 8_000
CONTEXT = "https://api.securitycenter.microsoft.com/api/$metadata#"


def _error(status: int, code: str, text: str, **headers: str) -> Answered:
    body = {"error": {"code": code, "message": text, "target": "00000000"}}
    return Answered(answer(body, status, headers))


def _enter(request: Request) -> Directory:
    world: World = request.app.state.world
    try:
        claims = world.signer.check(bearer_token(request.scope))
    except jwt.InvalidTokenError:
        raise _error(401, "Unauthorized", "The token is invalid or has expired.") from None
    directory = world.directories.get(claims["tid"])
    if str(claims.get("aud")).rstrip("/") not in {DEFENDER, world.origin} or directory is None:
        raise _error(401, "Unauthorized", "The token is for another audience.")
    if world.settings["graph_limits"]:
        over = world.traffic.over_limit(request.scope["state"]["caller"], DEFENDER_LIMITS)
        if over is not None:
            text = "Rate limit is exceeded."
            raise _error(429, "TooManyRequests", text, **{"Retry-After": str(over[1])})
    if ROLE not in (claims.get("roles") or []):
        held = ",".join(claims.get("roles") or [])
        text = f"Missing application roles. API required roles: {ROLE}, application roles: {held}."
        raise _error(403, "Forbidden", text)
    return directory


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not text.isdigit():
        raise _error(400, "ODataError", f"The query option {name} is not valid.")
    return int(text)


def _page(request: Request, table: Table, kind: str) -> Response:
    rows: list[Document] = list(table.values())
    start = _number(request, "$skip", 0)
    top = min(_number(request, "$top", MOST), MOST)
    return answer({"@odata.context": CONTEXT + kind, "value": rows[start : start + top]})


async def vulnerabilities(request: Request) -> Response:
    return _page(request, _enter(request).weaknesses, "Vulnerabilities")


async def machines_vulnerabilities(request: Request) -> Response:
    directory = _enter(request)
    kind = "Collection(Analytics.Contracts.PublicAPI.PublicAssetVulnerabilityDto)"
    return _page(request, directory.device_weaknesses, kind)
