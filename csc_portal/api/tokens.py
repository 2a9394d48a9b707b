"""Tokens of the provider's own directory: the second way in, for programs that Entra ID knows.

Two sides have to agree: the directory gives the program app roles, and an admin of the portal makes
a row for its application id. Without that row a genuine token opens nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings

from clients.errors import Rejected
from clients.microsoft.access_tokens import Wanted, application_of
from csc_portal.api.keys import find_application
from csc_portal.api.scopes import APP_ROLES
from csc_portal.own_directory import issuer_of, own_issuer
from tenants.models import ApiKey

LONGEST = 16_384


def audiences() -> list[str]:
    """What a token's `aud` may be; none: tokens are not taken."""
    if settings.OIDC_API_AUDIENCES:
        return list(settings.OIDC_API_AUDIENCES)
    client_id = settings.OIDC_CLIENT_ID
    return [client_id, f"api://{client_id}"] if client_id else []


def is_token(sent: str) -> bool:
    """Whether it has the form of one: three parts in base64."""
    return sent.count(".") == 2 and len(sent) <= LONGEST


def key_of_token(token: str, now: datetime) -> ApiKey:
    """The application's row, for as long and as far as the token goes.

    Raises Rejected, whose code says what is wrong; ApiError if the directory does not answer.
    """
    try:
        url, directory = own_issuer()
    except ValueError:
        raise Rejected("No directory is set up.", code="settings") from None
    wanted = Wanted(url, directory, audiences())
    found = application_of(token, wanted, issuer_of(url).key)
    key = find_application(found.client_id, now)
    if key is None:
        raise Rejected("The portal knows no such application.", code="application")
    scopes = {APP_ROLES[role].value for role in found.roles & APP_ROLES.keys()}
    key.narrowed_to = frozenset(scopes)
    key.expires_at = min(key.expires_at, datetime.fromtimestamp(found.until, UTC))
    return key
