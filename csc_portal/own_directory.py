"""The provider's own directory as an issuer of tokens: of people who sign in, and of programs."""

from __future__ import annotations

import uuid
from functools import lru_cache

from django.conf import settings

from clients.microsoft.issuer import Issuer
from tenants.directories import cloud


def issuer_url() -> str:
    """ "" without settings for it."""
    if settings.OIDC_ISSUER:
        return str(settings.OIDC_ISSUER)
    return f"{cloud().login}/{settings.OIDC_DIRECTORY}/v2.0" if settings.OIDC_DIRECTORY else ""


def own_issuer() -> tuple[str, uuid.UUID]:
    """(issuer, directory). Raises ValueError without usable settings."""
    url = issuer_url()
    try:
        return url, uuid.UUID(settings.OIDC_DIRECTORY or url.rstrip("/").split("/")[-2])
    except (ValueError, IndexError):
        raise ValueError("OIDC_DIRECTORY has to be the id (a GUID) of your directory.") from None


@lru_cache(maxsize=8)
def issuer_of(url: str) -> Issuer:
    """One for all who check tokens, so that its keys are read once."""
    return Issuer(url)
