"""Asking our own API within the process: the same views, keys, scopes and refusals, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import resolve

from tenants.models import ApiKey


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the header Authorization as it came, looked at again at every call.

    `is_counted`: the request that brought the call counts against the key's quota already.
    """

    authorization: str
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`key` is None if the header opened nothing."""

    status: int
    body: Any
    key: ApiKey | None


def ask(asker: Asker, address: str, query: Sequence[tuple[str, str]]) -> Answer:
    """GET an address of the API. Faults become the API's own answers and lines of the log."""
    request = HttpRequest()
    request.method, request.path, request.path_info = "GET", address, address
    request.GET = QueryDict(urlencode(query))
    request.META = {
        "HTTP_AUTHORIZATION": asker.authorization,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "0",
    }
    match = resolve(address)
    view = match.func.cls(is_counted=asker.is_counted)
    view.setup(request, **match.kwargs)

    def dispatched(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = view.dispatch(request, **match.kwargs)
        return response.render() if hasattr(response, "render") else response

    response = convert_exception_to_response(dispatched)(request)
    return Answer(response.status_code, orjson.loads(response.content), getattr(view, "key", None))
