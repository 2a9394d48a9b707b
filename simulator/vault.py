"""Key Vault: secrets with versions, challenge authentication, errors (fact sheet 8)."""

import time
import uuid
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import Answered, answer, json_body, vault_error
from simulator.callers import bearer_token
from simulator.store import Document
from simulator.tokens import VAULT
from simulator.world import World

PAGE = 25


def _allowed(request: Request) -> World:
    """Checks api-version and token; a request without token gets the challenge."""
    world: World = request.app.state.world
    token = bearer_token(request.scope)
    if not token:
        raise _challenge(world, "AKV10000: Request is missing a Bearer or PoP token.")
    try:
        claims = world.signer.check(token)
    except jwt.ExpiredSignatureError:
        raise _challenge(world, "[TokenExpired] Error validating token: 'S2S12086'.") from None
    except jwt.InvalidTokenError:
        raise _challenge(world, "Error validating token: 'S2S12005'.") from None
    if str(claims.get("aud", "")).rstrip("/") != VAULT:
        raise _challenge(world, "AKV10022: Invalid audience. Expected https://vault.azure.net.")
    if claims["tid"] != world.provider:
        raise _challenge(world, "AKV10032: Invalid issuer.")
    if claims["appid"] != world.msi_client_id:
        text = "Caller is not authorized to perform action on resource."
        raise vault_error(403, "Forbidden", text, "ForbiddenByRbac")
    if "api-version" not in request.query_params:
        raise vault_error(400, "BadParameter", "api-version must be specified")
    return world


def _challenge(world: World, message: str) -> Answered:
    value = f'Bearer authorization="{world.origin}/{world.provider}", resource="{VAULT}"'
    return vault_error(401, "Unauthorized", message, headers={"WWW-Authenticate": value})


def _missing(name: str) -> Answered:
    text = (
        f"A secret with (name/id) {name} was not found in this key vault. If you recently "
        "deleted this"
        " secret you may be able to recover it using the correct recovery command. For help "
        "resolving"
        " this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )
    return vault_error(404, "SecretNotFound", text)


def _secret(world: World, name: str) -> Document:
    found = world.vault.get(name.lower()) or world.vault.get(name)
    if found is None or found["deleted"]:
        raise _missing(name)
    return found


def _bundle(world: World, name: str, version: Document, with_value: bool) -> dict[str, Any]:
    attributes = {
        "enabled": version["enabled"],
        "created": version["created"],
        "updated": version["updated"],
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90,
    }
    attributes.update({key: version[key] for key in ("nbf", "exp") if version.get(key)})
    body: dict[str, Any] = {
        "id": f"{world.origin}/secrets/{name}/{version['version']}",
        "attributes": attributes,
        "tags": version.get("tags", {}),
    }
    if version.get("contentType"):
        body["contentType"] = version["contentType"]
    return {"value": version["value"], **body} if with_value else body


async def get_secret(request: Request) -> Response:
    world = _allowed(request)
    name, wanted = request.path_params["name"], request.path_params.get("version", "")
    versions = _secret(world, name)["versions"]
    match = [one for one in versions if one["version"] == wanted] if wanted else versions[-1:]
    if not match:
        raise _missing(f"{name}/{wanted}")
    if not match[0]["enabled"]:
        text = "Operation get is not allowed on a disabled secret."
        raise vault_error(403, "Forbidden", text, "SecretDisabled")
    return answer(_bundle(world, name, match[0], True))


async def set_secret(request: Request) -> Response:
    world, name = _allowed(request), request.path_params["name"]
    body = await json_body(request)
    if not isinstance(body, dict) or not isinstance(body.get("value"), str):
        raise vault_error(400, "BadParameter", "Property value is required")
    kept = world.vault.get(name)
    if kept and kept["deleted"]:
        text = (
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot "
            "be reused."
        )
        raise vault_error(409, "Conflict", text, "ObjectIsDeletedButRecoverable")
    attributes = dict(body.get("attributes") or {})
    extra = {"tags": body.get("tags") or {}, "contentType": body.get("contentType")}
    world.set_secret(name, body["value"], **{**attributes, **extra})
    return answer(_bundle(world, name, world.vault[name]["versions"][-1], True))


async def update_secret(request: Request) -> Response:
    world, name = _allowed(request), request.path_params["name"]
    body = await json_body(request) or {}
    secret = _secret(world, name)
    wanted = request.path_params.get("version") or secret["versions"][-1]["version"]
    changes = dict(body.get("attributes") or {})
    changes.update({key: body[key] for key in ("tags", "contentType") if key in body})
    for version in secret["versions"]:
        if version["version"] == wanted:
            version.update(changes, updated=int(time.time()))
            world.vault.put(name, secret)
            return answer(_bundle(world, name, version, False))
    raise _missing(f"{name}/{wanted}")


async def list_secrets(request: Request) -> Response:
    world = _allowed(request)
    live = [one for one in world.vault.values() if not one["deleted"]]
    rows = [
        {
            **_bundle(world, one["name"], one["versions"][-1], False),
            "id": f"{world.origin}/secrets/{one['name']}",
        }
        for one in sorted(live, key=lambda one: one["name"])
    ]
    return _page(request, world, rows, "/secrets")


async def list_versions(request: Request) -> Response:
    world, name = _allowed(request), request.path_params["name"]
    versions = _secret(world, name)["versions"]
    # The service lists versions by their random id, not by age.
    rows = [
        _bundle(world, name, one, False) for one in sorted(versions, key=lambda v: v["version"])
    ]
    return _page(request, world, rows, f"/secrets/{name}/versions")


def _page(request: Request, world: World, rows: list[Any], path: str) -> Response:
    size = min(int(request.query_params.get("maxresults", PAGE)), PAGE)
    start = int(request.query_params.get("$skiptoken", 0))
    version = request.query_params["api-version"]
    more = start + size < len(rows)
    link = f"{world.origin}{path}?api-version={version}&$skiptoken={start + size}&maxresults={size}"
    return answer({"value": rows[start : start + size], "nextLink": link if more else None})


async def delete_secret(request: Request) -> Response:
    world, name = _allowed(request), request.path_params["name"]
    secret = _secret(world, name)
    stamp = int(time.time())
    world.vault.put(name, {**secret, "deleted": stamp})
    body = _bundle(world, name, secret["versions"][-1], False)
    body |= {
        "recoveryId": f"{world.origin}/deletedsecrets/{name}",
        "deletedDate": stamp,
        "scheduledPurgeDate": stamp + 90 * 86_400,
    }
    return answer(body)


async def deleted_secret(request: Request) -> Response:
    """GET reads, POST …/recover brings back, DELETE purges."""
    world, name = _allowed(request), request.path_params["name"]
    secret = world.vault.get(name)
    if secret is None or not secret["deleted"]:
        raise _missing(name)
    if request.method == "DELETE":
        world.vault.drop(name)
        return Response(status_code=204)
    if request.method == "POST":
        world.vault.put(name, {**secret, "deleted": None})
    body = _bundle(world, name, secret["versions"][-1], False)
    headers = {"x-ms-request-id": str(uuid.uuid4())}
    return answer({**body, "recoveryId": f"{world.origin}/deletedsecrets/{name}"}, headers=headers)
