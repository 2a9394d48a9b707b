"""Public files by conditional requests: a file that has not changed is not sent again."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from clients.errors import ApiError, Rejected
from clients.failures import Failure, describe
from clients.http import Http, Policy

MOST_REDIRECTS = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Download:
    """What came. `body` None: it is as it was. `url`: where it was found in the end."""

    body: bytes | None
    url: str
    etag: str = ""
    last_modified: str = ""
    content_type: str = ""


class _Elsewhere(ApiError):
    """No fault: 304 or a redirect; an error only to Http, which follows none."""

    def __init__(self, failure: Failure) -> None:
        super().__init__("Not here.", status=failure.status)
        self.location = failure.headers.get("Location", "")


def _read_error(failure: Failure) -> ApiError:
    if failure.status == 304 or failure.status in _REDIRECTS:
        return _Elsewhere(failure)
    return describe(failure)


def download(
    url: str,
    *,
    name: str,
    max_bytes: int,
    etag: str = "",
    last_modified: str = "",
    private_networks_allowed: tuple[str, ...] | None = None,
) -> Download:
    """Fetch `url` unless it still has the `etag` or `last_modified` of last time.

    No credentials are sent, so redirects are followed; each is checked like the first address.
    `private_networks_allowed`: see Http. Raises ApiError.
    """
    headers = {"Accept": "*/*"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    policy = Policy(read_s=20, deadline_s=60, attempts=2, max_bytes=max_bytes)
    for _ in range(MOST_REDIRECTS + 1):
        http = Http(
            _origin(url),
            name=name,
            policy=policy,
            private_networks_allowed=private_networks_allowed,
            read_error=_read_error,
        )
        try:
            answer = http.request("GET", url, headers=headers, raw=True)
        except _Elsewhere as err:
            if err.status == 304:
                return Download(None, url, etag, last_modified)
            url = _next(url, err.location, name)
            continue
        if not isinstance(answer.body, bytes):
            raise Rejected(f"{name}: nothing came.")
        return Download(
            answer.body,
            url,
            _told(answer.headers.get("ETag", ""), 200),
            _told(answer.headers.get("Last-Modified", ""), 60),
            answer.headers.get("Content-Type", "")[:100],
        )
    raise Rejected(f"{name}: the address leads on and on.")


def _origin(url: str) -> str:
    """What the guard looks at: public files may have a query, which it would refuse."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _told(value: str, length: int) -> str:
    """A header that is stored and sent back; "" for one that is not fit for it."""
    return value if len(value) <= length and value.isascii() and value.isprintable() else ""


def _next(url: str, location: str, name: str) -> str:
    try:
        found = urljoin(url, location)
    except ValueError:
        found = ""
    if not location or not found.startswith("https://"):
        raise Rejected(f"{name}: it leads to an address that is not https.")
    return found
