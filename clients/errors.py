"""The one error tree of all API clients.

Messages are safe to show, log and store: they name the service, the HTTP status, the vendor's code
and what to do. They never hold the vendor's own text, a URL with its query, or a name, because
those tell of people and resources.
"""

from typing import ClassVar


class ApiError(Exception):
    """A remote call that did not give what it promised. Callers branch on the class, never on the
    text.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class Unauthorized(ApiError):
    """The credential or token was not accepted."""


class Forbidden(ApiError):
    """Known, but not allowed: a permission, role or licence is missing."""


class NotFound(ApiError):
    """The object is not there (any more)."""


class Conflict(ApiError):
    """The object is in another state than the call needs."""


class RateLimited(ApiError):
    """Too many calls. `retry_after_s` says how long to stay away, None if nobody knows."""

    retryable = True


class Unavailable(ApiError):
    """The service had a fault, could not be reached or was too slow; it may work later."""

    retryable = True


class BadPayload(ApiError):
    """The answer is not what the API promises; the message names the field."""


class Rejected(ApiError):
    """The request was refused for good: asking again with the same arguments will not help."""
