"""Secrets at run time: the one vault client of this process, and Django's own key read from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from clients.errors import ApiError
from clients.microsoft.vault import Secret, Vault

SECRET_KEY_NAME = "csc-django-secret-key"  # noqa: S105 - the secret's name


@cache
def vault() -> Vault:
    """Azure Key Vault, read by the managed identity. Raises ImproperlyConfigured without a URL."""
    if not settings.AZURE_KEY_VAULT_URL:
        raise ImproperlyConfigured("Set AZURE_KEY_VAULT_URL: every secret is read from Key Vault.")
    return Vault(settings.AZURE_KEY_VAULT_URL)


def versions_of(name: str) -> list[Secret]:
    """A secret's enabled versions, oldest first. A vault that does not list them has its newest."""
    try:
        versions = vault().versions(name)
    except ApiError as err:
        if err.retryable:
            raise
        versions = []
    return versions or [vault().get(name)]


class SecretKey:
    """Django's SECRET_KEY. Django makes it text at each use, so a rotated one serves at once."""

    def __str__(self) -> str:
        return vault().get(SECRET_KEY_NAME).value

    def __repr__(self) -> str:
        return "<SECRET_KEY from the vault>"


class SecretKeyFallbacks(list[str]):
    """The key's earlier enabled versions, newest first; they still verify what they signed."""

    def __iter__(self) -> Iterator[str]:
        return iter([secret.value for secret in reversed(versions_of(SECRET_KEY_NAME)[:-1])])

    def __repr__(self) -> str:
        return "<earlier SECRET_KEYs from the vault>"
