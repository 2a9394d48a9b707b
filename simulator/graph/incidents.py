"""Graph security/incidents: list, get, alerts of one, update, comment."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator import moments
from simulator.directory import Directory
from simulator.graph import alerts, enums, gate
from simulator.graph.query import Listing, listed
from simulator.store import Document

READ = ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All")
WRITE = ("SecurityIncident.ReadWrite.All",)

INCIDENTS = Listing(
    name="security/incidents",
    type_name="microsoft.graph.security.incident",
    table=lambda directory: directory.incidents,
    order="createdDateTime",
    schema={
        "assignedTo": "string",
        "classification": "enum:" + ",".join(enums.CLASSIFICATION),
        "determination": "enum:" + ",".join(enums.DETERMINATION),
        "createdDateTime": "date",
        "lastUpdateDateTime": "date",
        "severity": "enum:" + ",".join(enums.SEVERITY),
        "status": "enum:" + ",".join(enums.INCIDENT_STATUS),
    },
    options=frozenset(("$filter", "$top", "$skip", "$count", "$expand")),
    page=50,
    most=50,
    top_error="The query specified in the URI is not valid. The limit of '50' for Top query has"
    " been exceeded. The value from the incoming request is '{top}'.",
)
_ENUM_FIELDS = {
    "status": ("active", "resolved", "inProgress"),
    "classification": enums.CLASSIFICATION,
    "determination": enums.DETERMINATION,
    "severity": enums.SEVERITY,
}
_TEXT_FIELDS = {"assignedTo", "description", "displayName", "resolvingComment", "summary"}


def _expands(request: Request) -> bool:
    asked = request.query_params.get("$expand")
    if asked is None:
        return False
    if asked.partition("(")[0] != "alerts":
        raise gate.bad(
            request,
            f"Could not find a property named '{asked}' on type "
            "'microsoft.graph.security.incident'.",
        )
    return True


def alerts_of(directory: Directory, incident_id: str) -> list[Document]:
    return [row for row in directory.alerts.values() if row.get("incidentId") == incident_id]


def _shown(request: Request, directory: Directory, incident: Document, expand: bool) -> Any:
    row = dict(incident)
    if expand:
        row["alerts"] = alerts_of(directory, incident["id"])
    return row if enums.asks_for_all(request.headers.get("prefer", "")) else enums.gated(row)


async def list_incidents(request: Request) -> Response:
    directory = gate.enter(request, *READ)
    expand = _expands(request)
    return listed(
        request, directory, INCIDENTS, lambda row: _shown(request, directory, row, expand)
    )


def _found(request: Request, directory: Directory) -> Document:
    incident = directory.incidents.get(request.path_params["id"])
    if incident is None:
        raise gate.not_found(request, "Incident with the given id was not found.")
    return incident


def _entity(request: Request, row: Any) -> Any:
    origin = request.app.state.world.origin
    return {"@odata.context": f"{origin}/v1.0/$metadata#security/incidents/$entity", **row}


async def get_incident(request: Request) -> Response:
    directory = gate.enter(request, *READ)
    incident = _found(request, directory)
    shown = _shown(request, directory, incident, _expands(request))
    return gate.reply(request, _entity(request, shown))


async def incident_alerts(request: Request) -> Response:
    directory = gate.enter(request, *READ)
    incident = _found(request, directory)
    rows = [alerts.shown(request, row) for row in alerts_of(directory, incident["id"])]
    origin = request.app.state.world.origin
    context = f"{origin}/v1.0/$metadata#security/incidents('{incident['id']}')/alerts"
    return gate.reply(request, {"@odata.context": context, "value": rows})


async def update_incident(request: Request) -> Response:
    directory = gate.enter(request, *WRITE)
    incident = _found(request, directory)
    if incident["status"] == "redirected":
        raise gate.bad(request, "A redirected incident cannot be changed.")
    changes = _checked_changes(request, await gate.body_of(request))
    stamp = moments.stamp(moments.now())
    client_id = request.scope["state"]["caller"].client_id
    writer = alerts.app_name(request.app.state.world, client_id)
    changed = {**incident, **changes, "lastUpdateDateTime": stamp, "lastModifiedBy": writer}
    directory.incidents.put(incident["id"], changed)
    if changes.get("status") == "resolved":
        _resolve_alerts(directory, changed, stamp)
    return gate.reply(request, _entity(request, _shown(request, directory, changed, False)))


def _checked_changes(request: Request, body: Document) -> Document:
    changes: Document = {}
    for name, value in body.items():
        if name in _ENUM_FIELDS:
            known = enums.member(value, _ENUM_FIELDS[name])
            if known is None:
                text = (
                    f"Invalid value '{value}' for property '{name}' of type "
                    "microsoft.graph.security.incident."
                )
                raise gate.bad(request, text)
            changes[name] = known
        elif name in _TEXT_FIELDS and isinstance(value, str | None):
            changes[name] = value
        elif name == "customTags" and isinstance(value, list):
            changes[name] = [str(tag) for tag in value]
        elif not name.startswith("@"):
            raise gate.bad(request, f"Property '{name}' is read-only or has a wrong type.")
    if not changes:
        raise gate.bad(request, "No updatable property was given.")
    return changes


def _resolve_alerts(directory: Directory, incident: Document, stamp: str) -> None:
    """Resolving an incident resolves its alerts, with its classification."""
    taken = {key: incident[key] for key in ("classification", "determination") if incident.get(key)}
    open_alerts = [
        row for row in alerts_of(directory, incident["id"]) if row["status"] != "resolved"
    ]
    directory.put_alerts(
        {
            **row,
            **taken,
            "status": "resolved",
            "resolvedDateTime": stamp,
            "lastUpdateDateTime": stamp,
        }
        for row in open_alerts
    )


async def comment_incident(request: Request) -> Response:
    directory = gate.enter(request, *WRITE)
    incident = _found(request, directory)
    comments = await alerts.appended_comment(request, incident)
    stamp = moments.stamp(moments.now())
    directory.incidents.put(
        incident["id"], {**incident, "comments": comments, "lastUpdateDateTime": stamp}
    )
    return gate.reply(request, {"value": comments})
