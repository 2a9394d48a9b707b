"""Who calls: a key or a token in the header Authorization, and nothing else; no cookie counts."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from clients.errors import ApiError, Rejected
from csc_portal.api.keys import find_key, note_use
from csc_portal.api.problems import BadToken, Problem
from csc_portal.api.tokens import is_token, key_of_token
from tenants.models import ApiKey, User

logger = logging.getLogger(__name__)


class KeyAuthentication(BaseAuthentication):
    """`request.user` is the key's owner, `request.auth` the key. One answer for all that is wrong
    with a key: whether it was known, expired or revoked is nobody's business. What is wrong with a
    token is told: whoever has one can read it anyway.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        key = opened_by(request.headers.get("Authorization", ""), timezone.now())
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="CSC Portal"'


def opened_by(header: str, now: datetime) -> ApiKey:
    """The key that a header `Authorization` opens; its use is noted.

    Raises AuthenticationFailed, or Problem if the directory that signs tokens does not answer.
    """
    kind, _, sent = header.partition(" ")
    sent = sent.strip()
    if kind.lower() != "bearer":
        raise AuthenticationFailed
    key = _by_token(sent, now) if is_token(sent) else find_key(sent, now)
    if key is None:
        raise AuthenticationFailed
    note_use(key, now)
    return key


def _by_token(token: str, now: datetime) -> ApiKey:
    try:
        return key_of_token(token, now)
    except Rejected as err:
        raise BadToken(err.code) from None
    except ApiError as err:
        logger.warning("tokens can't be checked kind=%s", type(err).__name__)
        raise Problem(503, "The directory that signs tokens does not answer.") from err
