"""What a fault makes of an answer."""

from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import Scope

from simulator import moments
from simulator.faults import Fault

if TYPE_CHECKING:
    from simulator.world import World

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

CODES = {
    400: "BadRequest", 401: "InvalidAuthenticationToken", 403: "Forbidden", 404: "NotFound",
    409: "Conflict", 429: "TooManyRequests", 500: "InternalServerError", 502: "BadGateway",
    503: "ServiceUnavailable", 504: "GatewayTimeout",
}  # fmt: skip


def replaced(fault: Fault, scope: Scope) -> Answer:
    """The answer that stands in for the real one (kinds "status" and "garbage")."""
    if fault.kind == "garbage":
        page = b"<!doctype html><title>Our services aren't available right now</title>"
        return _answer(200, page, {"content-type": "text/html"})
    headers = {
        "content-type": "application/json",
        **{k.lower(): v for k, v in fault.headers.items()},
    }
    if fault.retry_after is not None:
        headers["retry-after"] = str(fault.retry_after)
    body = fault.body if fault.body is not None else _error_body(fault.status, scope)
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return _answer(fault.status, content, headers)


def _error_body(status: int, scope: Scope) -> Any:
    """The error shape of the service that was asked."""
    service = scope["state"]["caller"].service
    code = CODES.get(status, "UnknownError")
    date = f"{moments.now():%Y-%m-%dT%H:%M:%S}"
    if service == "entra":
        text = f"AADSTS90033: A transient error has occurred. Please try again. Timestamp: {date}"
        return {
            "error": "temporarily_unavailable",
            "error_description": text,
            "error_codes": [90033],
        }
    if service == "freshservice":
        if status == 429:
            return {"message": "You have exceeded the limit of requests per minute"}
        return {"code": code, "message": "An error has occurred."}
    if service == "vault":
        return {
            "error": {"code": "Throttled" if status == 429 else code, "message": "Request failed."}
        }
    inner = {
        "code": str(status),
        "date": date,
        "message": "Please retry after",
        "status": str(status),
    }
    return {"error": {"code": code, "message": "Please retry again later.", "innerError": inner}}


def twisted(fault: Fault, answer: Answer, world: "World") -> Answer:
    """A handled answer with its page changed (duplicate, malformed, stale, empty_page)."""
    status, headers, content = answer
    if status != 200 or fault.kind in {"delay", "truncate"}:
        return answer
    page = orjson.loads(content)
    rows = page.get("value")
    if not isinstance(rows, list):
        return answer
    if fault.kind == "duplicate":
        page["value"] = [row for row in rows for _ in range(2)]
    elif fault.kind == "empty_page":
        page["value"] = []
    elif fault.kind == "stale":
        page["value"] = [_previous(row, world) for row in rows]
    elif fault.kind == "malformed":
        page["value"] = [_malformed(row, place) for place, row in enumerate(rows)]
    kept = {key.decode(): value.decode() for key, value in headers}
    return _answer(status, orjson.dumps(page), kept)


def _previous(row: Any, world: "World") -> Any:
    for directory in world.directories.values():
        if row.get("id") in directory.previous and row.get("tenantId") == directory.guid:
            return directory.previous[row["id"]]
    return row


def _malformed(row: Any, place: int) -> Any:
    """Every second document is broken, each in another way."""
    broken: dict[int, Any] = {
        0: {key: value for key, value in row.items() if key != "id"},
        2: {**row, "lastUpdateDateTime": "not a date", "createdDateTime": None},
        4: {**row, "evidence": {"@odata.type": "#microsoft.graph.security.userEvidence"}},
        6: None,
        8: {**row, "id": 12345},
        10: "a string where an alert was promised",
        12: {**row, "title": None, "severity": 3, "mitreTechniques": "T1110"},
    }
    return broken.get(place, row)


def _answer(status: int, content: bytes, headers: dict[str, str]) -> Answer:
    kept = {key: value for key, value in headers.items() if key != "content-length"}
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in kept.items()]
    return status, [*raw, (b"content-length", str(len(content)).encode())], content
