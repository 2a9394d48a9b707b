"""From an HTTP answer that is no success to an ApiError whose text is safe to show and store."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from clients.errors import (
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)

# Vendor codes are words such as "TooManyRequests". Anything else might be a text with names in it.
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9\-]{1,64}")
_REQUEST_ID_HEADERS = ("request-id", "x-ms-request-id", "x-request-id")
_MAX_RETRY_AFTER_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer with a status outside 200-299; `body` is its parsed JSON or None."""

    service: str
    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def retry_after_s(self) -> float | None:
        """Seconds to stay away, as the Retry-After header says, None without a usable one."""
        return parse_retry_after(self.headers.get("Retry-After"), datetime.now(UTC))

    @property
    def request_id(self) -> str:
        """The vendor's own id of the request, for its support; "" if there is none."""
        inner = member(member(self.body, "error"), "innerError")
        candidates = [member(inner, "request-id"), member(self.body, "correlation_id")]
        candidates += [self.headers.get(name) for name in _REQUEST_ID_HEADERS]
        return next((str(c) for c in candidates if c and _REQUEST_ID.fullmatch(str(c))), "")


ErrorReader = Callable[[Failure], ApiError]


def member(value: object, name: str) -> object:
    """`value[name]` if value is a JSON object that has it, else None."""
    return value.get(name) if isinstance(value, dict) else None


def safe_code(value: object) -> str:
    """A vendor's code if it is a plain word or number, else ""."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _CODE.fullmatch(text) else ""


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds or an HTTP date, as RFC 9110 allows; None for anything else. At most a day."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return min(float(text), _MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # of a zone that is out of this world
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), _MAX_RETRY_AFTER_S)


_ADVICE = {
    400: "The request was refused.",
    401: "The credential was not accepted.",
    403: "A permission is missing.",
    404: "The object or the address is not there.",
    409: "The object is in another state.",
    413: "The request is too large.",
    429: "Too many calls; it will be tried again later.",
}


def error_class(status: int) -> type[ApiError]:
    """The class of error that stands for an HTTP status."""
    if status >= 500 or status in (408, 425):
        return Unavailable
    special: dict[int, type[ApiError]] = {
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        423: Conflict,
        429: RateLimited,
    }
    return special.get(status, Rejected)


def build_error(
    failure: Failure, *, code: str, advice: str = "", kind: type[ApiError] | None = None
) -> ApiError:
    """The error for a failure, with a vendor code and a sentence on what to do."""
    if not advice:
        fallback = (
            "The service has a fault; it will be tried again."
            if failure.status >= 500
            else "The request was refused."
        )
        if 300 <= failure.status < 400:
            fallback = "A redirect is not followed; check the address."
        advice = _ADVICE.get(failure.status, fallback)
    label = f"{failure.status} {code}".strip()
    return (kind or error_class(failure.status))(
        f"{failure.service} answered {label}. {advice}",
        status=failure.status,
        code=code,
        retry_after_s=failure.retry_after_s,
        request_id=failure.request_id,
    )


def describe(failure: Failure) -> ApiError:
    """The error reader for services without one of their own."""
    error = member(failure.body, "error")
    for candidate in (member(error, "code"), error, member(failure.body, "code")):
        if code := safe_code(candidate):
            return build_error(failure, code=code)
    return build_error(failure, code="")
