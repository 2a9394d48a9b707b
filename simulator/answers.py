"""HTTP answers, and the exception that ends a request with one."""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from simulator import moments


class Answered(Exception):
    """Raised anywhere in a handler: `response` is sent."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def answer(
    body: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    kind: str = "application/json",
) -> Response:
    content = b"" if body is None else orjson.dumps(body)
    return Response(content, status, dict(headers or {}), media_type=kind if content else None)


async def json_body(request: Request) -> Any:
    """The parsed body, or ValueError when it is no JSON."""
    raw = await request.body()
    if not raw:
        return None
    return orjson.loads(raw)


def graph_error(
    request: Request,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    inner: Mapping[str, str] | None = None,
) -> Answered:
    """Graph's error envelope with its ids."""
    request_id = str(uuid.uuid4())
    detail = {
        **(inner or {}),
        "date": f"{moments.now():%Y-%m-%dT%H:%M:%S}",
        "request-id": request_id,
        "client-request-id": request.headers.get("client-request-id", request_id),
    }
    body = {"error": {"code": code, "message": message, "innerError": detail}}
    extra = {"request-id": request_id, **(headers or {})}
    return Answered(answer(body, status, extra))


def arm_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Answered:
    """Azure Resource Manager's error envelope."""
    return Answered(answer({"error": {"code": code, "message": message}}, status, headers))


def vault_error(
    status: int, code: str, message: str, inner: str = "", headers: Mapping[str, str] | None = None
) -> Answered:
    """Key Vault's error envelope."""
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return Answered(answer({"error": error}, status, headers))
