"""GET /groups/{id}/transitiveMembers: users, devices and groups, also those of groups within."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from simulator.directory import Directory
from simulator.graph import gate, people
from simulator.store import Document

DEFAULT_PAGE, LARGEST_PAGE = 100, 999
_OPTIONS = {"$select", "$top", "$skiptoken", "$count"}


async def transitive_members(request: Request) -> Response:
    """A member in a group's row is the id of a user or group, or a whole object (a device)."""
    directory = gate.enter(request, "GroupMember.Read.All", "Directory.Read.All", "Group.Read.All")
    group = directory.groups.get(request.path_params["id"])
    if group is None:
        raise gate.not_found(
            request,
            "Resource does not exist or one of its queried "
            "reference-property objects are not present.",
        )
    unknown = [name for name in request.query_params if name not in _OPTIONS]
    if unknown:
        raise gate.bad(request, f"Unsupported Query: {unknown[0]}")
    top = request.query_params.get("$top", str(DEFAULT_PAGE))
    if not top.isdecimal() or not 0 < int(top) <= LARGEST_PAGE:
        raise gate.bad(request, f"Invalid page size specified: '{top}'. Must be between 1 and 999.")
    start, size = _start(request), int(top)
    rows = list(_walk(request, directory, group, {group["id"]}))
    world = request.app.state.world
    version = "/" + request.url.path.lstrip("/").partition("/")[0]
    body: dict[str, Any] = {
        "@odata.context": f"{world.origin}{version}/$metadata#directoryObjects",
        "value": rows[start : start + size],
    }
    if start + size < len(rows):
        kept = {key: text for key, text in request.query_params.items() if key != "$skiptoken"}
        kept["$skiptoken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        query = "&".join(f"{key}={quote(text, safe='')}" for key, text in kept.items())
        body["@odata.nextLink"] = f"{world.origin}{request.url.path}?{query}"
    return gate.reply(request, body)


def _start(request: Request) -> int:
    token = request.query_params.get("$skiptoken")
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        raise gate.bad(request, "Skip token is invalid or expired.") from None


def _walk(
    request: Request, directory: Directory, group: Document, seen: set[str]
) -> Iterator[Document]:
    """Each object once, groups too, before what is in them."""
    for member in group["members"]:
        key = member if isinstance(member, str) else member["id"]
        if key in seen:
            continue
        seen.add(key)
        if isinstance(member, dict):
            yield _selected(request, member)
        elif key in directory.groups:
            inner = directory.groups[key]
            shown = {"id": key, "displayName": inner["displayName"]}
            yield _selected(request, {"@odata.type": "#microsoft.graph.group", **shown})
            yield from _walk(request, directory, inner, seen)
        elif key in directory.users:
            user = people.shown_user(request, directory.users[key])
            yield {"@odata.type": "#microsoft.graph.user", **user}


def _selected(request: Request, row: Document) -> Document:
    """Of other kinds than users; a property that a kind does not have is left out."""
    names = request.query_params.get("$select")
    if not names:
        return row
    wanted = {name.strip() for name in names.split(",")} | {"id", "@odata.type"}
    return {key: value for key, value in row.items() if key in wanted}
