"""Parameters and errors that many endpoints share, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from csc_portal.api import shapes
from csc_portal.api.filtering import LONGEST, MOST_SOURCES, SINGLE
from csc_portal.api.pages import DEFAULT_LIMIT, MOST
from csc_portal.api.problems import KINDS, TITLES, body_of
from csc_portal.filters import ASSIGNEES, CHOICES, LONGEST_TEXT, USER_ID

ALWAYS = (401, 404, 405, 406, 429)
OF_POST = (400, 409, 413, 415, 422, 503)
_DETAIL = {
    400: "Some fields are wrong; see errors.",
    401: "Send a living key as 'Authorization: Bearer csc_...', or a token.",
    404: "There is nothing here, or this key may not see it.",
    410: "It was merged into another case.",
    412: "It is at another version than If-Match says. Read it again.",
    429: "Wait as long as the header Retry-After says.",
}
_TOLD = {
    "tenant": "Slug; may be repeated",
    "group": "Slug of a group of tenants; may be repeated",
    "source": "Product, as `source` of a case; may be repeated",
    "also": "All of these are touched; `pillar`: one of them",
    "assignee": "`me` is the key's owner",
    "q": f"Words of the title, at most {LONGEST_TEXT} characters",
    "entity": "Pseudonym of an entity that the case names",
    "since": "Last activity not before it",
    "until": "Last activity before it",
}


def _parameter(name: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, location="query", description=_TOLD.get(name, ""), **more)


TENANT = OpenApiParameter(
    "tenant", str, "query", many=True, description="Slug; may be repeated", explode=True
)
ONE_TENANT = OpenApiParameter(
    "tenant", str, "query", description="Slug; needed if the key has more than one"
)
SINCE = OpenApiParameter("since", OpenApiTypes.DATETIME, "query", description="Not before it")
UNTIL = OpenApiParameter("until", OpenApiTypes.DATETIME, "query", description="Before it")
PAGING = (
    OpenApiParameter("cursor", str, "query", description="`next` of the answer before"),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "query",
    ),
)
_TEXT = {"type": "string", "maxLength": LONGEST, "pattern": r"^[^\u0000]*$"}
_TEXTS = {"type": "array", "items": _TEXT}
FILTER = (
    *(_parameter(name, type=_TEXTS) for name in ("tenant", "group")),
    _parameter("source", type={**_TEXTS, "maxItems": MOST_SOURCES}),
    *(
        _parameter(name, type=str, enum=list(values), many=name not in SINGLE)
        for name, values in CHOICES.items()
        if name != "assignee"
    ),
    _parameter(
        "assignee", type={"type": "string", "pattern": f"^({'|'.join(ASSIGNEES)}|{USER_ID})$"}
    ),
    _parameter("q", type={**_TEXT, "maxLength": LONGEST_TEXT}),
    _parameter("entity", type=OpenApiTypes.UUID),
    *(_parameter(name, type=OpenApiTypes.DATETIME) for name in ("since", "until")),
)
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[!-~]+$"},
    "header",
    description="The same key within a day: not done again. With another body: 422.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, "header", description="ETag of the case; another version answers 412"
)


def errors(*statuses: int, post: bool = False) -> dict[Any, Any]:
    """Answers in problem+json: those that every endpoint has, and these."""
    found = sorted({*ALWAYS, *statuses, *(OF_POST if post else ())})
    return {(status, "application/problem+json"): _error(status) for status in found}


def _error(status: int) -> OpenApiResponse:
    title = TITLES[KINDS[status]]
    detail = _DETAIL.get(status, title + ".")
    example = OpenApiExample(
        KINDS[status], body_of(status, detail), response_only=True, status_codes=[str(status)]
    )
    return OpenApiResponse(shapes.Problem, title, [example])
