"""Errors of the API, each in the one shape of RFC 9457: `application/problem+json`.

`type` says what kind of problem it is and does not change; `detail` is a sentence for people. No
answer repeats what was sent: it may name somebody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import server_error as page_of_error
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from csc_portal.access import CaseMoved

MEDIA_TYPE = "application/problem+json"
TITLES = {
    "bad-request": "The request makes no sense",
    "validation": "Some fields are wrong",
    "unauthorized": "No valid key or token",
    "not-found": "Not here",
    "method-not-allowed": "Not that method",
    "not-acceptable": "Only JSON is offered",
    "conflict": "Somebody was first",
    "precondition-failed": "The case has changed",
    "restart-sync": "Begin the copy anew",
    "merged": "Merged into another case",
    "too-large": "Too large",
    "unsupported-media-type": "Only JSON is understood",
    "refused": "That can't be done",
    "rate-limited": "Too many requests",
    "error": "A fault of the portal",
    "unavailable": "Not now",
}
KINDS: dict[int, str] = {
    400: "bad-request",
    401: "unauthorized",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    410: "restart-sync",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "refused",
    429: "rate-limited",
    500: "error",
    503: "unavailable",
}
NOT_HERE = "There is nothing here, or this key may not see it."
TOO_LARGE = "A body has at most 2 MB."


@dataclass(frozen=True, slots=True)
class FieldError:
    """`field` as in the query or the body, with dots and numbers for what lies within."""

    field: str
    detail: str


class Problem(exceptions.APIException):
    """Raised anywhere below a view. `status`: one of KINDS."""

    def __init__(
        self,
        status: int,
        detail: str,
        fields: tuple[FieldError, ...] = (),
        kind: str = "",
        **more: str,
    ) -> None:
        super().__init__(detail)
        self.status_code = status
        self.more = more
        self.kind = kind or KINDS[status]
        self.fields = fields


class BadToken(exceptions.AuthenticationFailed):
    """A token that was not accepted. `why`: one of TOKEN_PROBLEMS."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why if why in TOKEN_PROBLEMS else "invalid"


TOKEN_PROBLEMS = {
    "settings": "This portal takes no tokens.",
    "malformed": "The token can't be read.",
    "algorithm": "The token is not signed as Entra ID signs.",
    "signature": "The token's signature is wrong, or its key is unknown.",
    "audience": "The token is for another app.",
    "issuer": "The token comes from another directory.",
    "directory": "The token comes from another directory.",
    "time": "The token is out of date, or not valid yet.",
    "claim": "The token lacks a claim that is needed.",
    "person": "The token is a person's; people make a key, and programs ask for themselves.",
    "program": "The program did not prove itself by a secret or certificate.",
    "application": "The portal has no living row for this application.",
    "invalid": "The token was not accepted.",
}


def bad_fields(*fields: FieldError) -> Problem:
    return Problem(400, "Some fields are wrong; see errors.", fields, "validation")


def body_of(
    status: int, detail: str, fields: tuple[FieldError, ...] = (), kind: str = ""
) -> dict[str, Any]:
    kind = kind or KINDS[status]
    found: dict[str, Any] = {
        "type": f"urn:csc-portal:problem:{kind}",
        "title": TITLES[kind],
        "status": status,
        "detail": detail,
    }
    if fields:
        found["errors"] = [{"field": one.field, "detail": one.detail} for one in fields]
    return found


def answer(err: Exception, context: Mapping[str, Any]) -> Response | None:
    """What DRF makes of an exception; None for what nobody foresaw (see `server_error`)."""
    found = _problem(err)
    if found is None:
        return None
    set_rollback()
    headers: dict[str, str] = {}
    if found.status_code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="CSC Portal"'
    if isinstance(err, BadToken):
        headers["WWW-Authenticate"] += f', error="invalid_token", error_description="{err.why}"'
    if isinstance(err, exceptions.Throttled) and err.wait is not None:
        headers["Retry-After"] = str(max(1, int(err.wait)))
    elif found.status_code in (429, 503):
        headers["Retry-After"] = "5"
    return Response(
        {
            **body_of(found.status_code, str(found.detail), found.fields, found.kind),
            **found.more,
        },
        status=found.status_code,
        headers=headers,
        content_type=MEDIA_TYPE,
    )


def _problem(err: Exception) -> Problem | None:
    """Our own words for what Django and DRF raise: theirs may repeat what was sent."""
    if isinstance(err, Problem):
        return err
    if isinstance(err, CaseMoved):
        target = str(err.target)
        return Problem(410, "It was merged into another case.", kind="merged", merged_into=target)
    if isinstance(err, exceptions.ValidationError):
        return bad_fields(*_fields(err.detail))
    if isinstance(err, RequestDataTooBig):
        return Problem(413, TOO_LARGE)
    if isinstance(err, (SuspiciousOperation, exceptions.ParseError)):
        return Problem(400, "The body is no JSON object.")
    if isinstance(err, BadToken):
        return Problem(401, TOKEN_PROBLEMS[err.why])
    for kind, status, detail in _TOLD:
        if isinstance(err, kind):
            return Problem(status, detail)
    return None


_TOLD: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int, str], ...] = (
    ((Http404, exceptions.NotFound, exceptions.PermissionDenied), 404, NOT_HERE),
    (
        (exceptions.NotAuthenticated, exceptions.AuthenticationFailed),
        401,
        "Send a living key as 'Authorization: Bearer csc_...', or a token.",
    ),
    (exceptions.MethodNotAllowed, 405, "See the header Allow for what can be done here."),
    (exceptions.NotAcceptable, 406, "Ask for application/json."),
    (exceptions.UnsupportedMediaType, 415, "Send application/json."),
    (exceptions.Throttled, 429, "Wait as long as the header Retry-After says."),
)


def _fields(detail: Any, path: str = "") -> Iterator[FieldError]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _fields(inner, ".".join(filter(None, (path, own))))
    elif isinstance(detail, list) and any(isinstance(one, (dict, list)) for one in detail):
        for number, inner in enumerate(detail):
            if inner:
                yield from _fields(inner, f"{path}.{number}" if path else str(number))
    elif isinstance(detail, list):
        for one in detail:
            yield FieldError(path or "body", WORDS.get(one.code, "This value is not allowed."))
    else:
        yield FieldError(path or "body", WORDS.get(detail.code, "This value is not allowed."))


WORDS = {
    "required": "This field is needed.",
    "null": "This field may not be null.",
    "blank": "This field may not be empty.",
    "invalid": "This value has the wrong form.",
    "invalid_choice": "This is none of the values offered.",
    "max_length": "This value is too long.",
    "min_length": "This value is too short.",
    "max_value": "This value is too large.",
    "min_value": "This value is too small.",
    "not_a_list": "This field takes a list.",
    "empty": "This list may not be empty.",
    "unknown": "There is no such field.",
}
"""By the code of a DRF error, because its own texts repeat the value."""


def server_error(request: HttpRequest) -> HttpResponse:
    """What follows an exception that nobody foresaw: a page, or a problem below /api/."""
    if not request.path.startswith("/api/"):
        return page_of_error(request)
    body = body_of(500, "It was noted. Try again later.")
    return JsonResponse(body, status=500, content_type=MEDIA_TYPE)
