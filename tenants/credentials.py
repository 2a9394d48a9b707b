"""What can be known of a tenant's credential without using it."""

from __future__ import annotations

from datetime import datetime

from clients.errors import Rejected
from clients.microsoft.credentials import parse_credential
from tenants.secrets import vault


def credential_ends(secret_name: str) -> datetime | None:
    """The earlier of the vault's date and the certificate's; None if neither is told.

    Raises ApiError when the vault can't be read.
    """
    secret = vault().get(secret_name)
    try:
        of_certificate = parse_credential(secret.value).expires_at
    except Rejected:  # it is no credential; reading with it says so
        of_certificate = None
    return min(filter(None, (secret.expires_at, of_certificate)), default=None)
