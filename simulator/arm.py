"""Azure Resource Manager: tenants, subscriptions, resource groups, resources, Resource Graph."""

import re
import uuid
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response

from simulator import kusto
from simulator.answers import Answered, answer, arm_error, json_body
from simulator.callers import bearer_token
from simulator.directory import Directory
from simulator.store import Document
from simulator.tokens import ARM
from simulator.traffic import ARM_LIMITS
from simulator.world import World

PAGE = 100
_TAG_FILTER = re.compile(r"tagName eq '([^']*)'(?: and tagValue eq '([^']*)')?$")
_EXPANDABLE = ("createdTime", "changedTime", "provisioningState")


def _enter(request: Request) -> Directory:
    world: World = request.app.state.world
    token = bearer_token(request.scope)
    if not token:
        raise _unauthorized(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            world,
        )
    try:
        claims = world.signer.check(token)
    except jwt.ExpiredSignatureError:
        raise _unauthorized(
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
            world,
        ) from None
    except jwt.InvalidTokenError:
        raise _unauthorized(
            "InvalidAuthenticationToken", "The access token is invalid.", world
        ) from None
    if str(claims.get("aud", "")).rstrip("/") not in {ARM, world.origin}:
        raise _unauthorized(
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource.",
            world,
        )
    directory = world.directories.get(claims["tid"])
    if directory is None:
        raise _unauthorized(
            "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.", world
        )
    _throttle(request, world)
    if "api-version" not in request.query_params:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise arm_error(400, "MissingApiVersionParameter", text)
    return directory


def _throttle(request: Request, world: World) -> None:
    if not world.settings["graph_limits"]:
        return
    over = world.traffic.over_limit(request.scope["state"]["caller"], ARM_LIMITS)
    if over is None:
        return
    headers = {
        "Retry-After": str(over[1]),
        "x-ms-user-quota-remaining": "0",
        "x-ms-user-quota-resets-after": f"00:00:{min(over[1], 59):02d}",
    }
    raise arm_error(429, "RateLimiting", "Please retry after the time given.", headers)


def _unauthorized(code: str, text: str, world: World) -> Answered:
    value = f'Bearer authorization_uri="{world.origin}/", error="invalid_token"'
    return arm_error(401, code, text, {"WWW-Authenticate": value})


def _reply(body: Any, **headers: str) -> Response:
    ids = {"x-ms-request-id": str(uuid.uuid4()), "x-ms-correlation-request-id": str(uuid.uuid4())}
    return answer(body, 200, {**ids, **headers})


def _readable(directory: Directory) -> list[Document]:
    """Subscriptions this app may read: none, not 403, without any role assignment."""
    return list(directory.azure.values()) if directory.config["azure_reader"] else []


async def tenants(request: Request) -> Response:
    directory = _enter(request)
    row = {
        "id": f"/tenants/{directory.guid}",
        "tenantId": directory.guid,
        "tenantCategory": "Home",
        "displayName": directory.config["name"],
        "domains": [directory.domain],
    }
    return _reply({"value": [row]})


async def subscriptions(request: Request) -> Response:
    rows = _readable(_enter(request))
    return _reply({"value": rows, "count": {"type": "Total", "value": len(rows)}})


def _subscription(request: Request, directory: Directory) -> Document:
    wanted = request.path_params["subscription"].lower()
    for row in _readable(directory):
        if row["subscriptionId"] == wanted:
            return row
    if wanted in directory.azure:
        text = (
            f"The client '{request.scope['state']['caller'].client_id}' does not have "
            "authorization to"
            f" perform action 'Microsoft.Resources/subscriptions/resources/read' over scope"
            f" '/subscriptions/{wanted}' or the scope is invalid. If access was recently "
            "granted, please"
            " refresh your credentials."
        )
        raise arm_error(403, "AuthorizationFailed", text)
    raise arm_error(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")


async def subscription(request: Request) -> Response:
    return _reply(_subscription(request, _enter(request)))


def _resources(directory: Directory, subscription_id: str) -> list[Document]:
    start = f"/subscriptions/{subscription_id}/"
    return [row for row in directory.resources.values() if row["id"].lower().startswith(start)]


async def resource_groups(request: Request) -> Response:
    directory = _enter(request)
    row = _subscription(request, directory)
    names = {
        one["id"].split("/")[4]: one["location"]
        for one in _resources(directory, row["subscriptionId"])
    }
    groups = [
        {
            "id": f"{row['id']}/resourceGroups/{name}",
            "name": name,
            "location": place,
            "type": "Microsoft.Resources/resourceGroups",
            "properties": {"provisioningState": "Succeeded"},
        }
        for name, place in sorted(names.items())
    ]
    return _reply({"value": groups})


async def resources(request: Request) -> Response:
    """GET /subscriptions/{id}/resources with $filter (type or tag), $expand, $top, paging."""
    directory = _enter(request)
    asked = request.query_params
    rows = _resources(directory, _subscription(request, directory)["subscriptionId"])
    by_tag = False
    if asked.get("$filter"):
        rows, by_tag = _filtered(rows, asked["$filter"])
    expand = [] if by_tag else [name for name in asked.get("$expand", "").split(",") if name]
    if set(expand) - set(_EXPANDABLE):
        raise arm_error(
            400, "InvalidExpandParameter", f"The $expand value '{asked['$expand']}' is invalid."
        )
    start = int(asked.get("$skiptoken", "0")) if asked.get("$skiptoken", "0").isdecimal() else 0
    size = min(int(asked.get("$top", PAGE)), 1000)
    hidden = {*(_EXPANDABLE), "properties"} - set(expand) | ({"tags"} if by_tag else set())
    page = [{k: v for k, v in row.items() if k not in hidden} for row in rows[start : start + size]]
    body: dict[str, Any] = {"value": page}
    if start + size < len(rows):
        body["nextLink"] = str(request.url.include_query_params(**{"$skiptoken": start + size}))
    return _reply(body, **{"x-ms-ratelimit-remaining-subscription-reads": "249"})


def _filtered(rows: list[Document], text: str) -> tuple[list[Document], bool]:
    tag = _TAG_FILTER.match(text.strip())
    if tag:
        name, value = tag.groups()
        held = [(row, {k.lower(): v for k, v in (row.get("tags") or {}).items()}) for row in rows]
        return [
            row
            for row, tags in held
            if name.lower() in tags and value in {None, tags[name.lower()]}
        ], True
    found = re.fullmatch(r"(resourceType|name|location) eq '([^']*)'", text.strip())
    if found is None:
        raise arm_error(
            400,
            "InvalidFilterInQueryString",
            f"Invalid $filter '{text}' specified in the query string.",
        )
    field = {"resourceType": "type"}.get(found[1], found[1])
    return [row for row in rows if row[field].lower() == found[2].lower()], False


async def resource_graph(request: Request) -> Response:
    """POST /providers/Microsoft.ResourceGraph/resources"""
    directory = _enter(request)
    body = await json_body(request)
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise arm_error(
            400,
            "BadRequest",
            "Please provide below info when asking for support: query is missing.",
        )
    wanted = {str(one).lower() for one in body.get("subscriptions") or []}
    readable = {row["subscriptionId"] for row in _readable(directory)}
    if wanted and not wanted & readable:
        raise arm_error(403, "AccessDenied", "Access is denied to the requested resource.")
    scope = wanted & readable or readable
    rows = [row for one in sorted(scope) for row in _resources(directory, one)]
    try:
        found = kusto.run(
            body["query"],
            [_graph_row(directory, row) for row in rows],
            _containers(directory, scope),
        )
    except kusto.BadQuery as err:
        raise arm_error(
            400, "InvalidQuery", f"Query is invalid. Please refer to the documentation: {err}"
        ) from None
    options = body.get("options") or {}
    size = min(int(options.get("$top") or 100), 1000)
    token = str(options.get("$skipToken") or options.get("$skip") or "0")
    start = int(token) if token.isdecimal() else 0
    page = found[start : start + size]
    more = start + size < len(found) and all("id" in row for row in page)
    result: dict[str, Any] = {
        "totalRecords": len(found),
        "count": len(page),
        "data": page,
        "facets": [],
        "resultTruncated": "true" if start + size < len(found) and not more else "false",
    }
    if more:
        result["$skipToken"] = str(start + size)
    quota = {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
    return _reply(result, **quota)


def _graph_row(directory: Directory, row: Document) -> Document:
    parts = row["id"].split("/")
    return {
        **{key: value for key, value in row.items() if key not in _EXPANDABLE},
        "type": row["type"].lower(),
        "tenantId": directory.guid,
        "subscriptionId": parts[2],
        "resourceGroup": parts[4].lower(),
        "properties": row.get("properties") or {},
        "tags": row.get("tags"),
    }


def _containers(directory: Directory, scope: set[str]) -> list[Document]:
    return [
        {
            "id": row["id"],
            "name": row["displayName"],
            "type": "microsoft.resources/subscriptions",
            "subscriptionId": row["subscriptionId"],
            "tenantId": directory.guid,
            "tags": row.get("tags"),
            "properties": {"state": row["state"]},
        }
        for row in _readable(directory)
        if row["subscriptionId"] in scope
    ]
