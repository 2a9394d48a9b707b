"""Azure Resource Manager: tenants, subscriptions, groups, resources, tags, security settings."""

import re
import uuid
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import Answered, answer, arm_error
from simulator.callers import bearer_token
from simulator.directory import Directory
from simulator.store import Document
from simulator.tokens import ARM
from simulator.traffic import ARM_LIMITS
from simulator.world import World

PAGE = 100
_TAG_FILTER = re.compile(r"tagName eq '([^']*)'(?: and tagValue eq '([^']*)')?$")
_EXPANDABLE = ("createdTime", "changedTime", "provisioningState")


def enter(request: Request) -> Directory:
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


def reply(body: Any, **headers: str) -> Response:
    ids = {"x-ms-request-id": str(uuid.uuid4()), "x-ms-correlation-request-id": str(uuid.uuid4())}
    return answer(body, 200, {**ids, **headers})


def readable(directory: Directory) -> list[Document]:
    """Subscriptions this app may read: none, not 403, without any role assignment."""
    return list(directory.azure.values()) if directory.config["azure_reader"] else []


async def tenants(request: Request) -> Response:
    directory = enter(request)
    row = {
        "id": f"/tenants/{directory.guid}",
        "tenantId": directory.guid,
        "tenantCategory": "Home",
        "displayName": directory.config["name"],
        "domains": [directory.domain],
    }
    return reply({"value": [row]})


async def subscriptions(request: Request) -> Response:
    rows = readable(enter(request))
    return reply({"value": rows, "count": {"type": "Total", "value": len(rows)}})


def subscription_of(request: Request, directory: Directory) -> Document:
    wanted = request.path_params["subscription"].lower()
    for row in readable(directory):
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
    return reply(subscription_of(request, enter(request)))


def resources_of(directory: Directory, subscription_id: str) -> list[Document]:
    start = f"/subscriptions/{subscription_id}/"
    return [row for row in directory.resources.values() if row["id"].lower().startswith(start)]


def groups_of(directory: Directory, subscription_id: str) -> list[Document]:
    """Resource groups: those that hold something, and those put by a control call."""
    start = f"/subscriptions/{subscription_id}/"
    found: dict[str, Document] = {}
    for one in resources_of(directory, subscription_id):
        name = one["id"].split("/")[4]
        found.setdefault(
            name.lower(),
            {
                "id": f"/subscriptions/{subscription_id}/resourceGroups/{name}",
                "name": name,
                "location": one["location"],
                "type": "Microsoft.Resources/resourceGroups",
                "properties": {"provisioningState": "Succeeded"},
            },
        )
    for key, row in directory.resource_groups.items():
        if key.startswith(start):
            name = row["id"].split("/")[4]
            found[name.lower()] = {**found.get(name.lower(), {"name": name}), **row}
    return [found[name] for name in sorted(found)]


async def resource_groups(request: Request) -> Response:
    directory = enter(request)
    row = subscription_of(request, directory)
    return reply({"value": groups_of(directory, row["subscriptionId"])})


async def tags(request: Request) -> Response:
    """GET /{scope}/providers/Microsoft.Resources/tags/default of one resource."""
    directory = enter(request)
    subscription_of(request, directory)
    scope = f"/subscriptions/{request.path_params['subscription']}/{request.path_params['rest']}"
    found = directory.resources.get(scope.lower())
    if found is None:
        raise arm_error(404, "ResourceNotFound", "The resource was not found.")
    return reply(
        {
            "id": f"{found['id']}/providers/Microsoft.Resources/tags/default",
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": found.get("tags") or {}},
        }
    )


PLANS = (
    "CloudPosture", "VirtualMachines", "SqlServers", "AppServices", "StorageAccounts",
    "Containers", "KeyVaults", "Arm",
)  # fmt: skip


def _of_subscription(request: Request, kind: str) -> tuple[Document, Document]:
    """The subscription and what a control call put for it; 403 where that has `denied`."""
    directory = enter(request)
    row = subscription_of(request, directory)
    kept = directory.azure_settings.get(row["subscriptionId"], {})
    if kind in kept.get("denied", ()):
        raise arm_error(403, "AuthorizationFailed", "The client has no authorization to do this.")
    return row, kept


async def pricings(request: Request) -> Response:
    """Defender for Cloud's plans: Standard is on, Free is off."""
    row, kept = _of_subscription(request, "pricings")
    on = kept.get("plans", ["CloudPosture", "VirtualMachines"])
    value = [
        {
            "id": f"{row['id']}/providers/Microsoft.Security/pricings/{plan}",
            "name": plan,
            "type": "Microsoft.Security/pricings",
            "properties": {
                "pricingTier": "Standard" if plan in on else "Free",
                "freeTrialRemainingTime": "PT0S",
            },
        }
        for plan in PLANS
    ]
    return reply({"value": value})


async def diagnostic_settings(request: Request) -> Response:
    """Where the subscription's activity log goes."""
    row, kept = _of_subscription(request, "diagnosticSettings")
    workspace = f"{row['id']}/resourceGroups/rg-log/providers/Microsoft.OperationalInsights"
    value = [
        {
            "id": f"{row['id']}/providers/Microsoft.Insights/diagnosticSettings/log-{number}",
            "name": f"log-{number}",
            "type": "Microsoft.Insights/diagnosticSettings",
            "properties": {
                "workspaceId": f"{workspace}/workspaces/soc",
                "logs": [{"category": "Administrative", "enabled": True}],
            },
        }
        for number in range(kept.get("log_settings", 1))
    ]
    return reply({"value": value})


async def resources(request: Request) -> Response:
    """GET /subscriptions/{id}/resources with $filter (type or tag), $expand, $top, paging."""
    directory = enter(request)
    asked = request.query_params
    rows = resources_of(directory, subscription_of(request, directory)["subscriptionId"])
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
    return reply(body, **{"x-ms-ratelimit-remaining-subscription-reads": "249"})


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
