"""Control calls that change a directory's data: alerts, other rows, stories, bulk."""

from typing import Any

from starlette.requests import Request

from simulator import moments
from simulator.directory import Directory
from simulator.store import Document, Table
from simulator.stories import posture
from simulator.world import World

TABLES = {
    "sign_ins": "id",
    "audits": "id",
    "users": "id",
    "incidents": "id",
    "risk_detections": "id",
    "risky_users": "id",
    "resources": "id",
    "resource_groups": "id",
    "weaknesses": "id",
    "device_weaknesses": "id",
    "azure": "subscriptionId",
    "azure_settings": "subscriptionId",
    "azure_changes": "name",
    "scores": "id",
    "profiles": "id",
    "groups": "id",
    "role_members": "id",
    "legacy_alerts": "id",
    "subscriptions": "id",
}

AZURE = frozenset({"resources", "resource_groups"})
"""Their ids are compared without case."""


def _find(request: Request, world: World) -> Directory:
    return world.find_directory(request.path_params["directory"])


async def _directories(request: Request, world: World, body: Any) -> Any:
    """POST {slug?, name?, domain?, populate?: true, stories?: false} adds a directory."""
    if request.method == "GET":
        return {"directories": [directory.config for directory in world.directories.values()]}
    order = {"populate": True, "stories": False, **(body or {})}
    directory = world.add_directory(
        order.get("slug", ""), order.get("name", ""), order.get("domain", "")
    )
    engine = request.app.state.engine
    request.app.state.delivery.listen(directory)
    if order["populate"]:
        engine.populate(directory, stories=order["stories"])
    engine.write_files()
    return next(one for one in world.tenants() if one["directory"] == directory.guid)


async def _alerts(request: Request, world: World, body: Any) -> Any:
    """POST one alert document or a list: stored as they are (an id is required)."""
    directory = _find(request, world)
    if request.method == "POST":
        documents = body if isinstance(body, list) else [body]
        for one in documents:
            if not isinstance(one, dict) or not isinstance(one.get("id"), str):
                raise ValueError("an alert needs an id")
        directory.put_alerts(documents)
        return {"stored": len(documents)}
    if request.method == "DELETE":
        for key in list(directory.alerts):
            directory.drop_alert(key)
    return {"alerts": list(directory.alerts.values())}


async def _alert(request: Request, world: World, body: Any) -> Any:
    """GET, PUT (replace), PATCH (merge; lastUpdateDateTime moves unless given), DELETE."""
    directory, key = _find(request, world), request.path_params["id"]
    if request.method == "PUT":
        directory.put_alerts([{**body, "id": key}])
    if request.method == "PATCH":
        stamp = {"lastUpdateDateTime": moments.stamp(moments.now())}
        directory.put_alerts([{**directory.alerts[key], **stamp, **body}])
    if request.method == "DELETE":
        if not directory.drop_alert(key):
            raise KeyError(key)
        return {}
    return directory.alerts[key]


async def _rows(request: Request, world: World, body: Any) -> Any:
    """Rows of another table: POST one or a list, DELETE ?id= (or all), GET."""
    directory, name = _find(request, world), request.path_params["table"]
    field = TABLES[name]
    table: Table = getattr(directory, name)
    if request.method == "POST":
        rows: list[Document] = body if isinstance(body, list) else [body]
        if name == "resources":
            for row in rows:
                known = row[field].lower() in table
                directory.note_azure_change(row[field], "Update" if known else "Create")
        table.put_many((row[field].lower() if name in AZURE else row[field], row) for row in rows)
        return {"stored": len(rows)}
    if request.method == "DELETE":
        wanted = request.query_params.get("id")
        for key in list(table) if wanted is None else [wanted]:
            gone = table.drop(key.lower() if name in AZURE else key)
            if gone is not None and name == "resources":
                directory.note_azure_change(gone[field], "Delete")
    return {name: list(table.values())}


async def _stories(request: Request, world: World, body: Any) -> Any:
    """POST {name?, at?, paced?}: tell a story now; all of it at once unless `paced`."""
    engine = request.app.state.engine
    if request.method == "GET":
        return {"stories": engine.names()}
    order = dict(body or {})
    at = moments.from_stamp(order["at"]) if order.get("at") else None
    directory = _find(request, world)
    return engine.tell(directory, order.get("name"), at, paced=bool(order.get("paced")))


async def _fill(request: Request, world: World, body: Any) -> Any:
    """POST {count, hours?, seed?}: that many stand-alone alerts spread over the past hours."""
    engine = request.app.state.engine
    order = {"hours": 48, "seed": 1, **body}
    return {
        "stored": engine.fill(
            _find(request, world), int(order["count"]), float(order["hours"]), int(order["seed"])
        )
    }


async def _fill_azure(request: Request, world: World, body: Any) -> Any:
    """POST {count, subscriptions?, seed?}: that many resources, spread over new subscriptions."""
    order = {"subscriptions": 10, "seed": 1, **body}
    directory = _find(request, world)
    spread, count = int(order["subscriptions"]), int(order["count"])
    return {"stored": posture.fill_azure(directory, count, spread, int(order["seed"]))}


def data_routes() -> list[tuple[Any, ...]]:
    """Arguments for control_api.route."""
    base = "directories/{directory}"
    return [
        ("directories", _directories, "GET", "POST"),
        (f"{base}/alerts", _alerts, "GET", "POST", "DELETE"),
        (f"{base}/alerts/{{id}}", _alert, "GET", "PUT", "PATCH", "DELETE"),
        (f"{base}/rows/{{table}}", _rows, "GET", "POST", "DELETE"),
        (f"{base}/stories", _stories, "GET", "POST"),
        (f"{base}/fill", _fill, "POST"),
        (f"{base}/fill-azure", _fill_azure, "POST"),
    ]
