"""`Idempotency-Key`: a POST that is sent again is not done again, for a day.

Kept in Redis: a keyed hash of what was asked for, and which object came of it; the answer itself is
made anew. While Redis is away such requests are refused: the promise could not be kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import orjson
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal.api.problems import FieldError, Problem, bad_fields
from csc_portal.hints import connect
from tenants.models import ApiKey

HEADER = "Idempotency-Key"
SHAPE = re.compile(r"[!-~]{1,100}", re.ASCII)
KEPT_S = 24 * 3600
RUNNING_S = 120
AWAY = "Idempotency keys can't be kept now. Try again, or send none."

Ref = dict[str, Any]


def once(
    request: Request, key: ApiKey, run: Callable[[], tuple[Response, Ref]],
    again: Callable[[Ref], Response],
) -> Response:  # fmt: skip
    """`run` does it and says what came of it; `again` answers once more. Raises Problem."""
    sent = request.headers.get(HEADER)
    if sent is None:
        return run()[0]
    if not SHAPE.fullmatch(sent):
        raise bad_fields(FieldError(HEADER, "1 to 100 visible characters."))
    name = f"csc:api:once:{key.pk}:{hashlib.sha256(sent.encode()).hexdigest()[:32]}"
    digest = _digest(request)
    before = _begin(name, digest)
    if before is not None:
        return _answered(before, digest, again)
    try:
        response, ref = run()
    except Problem:
        _forget(name)
        raise
    _keep(name, {"digest": digest, "ref": ref}, KEPT_S)
    return response


def nonce_of(request: Request, key: ApiKey) -> str:
    """The same for the same Idempotency-Key, which even a lost answer of others can't repeat."""
    sent = request.headers.get(HEADER, "")
    return salted_hmac("api nonce", f"{key.pk}\0{sent}", algorithm="sha256").hexdigest()[:24]


def _answered(before: Ref, digest: str, again: Callable[[Ref], Response]) -> Response:
    if before["digest"] != digest:
        raise Problem(422, "This Idempotency-Key was used for something else.")
    if before["ref"] is None:
        raise Problem(409, "The first request with this Idempotency-Key is still being done.")
    response = again(before["ref"])
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _digest(request: Request) -> str:
    """Keyed, because a body may hold a text that could be guessed."""
    said = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    whole = f"{request.method}\0{request.path}\0".encode() + said
    return salted_hmac("api once", whole, algorithm="sha256").hexdigest()


def _begin(name: str, digest: str) -> Ref | None:
    """None if nobody was first."""
    mine = orjson.dumps({"digest": digest, "ref": None})
    try:
        if connect().set(name, mine, nx=True, ex=RUNNING_S):
            return None
        found: Any = connect().get(name)
    except (RedisError, OSError):
        raise Problem(503, AWAY) from None
    return orjson.loads(found) if found else {"digest": digest, "ref": None}


def _keep(name: str, ref: Ref, keep_s: int) -> None:
    """Too late to refuse: without it, a repetition waits two minutes and is done again."""
    try:
        connect().set(name, orjson.dumps(ref), ex=keep_s)
    except (RedisError, OSError):
        return


def _forget(name: str) -> None:
    try:
        connect().delete(name)
    except (RedisError, OSError):
        return
