"""Many reads or changes in one call by Graph's $batch. Each item is judged by itself.

https://learn.microsoft.com/graph/json-batching. Every item counts against the limits; a batch only
saves round trips.
"""

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from requests.structures import CaseInsensitiveDict

from clients.errors import ApiError, BadPayload, Unauthorized, Unavailable
from clients.failures import Failure, member
from clients.http import Answer, Http
from clients.microsoft.bearer import read_error

logger = logging.getLogger(__name__)

MAX_ITEMS = 20
_NO_BATCH = frozenset({400, 404, 405, 501})


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One read, or with a body one PATCH, which is asked again after faults: it sets the same.

    `url` is relative to the version and quoted, as /security/alerts_v2/{id}.
    """

    id: str
    url: str
    body: Mapping[str, object] | None = None


Results = dict[str, dict[str, object] | ApiError]


class Caller(Protocol):
    """What a batch needs of `clients.microsoft.graph.Graph`."""

    http: Http
    batch_is_refused: bool

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        version: str = "v1.0",
        family: str = "",
    ) -> dict[str, object]:
        """One object."""

    def patch(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        version: str = "v1.0",
        family: str = "",
    ) -> dict[str, object]:
        """Set fields of one object."""

    def send(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        family: str = "",
        cost: int = 1,
        retry: bool | None = None,
    ) -> Answer:
        """Any call."""

    def url(self, path: str, version: str) -> str:
        """The path below the server."""

    def forget_token(self) -> None:
        """Use another token from now on."""


def run_batch(
    graph: Caller, requests: Iterable[BatchRequest], *, family: str, version: str
) -> Results:
    """The object or the error for each request, by its id.

    Items that are throttled or hit a passing fault are asked again, without the others. A server
    without $batch is asked for one item after the other. Raises an ApiError only if nothing at all
    could be asked, as when there is no token; what was answered before our own limit is kept.
    """
    by_id = {request.id: request for request in requests}
    results: Results = {}
    size = _chunk_size(graph, family)
    todo = list(by_id.values())
    for start in range(0, len(todo), size):
        chunk = todo[start : start + size]
        ask = _one_by_one if graph.batch_is_refused else _chunk
        try:
            results.update(ask(graph, chunk, family, version))
        except ApiError as err:
            if not results:
                raise
            return results | dict.fromkeys((one.id for one in todo[start:]), err)
    return results


def _chunk_size(graph: Caller, family: str) -> int:
    burst = getattr(graph.http.governor, "burst", None)
    return min(MAX_ITEMS, burst(family)) if burst is not None and family else MAX_ITEMS


def _chunk(graph: Caller, chunk: Sequence[BatchRequest], family: str, version: str) -> Results:
    results: Results = {}
    left = list(chunk)
    token_renewed = False
    rounds = graph.http.policy.attempts
    for round_number in range(1, rounds + 1):
        try:
            results.update(_ask(graph, left, family, version))
        except ApiError as err:
            # Without a token nothing was asked, so nothing is known about $batch or the items.
            if err.status not in _NO_BATCH or err.code.startswith("AADSTS"):
                raise
            # A 400 may come from one bad item; the others say that there is no $batch here.
            graph.batch_is_refused = err.status != 400
            return {**results, **_one_by_one(graph, left, family, version)}
        errors = {r.id: e for r in left if isinstance(e := results[r.id], ApiError)}
        renew = not token_renewed and any(isinstance(e, Unauthorized) for e in errors.values())
        if renew:
            token_renewed = True
            graph.forget_token()
        left = [r for r in left if r.id in errors and _may_pass(errors[r.id], renew)]
        wait = _wait_s([errors[r.id] for r in left], round_number)
        governor = graph.http.governor
        # Also before it is given up: others, and the next items, have to stay away as well.
        if governor is not None and family and any(errors[r.id].status == 429 for r in left):
            governor.pause(graph.http.key, family, wait)
        if not left or round_number == rounds or wait > graph.http.policy.retry_after_cap_s:
            break
        logger.warning("batch items will be retried family=%s count=%d", family, len(left))
        graph.http.sleep(wait)
    return results


def _may_pass(err: ApiError, token_renewed: bool) -> bool:
    return err.retryable or (token_renewed and isinstance(err, Unauthorized))


def _wait_s(errors: Sequence[ApiError], round_number: int) -> float:
    faults = [err for err in errors if err.retryable]
    if not faults:
        return 0.0  # a new token needs no waiting
    asked = [err.retry_after_s for err in faults if err.retry_after_s is not None]
    backoff: float = 2.0 ** (round_number - 1) * random.uniform(0.5, 1.5)  # noqa: S311
    return max([*asked, backoff])


def _ask(graph: Caller, chunk: Sequence[BatchRequest], family: str, version: str) -> Results:
    body = {"requests": [_item(str(index), request) for index, request in enumerate(chunk)]}
    answer = graph.send(
        "POST",
        graph.url("/$batch", version),
        json=body,
        family=family,
        cost=len(chunk),
        retry=True,
    )
    items = member(answer.body, "responses")
    if not isinstance(items, list):
        raise BadPayload(f"{graph.http.name}: the field responses is missing or no list.")
    found = {str(member(item, "id")): item for item in items if isinstance(item, dict)}
    name = graph.http.name
    return {request.id: _judge(name, found.get(str(i))) for i, request in enumerate(chunk)}


def _item(name: str, request: BatchRequest) -> dict[str, object]:
    headers = {"Prefer": "include-unknown-enum-members"}
    item: dict[str, object] = {"id": name, "url": request.url}
    if request.body is None:
        return {**item, "method": "GET", "headers": headers}
    headers["Content-Type"] = "application/json"  # without it Graph refuses an item's body
    return {**item, "method": "PATCH", "headers": headers, "body": request.body}


def _judge(name: str, item: Mapping[str, object] | None) -> dict[str, object] | ApiError:
    if item is None:
        return Unavailable(f"{name}: the batch has no answer for this item.", code="missing")
    status, body, headers = item.get("status"), item.get("body"), item.get("headers")
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int):
        return BadPayload(f"{name}: the field responses.status is missing or no number.")
    if 200 <= status < 300:
        if isinstance(body, dict):
            return body
        if status == 204:
            return {}
        return BadPayload(f"{name}: the field responses.body is no object.")
    texts = {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
    return read_error(Failure(name, status, CaseInsensitiveDict(texts), body))


def _one_by_one(graph: Caller, chunk: Sequence[BatchRequest], family: str, version: str) -> Results:
    results: Results = {}
    for request in chunk:
        try:
            if request.body is None:
                results[request.id] = graph.get(request.url, version=version, family=family)
            else:
                results[request.id] = graph.patch(
                    request.url, request.body, version=version, family=family
                )
        except ApiError as err:
            results[request.id] = err
    return results
