"""Graph security/alerts_v2: list, get, update, comment, create; and the retired legacy list."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator import moments
from simulator.answers import graph_error
from simulator.directory import Directory
from simulator.graph import enums, gate
from simulator.graph.query import Listing, listed
from simulator.store import Document
from simulator.world import World

READ = ("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All")
WRITE = ("SecurityAlert.ReadWrite.All",)
LEGACY = ("SecurityEvents.Read.All", "SecurityEvents.ReadWrite.All")
COMMENT_TYPE = "#microsoft.graph.security.alertComment"

ALERTS = Listing(
    name="security/alerts_v2",
    type_name="microsoft.graph.security.alert",
    table=lambda directory: directory.alerts,
    order="createdDateTime",
    schema={
        "id": "string",
        "assignedTo": "string",
        "classification": "enum:" + ",".join(enums.CLASSIFICATION),
        "determination": "enum:" + ",".join(enums.DETERMINATION),
        "createdDateTime": "date",
        "lastUpdateDateTime": "date",
        "severity": "enum:" + ",".join(enums.SEVERITY),
        "serviceSource": "enum:" + ",".join(enums.SERVICE_SOURCE),
        "status": "enum:" + ",".join(enums.STATUS),
        "evidence": "collection",
    },
    options=frozenset(("$filter", "$top", "$skip", "$count")),
)
_ENUM_FIELDS = {
    "status": enums.STATUS,
    "classification": enums.CLASSIFICATION,
    "determination": enums.DETERMINATION,
}
_WRITABLE = {*_ENUM_FIELDS, "assignedTo", "customDetails"}


def shown(request: Request, alert: Document) -> Any:
    if enums.asks_for_all(request.headers.get("prefer", "")):
        return alert
    return enums.gated(alert)


def _found(request: Request, directory: Directory) -> Document:
    alert = directory.alerts.get(request.path_params["id"])
    if alert is None:
        raise gate.not_found(request, "Alert with the given id was not found.")
    return alert


async def list_alerts(request: Request) -> Response:
    directory = gate.enter(request, *READ)
    world: World = request.app.state.world
    if enums.asks_for_all(request.headers.get("prefer", "")):
        return listed(request, directory, ALERTS, None, world.settings["alerts_page"])
    return listed(request, directory, ALERTS, enums.gated, world.settings["alerts_page"])


async def get_alert(request: Request) -> Response:
    alert = _found(request, gate.enter(request, *READ))
    return gate.reply(request, _entity(request, shown(request, alert)))


def _entity(request: Request, row: Any) -> Any:
    origin = request.app.state.world.origin
    return {"@odata.context": f"{origin}/v1.0/$metadata#security/alerts_v2/$entity", **row}


async def update_alert(request: Request) -> Response:
    directory = gate.enter(request, *WRITE)
    alert = _found(request, directory)
    body = await gate.body_of(request)
    changes = _checked_changes(request, body)
    if changes.get("status") == "resolved" and alert.get("status") != "resolved":
        changes["resolvedDateTime"] = moments.stamp(moments.now())
    elif "status" in changes and changes["status"] != "resolved":
        changes["resolvedDateTime"] = None
    changed = {**alert, **changes, "lastUpdateDateTime": moments.stamp(moments.now())}
    directory.put_alerts([changed])
    return gate.reply(request, _entity(request, shown(request, changed)))


def _checked_changes(request: Request, body: Document) -> Document:
    changes: Document = {}
    for name, value in body.items():
        if name.startswith("@"):
            continue
        if name not in _WRITABLE:
            raise gate.bad(request, f"Property '{name}' is read-only and cannot be changed.")
        if name in _ENUM_FIELDS:
            known = enums.member(value, _ENUM_FIELDS[name])
            if known is None:
                text = (
                    f"Invalid value '{value}' for property '{name}' of type "
                    "microsoft.graph.security.alert."
                )
                raise gate.bad(request, text)
            value = known
        elif name == "assignedTo" and not isinstance(value, str | None):
            raise gate.bad(request, "Property 'assignedTo' must be a string.")
        elif name == "customDetails" and not _is_string_map(value):
            raise gate.bad(request, "Property 'customDetails' must be a dictionary of strings.")
        changes[name] = value
    if not changes:
        raise gate.bad(request, "No updatable property was given.")
    return changes


def _is_string_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def app_name(world: World, client_id: str) -> str:
    app = world.apps.get(client_id)
    return f"API-App:{app['name'] if app else client_id}"


async def comment_alert(request: Request) -> Response:
    directory = gate.enter(request, *WRITE)
    alert = _found(request, directory)
    comments = await appended_comment(request, alert)
    stamp = moments.stamp(moments.now())
    directory.put_alerts([{**alert, "comments": comments, "lastUpdateDateTime": stamp}])
    origin = request.app.state.world.origin
    context = f"{origin}/v1.0/$metadata#Collection(microsoft.graph.security.alertComment)"
    return gate.reply(request, {"@odata.context": context, "value": comments})


async def appended_comment(request: Request, document: Document) -> list[Document]:
    """The document's comments with the one sent at their end."""
    body = await gate.body_of(request)
    text = body.get("comment")
    if not isinstance(text, str) or not text.strip():
        raise gate.bad(request, "Property 'comment' is required and must not be empty.")
    if body.get("@odata.type", COMMENT_TYPE).lstrip("#") != COMMENT_TYPE.lstrip("#"):
        raise gate.bad(request, "The type of a comment is microsoft.graph.security.alertComment.")
    client_id = request.scope["state"]["caller"].client_id
    comment = {
        "@odata.type": COMMENT_TYPE,
        "comment": text,
        "createdByDisplayName": app_name(request.app.state.world, client_id),
        "createdDateTime": moments.stamp(moments.now()),
    }
    return [*(document.get("comments") or []), comment]


LEGACY_ALERTS = Listing(
    name="security/alerts",
    type_name="microsoft.graph.alert",
    table=lambda directory: directory.legacy_alerts,
    order="createdDateTime",
    schema={
        "id": "string",
        "severity": "string",
        "status": "string",
        "category": "string",
        "title": "string",
        "assignedTo": "string",
        "createdDateTime": "date",
        "eventDateTime": "date",
        "lastModifiedDateTime": "date",
        "vendorInformation/provider": "string",
        "vendorInformation/vendor": "string",
    },
    options=frozenset(("$filter", "$top", "$skip", "$count", "$orderby", "$select")),
)


async def list_legacy(request: Request) -> Response:
    """Retired on 2026-10-15; answers only where such documents were loaded."""
    directory = gate.enter(request, *LEGACY)
    if not directory.legacy_alerts:
        raise _retired(request)
    return listed(request, directory, LEGACY_ALERTS)


async def get_legacy(request: Request) -> Response:
    directory = gate.enter(request, *LEGACY)
    alert = directory.legacy_alerts.get(request.path_params["id"])
    if alert is None:
        raise _retired(request)
    return gate.reply(request, alert)


def _retired(request: Request) -> Exception:
    text = "The legacy alerts API is retired. Use security/alerts_v2 instead."
    return graph_error(request, 410, "Gone", text)


def new_id() -> str:
    return f"da{uuid.uuid4()}_1"
