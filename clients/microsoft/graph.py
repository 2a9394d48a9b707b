"""Microsoft Graph: single calls, lists by page, and $batch.

Conventions: https://learn.microsoft.com/graph/use-the-api, /graph/json-batching, /graph/throttling
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from clients.errors import ApiError, BadPayload
from clients.http import Answer, Http, Policy
from clients.microsoft.batch import BatchRequest, Results, run_batch
from clients.microsoft.bearer import TokenHttp, Tokens
from clients.microsoft.clouds import CLOUDS
from clients.paging import MAX_PAGES, follow_pages

PUBLIC_SCOPE = CLOUDS["public"].graph_scope
_NEXT = "@odata.nextLink"


class Graph:
    """Microsoft Graph for one directory. `scope` is that of the cloud (Endpoints.graph_scope).

    `server_time`: what the server's clock said in its last answer; None if it never told.
    """

    def __init__(self, http: Http, tokens: Tokens, scope: str = PUBLIC_SCOPE) -> None:
        self.http = http
        self._tokens = tokens
        self._scope = scope
        self._calls = TokenHttp(http, tokens, scope)
        self.batch_is_refused = False
        self.server_time: datetime | None = None

    def with_policy(self, policy: Policy) -> "Graph":
        """The same directory and token, with other patience."""
        return Graph(self.http.with_policy(policy), self._tokens, self._scope)

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        version: str = "v1.0",
        family: str = "",
    ) -> dict[str, object]:
        """One object. `path` is relative to the version, such as /security/alerts_v2/{id}."""
        return _object(self.http, self._fetch(self.url(path, version), params, family))

    def pages(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        version: str = "v1.0",
        family: str = "",
        max_pages: int = MAX_PAGES,
    ) -> Iterator[list[object]]:
        """The `value` lists of a collection, page by page; see `follow_pages`."""
        first = self._fetch(self.url(path, version), params, family)
        return follow_pages(
            self.http,
            first,
            lambda link: self._fetch(link, None, family),
            link_field=_NEXT,
            max_pages=max_pages,
        )

    def more(
        self, page: Mapping[str, object], *, family: str, most_rows: int, most_pages: int
    ) -> dict[str, object]:
        """The page with the rows of those after it, until it has `most_rows` or so many pages were
        read. What is left has its link in the result. Raises BadPayload like `pages`.
        """
        rows, link = _rows(self.http, page), page.get(_NEXT)
        for _ in range(most_pages):
            if not isinstance(link, str) or len(rows) >= most_rows:
                break
            after = _object(self.http, self._fetch(self.http.same_host(link, _NEXT), None, family))
            rows, link = rows + _rows(self.http, after), after.get(_NEXT)
        return {**page, "value": rows, _NEXT: link}

    def patch(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        version: str = "v1.0",
        family: str = "",
    ) -> dict[str, object]:
        """Set fields; the answer may be empty. Repeated after faults: it sets the same again."""
        answer = self.send("PATCH", self.url(path, version), json=body, family=family, retry=True)
        return {} if answer.body is None else _object(self.http, answer.body)

    def post(
        self,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        version: str = "v1.0",
        family: str = "",
    ) -> dict[str, object]:
        """Create something; the answer may be empty. Never repeated."""
        answer = self.send("POST", self.url(path, version), json=body, family=family)
        return {} if answer.body is None else _object(self.http, answer.body)

    def delete(self, path: str, *, version: str = "v1.0", family: str = "") -> None:
        """Remove something; raises NotFound if it is gone."""
        self.send("DELETE", self.url(path, version), family=family)

    def batch(
        self, requests: Iterable[BatchRequest], *, version: str = "v1.0", family: str = ""
    ) -> Results:
        """Many reads at once: the object or the error for each, by its id; see `run_batch`."""
        return run_batch(self, requests, family=family, version=version)

    def batch_of_lists(
        self,
        requests: Iterable[BatchRequest],
        *,
        version: str = "v1.0",
        family: str,
        most_rows: int,
        most_pages: int,
    ) -> Results:
        """Like `batch`, and of a list that goes on some more pages, as `more` reads them: pages may
        be smaller than asked for. With `@odata.nextLink` it still is not all that there is.
        """
        found = self.batch(requests, version=version, family=family)
        for key, answer in found.items():
            if isinstance(answer, ApiError) or not answer.get(_NEXT):
                continue
            try:
                found[key] = self.more(
                    answer, family=family, most_rows=most_rows, most_pages=most_pages
                )
            except ApiError as err:
                # Our own limit: to begin anew would come no further, so the page is left as it is.
                found[key] = answer if err.code == "throttled_here" else err
        return found

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        family: str = "",
        cost: int = 1,
        retry: bool | None = None,
    ) -> Answer:
        """Any call, with Graph's headers; the methods above are easier."""
        headers = {
            # Without it newer enum members arrive as unknownFutureValue.
            "Prefer": "include-unknown-enum-members",
            "client-request-id": str(uuid.uuid4()),
        }
        answer = self._calls.call(
            method,
            url,
            params=params,
            json=json,
            headers=headers,
            family=family,
            cost=cost,
            retry=retry,
        )
        self.server_time = _date(answer.headers) or self.server_time
        return answer

    def forget_token(self) -> None:
        """Use another token from now on."""
        self._calls.forget_token()

    def url(self, path: str, version: str) -> str:
        """The path below the server for a path below a version."""
        return f"/{version}/{path.lstrip('/')}"

    def _fetch(self, url: str, params: Mapping[str, str] | None, family: str) -> object:
        return self.send("GET", url, params=params, family=family).body


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _object(http: Http, body: object) -> dict[str, object]:
    if not isinstance(body, dict):
        raise BadPayload(f"{http.name}: the answer is no JSON object.")
    return body


def _rows(http: Http, page: Mapping[str, object]) -> list[object]:
    rows = page.get("value")
    if not isinstance(rows, list):
        raise BadPayload(f"{http.name}: the field value is missing or no list.")
    return rows
