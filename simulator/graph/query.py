"""The query options of a Graph list: $filter, $top, $skip, $count, $select, next links."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from simulator import moments, odata
from simulator.directory import Directory
from simulator.graph import gate
from simulator.store import Document, Table

Transform = Callable[[Document], Any]
_KNOWN = {
    "$filter",
    "$top",
    "$skip",
    "$count",
    "$skiptoken",
    "$select",
    "$expand",
    "$orderby",
    "$format",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """How one collection is listed. Rows come newest first by `order`."""

    name: str  # for @odata.context, such as "security/alerts_v2"
    type_name: str
    table: Callable[[Directory], Table]
    order: str  # field with a date
    schema: odata.Schema
    options: frozenset[str]  # documented ones; others are refused
    page: int = 100
    most: int = 1000
    top_error: str = ""  # the service's text for a $top above `most`; "" = silently capped


def listed(
    request: Request,
    directory: Directory,
    listing: Listing,
    transform: Transform | None = None,
    default_page: int = 0,
    visible: odata.Predicate | None = None,
) -> Response:
    """One page of a collection as Graph answers it; rows that are not `visible` don't exist."""
    asked = request.query_params
    _check_options(request, listing)
    top = _number(request, "$top", default_page or listing.page)
    if top > listing.most:
        if listing.top_error:
            raise gate.bad(request, listing.top_error.format(top=top))
        top = listing.most
    predicate = _both(visible, _predicate(request, listing))
    after, skip = _start(request)
    rows = directory.newest_first(listing.name, listing.table(directory), listing.order, after)
    page: list[Document] = []
    more = False
    for row in rows:
        if predicate is not None and not predicate(row):
            continue
        if skip:
            skip -= 1
            continue
        if len(page) == top:
            more = True
            break
        page.append(row)
    base = f"{request.app.state.world.origin}{_version(request)}"
    body: dict[str, Any] = {"@odata.context": f"{base}/$metadata#{listing.name}"}
    if asked.get("$count", "").lower() == "true":
        everything = directory.newest_first(listing.name, listing.table(directory), listing.order)
        body["@odata.count"] = sum(1 for row in everything if predicate is None or predicate(row))
    body["value"] = [_selected(request, transform(row) if transform else row) for row in page]
    if more and page:
        body["@odata.nextLink"] = _next_link(request, listing, page[-1], len(page))
    return gate.reply(request, body)


def _version(request: Request) -> str:
    return "/" + request.url.path.lstrip("/").partition("/")[0]


def _check_options(request: Request, listing: Listing) -> None:
    for name in request.query_params:
        if not name.startswith("$"):
            continue
        if name not in _KNOWN or (
            name not in listing.options and name not in {"$skiptoken", "$format"}
        ):
            raise gate.bad(
                request,
                f"Query option '{name}' is not allowed. To allow it, set the '{name[1:]}' "
                "property on EnableQueryAttribute or QueryValidationSettings.",
            )


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or (name == "$top" and int(text) == 0):
        raise gate.bad(
            request,
            f"Invalid value '{text}' for {name} query option found. The {name} query option "
            "requires a non-negative integer value.",
        )
    return int(text)


def _predicate(request: Request, listing: Listing) -> odata.Predicate | None:
    text = request.query_params.get("$filter")
    if text is None:
        return None
    try:
        return odata.parse(text, listing.schema, listing.type_name)
    except odata.BadFilter as err:
        raise gate.bad(request, f"Invalid filter clause: {err}") from None


def _both(one: odata.Predicate | None, other: odata.Predicate | None) -> odata.Predicate | None:
    if one is None or other is None:
        return one or other
    return lambda row: one(row) and other(row)


def _start(request: Request) -> tuple[tuple[int, str] | None, int]:
    """Where the page begins: behind (ticks, key) of the last row, after `skip` more rows."""
    skip = _number(request, "$skip", 0)
    token = request.query_params.get("$skiptoken")
    if token is None:
        return None, skip
    try:
        at, key = orjson.loads(base64.urlsafe_b64decode(token))
        return (int(at), str(key)), 0
    except (ValueError, TypeError, binascii.Error):
        raise gate.bad(request, "Skip token is invalid or expired.") from None


def _next_link(request: Request, listing: Listing, last: Mapping[str, Any], count: int) -> str:
    world = request.app.state.world
    kept = {k: v for k, v in request.query_params.items() if k not in {"$skiptoken", "$skip"}}
    if world.settings["paging"] == "skip":
        kept["$skip"] = str(_number(request, "$skip", 0) + count)
    else:
        place = [moments.ticks_or_zero(last.get(listing.order)), str(last["id"])]
        kept["$skiptoken"] = base64.urlsafe_b64encode(orjson.dumps(place)).decode()
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in kept.items())
    return f"{world.origin}{request.url.path}?{query}"


def _selected(request: Request, row: Any) -> Any:
    names = request.query_params.get("$select")
    if not names:
        return row
    wanted = {name.strip() for name in names.split(",")} | {"id"}
    return {key: value for key, value in row.items() if key in wanted}
