"""Graph subscriptions: create with handshake, list, get, renew, delete, reauthorize."""

import asyncio
import re
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from starlette.requests import Request
from starlette.responses import Response

from simulator import moments
from simulator.answers import graph_error
from simulator.directory import Directory
from simulator.graph import gate
from simulator.store import Document
from simulator.world import World

QUOTA = 100
HANDSHAKE_S = 10
CHANGE_TYPES = {"created", "updated", "deleted"}
# (pattern of the resource, most minutes, roles that allow it, only when push is switched on)
SUPPORTED = (
    (r"users(/[^/?]+)?$", 41_760, ("User.Read.All", "Directory.Read.All"), False),
    (
        r"groups(/[^/?]+(/members|/owners)?)?$",
        41_760,
        ("GroupMember.Read.All", "Directory.Read.All"),
        False,
    ),
    (
        r"security/alerts_v2(/[^/?]+|\?.*)?$",
        43_200,
        ("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All"),
        True,
    ),
    (
        r"security/incidents(/[^/?]+|\?.*)?$",
        43_200,
        ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"),
        True,
    ),
)


def plain(resource: str) -> str:
    """A resource without leading slash and version."""
    text = resource.lstrip("/")
    for version in ("v1.0/", "beta/"):
        text = text.removeprefix(version)
    return text


def _rule(request: Request, resource: str) -> tuple[int, tuple[str, ...]]:
    """(most minutes, roles) of a resource, or the service's refusal."""
    push = request.app.state.world.settings["push_alerts"]
    for pattern, minutes, roles, needs_push in SUPPORTED:
        if re.match(pattern, plain(resource), re.IGNORECASE) and (push or not needs_push):
            return minutes, roles
    text = (
        "Operation: Create; Exception: [Status Code: BadRequest; Reason: Resource "
        f"'{plain(resource)}' is not supported for change notifications.]"
    )
    raise graph_error(request, 400, "ExtensionError", text)


def _expiry(request: Request, body: Document, minutes: int) -> str:
    text = body.get("expirationDateTime")
    try:
        end = moments.from_stamp(str(text))
    except ValueError:
        raise gate.bad(
            request, "Property 'expirationDateTime' must be a date and time in UTC."
        ) from None
    now = moments.now()
    if end <= now:
        raise graph_error(
            request, 400, "InvalidRequest", "Subscription expiration must be in the future."
        )
    if end > now + timedelta(minutes=minutes):
        text = f"Subscription expiration can only be {minutes} minutes in the future."
        raise graph_error(request, 400, "InvalidRequest", text)
    return moments.stamp(end)


def live(directory: Directory) -> list[Document]:
    """Subscriptions that are not over; the others go."""
    now: datetime = moments.now()
    for key, row in list(directory.subscriptions.items()):
        if moments.from_stamp(row["expirationDateTime"]) <= now:
            directory.subscriptions.drop(key)
    return list(directory.subscriptions.values())


async def collection(request: Request) -> Response:
    if request.method == "POST":
        return await _create(request)
    directory = gate.enter(request)
    mine = request.scope["state"]["caller"].client_id
    rows = [_shown(row) for row in live(directory) if row["applicationId"] == mine]
    origin = request.app.state.world.origin
    return gate.reply(
        request, {"@odata.context": f"{origin}/v1.0/$metadata#subscriptions", "value": rows}
    )


async def _create(request: Request) -> Response:
    directory = gate.enter(request)
    body = await gate.body_of(request)
    for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise graph_error(request, 400, "InvalidRequest", f"Property '{name}' is required.")
    minutes, roles = _rule(request, body["resource"])
    directory = gate.enter(request, *roles)
    changes = {part.strip() for part in body["changeType"].split(",")}
    if not changes <= CHANGE_TYPES:
        raise graph_error(request, 400, "InvalidRequest", "Invalid 'changeType'.")
    if len(body.get("clientState") or "") > 128:
        raise graph_error(
            request, 400, "InvalidRequest", "'clientState' is longer than 128 characters."
        )
    expiry = _expiry(request, body, minutes)
    client_id = request.scope["state"]["caller"].client_id
    _refuse_double(request, directory, client_id, body)
    for name in ("notificationUrl", "lifecycleNotificationUrl"):
        if body.get(name):
            await _shake_hands(request, body[name])
    row = {
        "id": str(uuid.uuid4()),
        "resource": body["resource"],
        "applicationId": client_id,
        "changeType": body["changeType"],
        "clientState": body.get("clientState"),
        "notificationUrl": body["notificationUrl"],
        "notificationQueryOptions": body.get("notificationQueryOptions"),
        "lifecycleNotificationUrl": body.get("lifecycleNotificationUrl"),
        "expirationDateTime": expiry,
        "creatorId": str(uuid.uuid5(uuid.NAMESPACE_OID, directory.guid + client_id)),
        "includeResourceData": None,
        "latestSupportedTlsVersion": body.get("latestSupportedTlsVersion") or "v1_2",
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }
    directory.subscriptions.put(row["id"], row)
    origin = request.app.state.world.origin
    context = {"@odata.context": f"{origin}/v1.0/$metadata#subscriptions/$entity"}
    return gate.reply(request, {**context, **row}, 201)


def _refuse_double(request: Request, directory: Directory, client_id: str, body: Document) -> None:
    mine = [row for row in live(directory) if row["applicationId"] == client_id]
    for row in mine:
        same_changes = set(row["changeType"].split(",")) == set(body["changeType"].split(","))
        if same_changes and plain(row["resource"]).lower() == plain(body["resource"]).lower():
            text = f"Subscription Id {row['id']} already exists for the requested combination"
            raise graph_error(request, 409, "Conflict", text)
    if len(mine) >= QUOTA:
        text = (
            "Number of subscriptions for application in this tenant has reached the limit of "
            f"{QUOTA}."
        )
        raise graph_error(request, 403, "Forbidden", text)


async def _shake_hands(request: Request, url: str) -> None:
    """The validation request; any answer but 200 text/plain with the token refuses the create."""
    parts = urlsplit(url)
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise graph_error(request, 400, "InvalidRequest", "NotificationUrl must be an https URL.")
    token = (
        "Validation: Testing client application reachability for subscription Request-Id: "
        f"{uuid.uuid4()} & <{secrets.token_hex(4)}>"
    )
    joint = "&" if parts.query else "?"
    world: World = request.app.state.world
    target = f"{url}{joint}validationToken={quote(token, safe='')}"
    try:
        found = await asyncio.to_thread(_ask, world, target)
    except requests.RequestException as err:
        reason = f"The request failed: {type(err).__name__}."
    else:
        kind = found.headers.get("content-type", "").partition(";")[0]
        if found.status_code == 200 and kind == "text/plain" and found.text == token:
            return
        reason = (
            "Notification endpoint must respond with 200 OK to validation request; it gave "
            f"{found.status_code}."
        )
    text = f"Subscription validation request failed. {reason}"
    raise graph_error(request, 400, "ValidationError", text)


def _ask(world: World, url: str) -> requests.Response:
    return requests.post(
        url,
        headers={"Content-Type": "text/plain; charset=utf-8"},
        timeout=HANDSHAKE_S,
        verify=str(world.state / "ca.pem"),
        allow_redirects=False,
    )


def _shown(row: Document) -> Any:
    return {key: value for key, value in row.items() if not key.startswith("_")}


async def single(request: Request) -> Response:
    """GET, PATCH (expirationDateTime, notificationUrl) and DELETE of one subscription."""
    directory = gate.enter(request)
    live(directory)
    row = directory.subscriptions.get(request.path_params["id"])
    if row is None or row["applicationId"] != request.scope["state"]["caller"].client_id:
        raise gate.not_found(request, "The object was not found.")
    if request.method == "DELETE":
        directory.subscriptions.drop(row["id"])
        return Response(status_code=204)
    if request.method == "PATCH":
        body = await gate.body_of(request)
        minutes, _ = _rule(request, row["resource"])
        changes = {}
        if "expirationDateTime" in body:
            changes["expirationDateTime"] = _expiry(request, body, minutes)
        if "notificationUrl" in body:
            await _shake_hands(request, body["notificationUrl"])
            changes["notificationUrl"] = body["notificationUrl"]
        if not changes:
            raise graph_error(
                request,
                400,
                "InvalidRequest",
                "Only expirationDateTime and notificationUrl can be changed.",
            )
        row = directory.subscriptions.put(row["id"], {**row, **changes})
    return gate.reply(request, _shown(row))


async def reauthorize(request: Request) -> Response:
    directory = gate.enter(request)
    if request.path_params["id"] not in directory.subscriptions:
        raise gate.not_found(request, "The object was not found.")
    return Response(status_code=204)
