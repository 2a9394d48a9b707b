"""Who may ask Graph what: token, audience, role, limits; and the headers of each answer."""

from collections.abc import Mapping
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import answer, graph_error, json_body
from simulator.callers import bearer_token
from simulator.directory import Directory
from simulator.tokens import GRAPH
from simulator.traffic import APP_LIMITS, GRAPH_LIMITS
from simulator.world import World

GRAPH_APP = "00000003-0000-0000-c000-000000000000"


def _claims(request: Request) -> dict[str, Any]:
    """Of a token that is genuine and meant for Graph; else Graph's own errors."""
    world: World = request.app.state.world
    token = bearer_token(request.scope)
    if not token:
        raise graph_error(request, 401, "InvalidAuthenticationToken", "Access token is empty.")
    try:
        claims = world.signer.check(token)
    except jwt.ExpiredSignatureError:
        text = "Lifetime validation failed, the token is expired."
        raise graph_error(request, 401, "InvalidAuthenticationToken", text) from None
    except jwt.InvalidTokenError:
        text = "CompactToken parsing failed with error code: 80049217"
        raise graph_error(request, 401, "InvalidAuthenticationToken", text) from None
    if str(claims.get("aud")).rstrip("/") not in {GRAPH, GRAPH_APP, world.origin}:
        text = "Access token validation failure. Invalid audience."
        raise graph_error(request, 401, "InvalidAuthenticationToken", text)
    return claims


def enter_as_person(request: Request, scope: str) -> dict[str, Any]:
    """The claims of a person's own (delegated) token that holds the scope."""
    claims = _claims(request)
    if scope not in str(claims.get("scp", "")).split():
        text = "Insufficient privileges to complete the operation."
        raise graph_error(request, 403, "Authorization_RequestDenied", text)
    return claims


def enter(request: Request, *roles: str) -> Directory:
    """The directory of the token, if the token holds one of `roles`; else Graph's own errors."""
    world: World = request.app.state.world
    claims = _claims(request)
    directory = world.directories.get(claims["tid"])
    if directory is None:
        text = "The identity of the calling application could not be established."
        raise graph_error(request, 401, "Authorization_IdentityNotFound", text)
    _throttle(request, world)
    # Consent can be taken back while a token still lives; the service looks at the token.
    held = set(claims.get("roles") or [])
    if roles and not held & set(roles):
        text = (
            f"Missing application roles. API required roles: {','.join(roles)},"
            f" application roles: {','.join(sorted(held))}."
        )
        raise graph_error(request, 403, "Forbidden", text)
    return directory


def _throttle(request: Request, world: World) -> None:
    if not world.settings["graph_limits"]:
        return
    caller = request.scope["state"]["caller"]
    over = world.traffic.over_limit(caller, GRAPH_LIMITS)
    over = over or world.traffic.over_limit(caller, APP_LIMITS, everywhere=True)
    if over is None:
        return
    limit, wait_s = over
    headers: Mapping[str, str] = {} if limit.silent else {"Retry-After": str(wait_s)}
    inner = {"code": "429", "message": "Please retry after", "status": "429"}
    raise graph_error(request, 429, "TooManyRequests", "Please retry again later.", headers, inner)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object sent, or Graph's 400."""
    try:
        body = await json_body(request)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = (
            "Unable to read JSON request payload. Please ensure Content-Type header is set and "
            "payload is of valid JSON format."
        )
        raise graph_error(request, 400, "BadRequest", text)
    return body


def not_found(request: Request, text: str = "Resource not found.") -> Exception:
    return graph_error(request, 404, "ResourceNotFound", text)


def bad(request: Request, text: str) -> Exception:
    return graph_error(request, 400, "BadRequest", text)


def reply(request: Request, body: Any, status: int = 200, **headers: str) -> Response:
    """An answer with Graph's headers."""
    given = request.headers.get("client-request-id")
    extra = {"OData-Version": "4.0", "Cache-Control": "no-cache", **headers}
    if given:
        extra["client-request-id"] = given
    kind = "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8"
    return answer(body, status, extra, kind)
