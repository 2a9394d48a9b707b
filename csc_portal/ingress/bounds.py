"""What holds for every answer of the ingress, and for its log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from csc_portal.ingress.bodies import Refused

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Bounds:
    """Refusals become plain answers; no answer can be taken for a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        for name, value in HEADERS.items():
            response[name] = value
        response["Content-Length"] = str(len(response.content))  # so that connections are kept
        return response

    def process_exception(self, request: HttpRequest, err: Exception) -> HttpResponse | None:
        if not isinstance(err, Refused):
            return None
        answer = plain(err.reason, err.status)
        if err.status == 405:
            answer["Allow"] = "POST"
        return answer


class OnlyFaults(logging.Filter):
    """Lets through what somebody has to mend: lines with a trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def plain(text: str, status: int = 200, retry_after_s: int = 0) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    if retry_after_s:
        response["Retry-After"] = str(retry_after_s)
    return response
