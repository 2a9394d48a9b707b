"""What all endpoints share: who may still post, the keys, and noting hints in Redis."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable, Mapping

import redis
from django.http import HttpRequest, HttpResponse

from csc_portal.hints import Hint, hints
from csc_portal.ingress.bodies import MOST_BYTES, MOST_BYTES_SUSPECT, Refused
from csc_portal.ingress.bounds import plain
from csc_portal.ingress.keys import Keys, KeysAway
from csc_portal.ingress.strangers import Strangers, address_of

logger = logging.getLogger(__name__)

KEYS = Keys()
STRANGERS = Strangers()
AWAY_S = 5


class Visit:
    """One post: how much of it is read, and the answer if it turns out to prove nothing.

    An address that posted too much without proof is not shut out, for it may be a proxy's: its
    posts are read up to a smaller size, and answered 429 unless they are proven.
    """

    def __init__(self, request: HttpRequest) -> None:
        if request.method != "POST":
            raise Refused(405, "Only POST.")
        self._address = address_of(request)
        self._wait_s = STRANGERS.wait_s(self._address)
        self.most_bytes = MOST_BYTES_SUSPECT if self._wait_s else MOST_BYTES

    def refuse(self, err: Refused) -> HttpResponse:
        """For what can't be read at all."""
        return self.unproven(plain(err.reason, err.status))

    def unproven(self, answer: HttpResponse) -> HttpResponse:
        """Count the stranger; `answer`, or 429 if there were too many."""
        STRANGERS.count(self._address)
        _tell_of_strangers()
        if self._wait_s:
            return plain("Too many posts.", 429, self._wait_s)
        return answer


def note(lane: str, found: Mapping[uuid.UUID, Iterable[Hint]]) -> HttpResponse:
    """202 once everything is noted; 503 if it can't be, so that the sender tries again."""
    try:
        for subject, some in found.items():
            hints(lane).note(subject, some)
    except redis.RedisError as err:
        logger.error("hints can't be noted kind=%s", type(err).__name__)
        return away()
    return plain("", 202)


def away() -> HttpResponse:
    return plain("Try again later.", 503, AWAY_S)


def keys() -> tuple[bytes, ...]:
    """Raises Refused (503) if the vault could not be reached yet."""
    try:
        return KEYS.get()
    except KeysAway as err:
        raise Refused(503, "Try again later.") from err


_told = {"at": 0.0, "count": 0}
_tell = threading.Lock()


def _tell_of_strangers() -> None:
    """One line every ten seconds at most, with a count and nothing that a stranger chose."""
    with _tell:
        _told["count"] += 1
        if time.monotonic() - _told["at"] >= 10:
            logger.warning("posts without proof count=%d", _told["count"])
            _told.update(at=time.monotonic(), count=0)
