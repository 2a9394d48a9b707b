"""Azure Resource Graph: tables of resources, their containers and changes, queried and paged."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator import kusto
from simulator.answers import arm_error, json_body
from simulator.arm import enter, groups_of, readable, reply
from simulator.directory import Directory
from simulator.store import Document
from simulator.traffic import ARM_LIMITS
from simulator.world import World

_LEFT_OUT = ("createdTime", "changedTime", "provisioningState")
MOST_SUBSCRIPTIONS = 1000


class _Kept:
    """The last table and the last answer of each directory, so that the next page is cheap."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Any, list[Document]]] = {}
        self._tables: dict[tuple[str, str], tuple[Any, dict[str, list[Document]]]] = {}

    def rows(self, directory: Directory, query: str, scope: set[str]) -> list[Document]:
        key = (query, frozenset(scope), directory.azure_version)
        kept = self._found.get(directory.guid)
        if kept is None or kept[0] != key:
            kept = (key, kusto.run(query, self._table(directory, query, scope)))
            self._found[directory.guid] = kept
        return kept[1]

    def _table(
        self, directory: Directory, query: str, scope: set[str]
    ) -> dict[str, list[Document]]:
        name = query.split("|")[0].strip().lower()
        key = (frozenset(scope), directory.azure_version)
        kept = self._tables.get((directory.guid, name))
        if kept is None or kept[0] != key:
            kept = (key, _tables(directory, scope, name))
            self._tables[directory.guid, name] = kept
        return kept[1]


_KEPT = _Kept()


async def resource_graph(request: Request) -> Response:
    """POST /providers/Microsoft.ResourceGraph/resources"""
    directory = enter(request)
    body = await json_body(request)
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise arm_error(
            400,
            "BadRequest",
            "Please provide below info when asking for support: query is missing.",
        )
    wanted = {str(one).lower() for one in body.get("subscriptions") or []}
    known = {row["subscriptionId"] for row in readable(directory)}
    if wanted and not wanted & known:
        raise arm_error(403, "AccessDenied", "Access is denied to the requested resource.")
    if len(wanted) > MOST_SUBSCRIPTIONS:
        raise arm_error(400, "BadRequest", "Too many subscriptions.")
    try:
        found = _KEPT.rows(directory, body["query"], wanted & known or known)
    except kusto.BadQuery as err:
        raise arm_error(
            400, "InvalidQuery", f"Query is invalid. Please refer to the documentation: {err}"
        ) from None
    return reply(_page(found, body.get("options") or {}), **_quota(request))


def _page(found: list[Document], options: Document) -> Document:
    size = min(int(options.get("$top") or 100), 1000)
    token = str(options.get("$skipToken") or options.get("$skip") or "0")
    start = int(token) if token.isdecimal() else 0
    page = found[start : start + size]
    more = start + size < len(found) and all("id" in row for row in page)
    result: Document = {
        "totalRecords": len(found),
        "count": len(page),
        "data": page,
        "facets": [],
        "resultTruncated": "true" if start + size < len(found) and not more else "false",
    }
    if more:
        result["$skipToken"] = str(start + size)
    return result


def _quota(request: Request) -> dict[str, str]:
    world: World = request.app.state.world
    left = ARM_LIMITS["resourceGraph"].count - 1
    if world.settings["graph_limits"]:
        left = world.traffic.left(request.scope["state"]["caller"], ARM_LIMITS)
    return {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": "00:00:05"}


def _tables(directory: Directory, scope: set[str], name: str) -> dict[str, list[Document]]:
    """Only the table that the query begins with is put together."""
    makers = {
        "resources": _resources,
        "resourcecontainers": _containers,
        "resourcechanges": _changes,
    }
    return {name: makers[name](directory, scope)} if name in makers else {}


def _resources(directory: Directory, scope: set[str]) -> list[Document]:
    rows = directory.resources.items()
    return [_graph_row(directory, row) for key, row in rows if key.split("/", 3)[2] in scope]


def _graph_row(directory: Directory, row: Document) -> Document:
    parts = row["id"].split("/")
    properties = {"provisioningState": row.get("provisioningState", "Succeeded")}
    return {
        **{key: value for key, value in row.items() if key not in _LEFT_OUT},
        "type": row["type"].lower(),
        "tenantId": directory.guid,
        "subscriptionId": parts[2],
        "resourceGroup": parts[4].lower(),
        "properties": {**properties, **(row.get("properties") or {})},
        "tags": row.get("tags"),
    }


def _containers(directory: Directory, scope: set[str]) -> list[Document]:
    subscriptions = [
        {
            "id": row["id"],
            "name": row["displayName"],
            "type": "microsoft.resources/subscriptions",
            "subscriptionId": row["subscriptionId"],
            "tenantId": directory.guid,
            "tags": row.get("tags"),
            "properties": {"state": row["state"]},
        }
        for row in readable(directory)
        if row["subscriptionId"] in scope
    ]
    groups = [
        {
            "id": row["id"],
            "name": row["name"],
            "type": "microsoft.resources/subscriptions/resourcegroups",
            "subscriptionId": one,
            "tenantId": directory.guid,
            "tags": row.get("tags"),
            "properties": row.get("properties") or {},
        }
        for one in sorted(scope)
        for row in groups_of(directory, one)
    ]
    return [*subscriptions, *groups]


def _changes(directory: Directory, scope: set[str]) -> list[Document]:
    return [row for row in directory.azure_changes.values() if row["subscriptionId"] in scope]
