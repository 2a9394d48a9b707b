"""Who calls: a key in the header Authorization, and nothing else; no cookie counts here."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from csc_portal.api.keys import find_key, note_use
from tenants.models import ApiKey, User


class KeyAuthentication(BaseAuthentication):
    """`request.user` is the key's owner, `request.auth` the key. One answer for all that is wrong:
    whether a key was known, expired or revoked is nobody's business.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        kind, _, sent = request.headers.get("Authorization", "").partition(" ")
        now = timezone.now()
        key = find_key(sent.strip(), now) if kind.lower() == "bearer" else None
        if key is None:
            raise AuthenticationFailed
        note_use(key, now)
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="CSC Portal"'
