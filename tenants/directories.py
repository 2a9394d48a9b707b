"""A tenant's way to Microsoft and its pseudonym key, put together from row, vault and settings.

Sessions and tokens are kept for the life of the process; secrets are re-read when they rotate.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from functools import cache, lru_cache

from django.conf import settings

from clients.errors import Rejected
from clients.http import Http
from clients.microsoft.azure import Arm
from clients.microsoft.clouds import Endpoints, endpoints
from clients.microsoft.defender import Defender
from clients.microsoft.graph import Graph
from clients.microsoft.identity import DirectoryTokens
from clients.throttle import Governor
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.secrets import vault, versions_of

PSEUDONYM_KEY = "csc-pseudonym-key"


class BadSecret(ValueError):
    """A secret in the vault does not have the shape that it must have; the message says which."""


@cache
def cloud() -> Endpoints:
    return endpoints(settings.AZURE_CLOUD, settings.ENDPOINT_OVERRIDES)


@cache
def governor() -> Governor:
    """The request budget that all workers share."""
    return Governor(settings.BACKING.redis_url)


def graph_for(tenant: Tenant) -> Graph:
    """A Graph client with the tenant's own token."""
    return graph_of(str(tenant.directory_id), str(tenant.client_id), tenant.credential_secret)


@lru_cache(maxsize=512)
def graph_of(directory: str, client_id: str, credential_secret: str) -> Graph:
    """A Graph client for a directory, by the secret's name; one a process."""
    http = Http(cloud().graph, name="Microsoft Graph", governor=governor(), key=directory)
    tokens = _tokens(directory, client_id, credential_secret)
    return Graph(http, tokens, cloud().graph_scope)


def _tokens(directory: str, client_id: str, credential_secret: str) -> DirectoryTokens:
    return DirectoryTokens(
        cloud().login,
        directory,
        client_id,
        lambda: vault().get(credential_secret).value,
        lambda: vault().forget(credential_secret),
    )


def arm_for(tenant: Tenant) -> Arm:
    """An Azure Resource Manager client with the tenant's own token."""
    return _arm_of(str(tenant.directory_id), str(tenant.client_id), tenant.credential_secret)


@lru_cache(maxsize=512)
def _arm_of(directory: str, client_id: str, credential_secret: str) -> Arm:
    http = Http(cloud().arm, name="Azure", governor=governor(), key=directory)
    return Arm(http, _tokens(directory, client_id, credential_secret), cloud().arm_scope)


def defender_for(tenant: Tenant) -> Defender:
    """A client of Defender's own API with the tenant's own token. Raises Rejected in a cloud that
    has none.
    """
    if not cloud().defender:
        raise Rejected("This cloud has no Defender Vulnerability Management.", code="no_defender")
    return _defender_of(str(tenant.directory_id), str(tenant.client_id), tenant.credential_secret)


@lru_cache(maxsize=512)
def _defender_of(directory: str, client_id: str, credential_secret: str) -> Defender:
    http = Http(cloud().defender, name="Microsoft Defender", governor=governor(), key=directory)
    tokens = _tokens(directory, client_id, credential_secret)
    return Defender(http, tokens, cloud().defender_scope)


def pseudonymiser_for(tenant: Tenant) -> Pseudonymiser:
    """Keys derived from every enabled version of the master key, newest first.

    Raises BadSecret when a version is not 32 bytes in base64, ApiError when the vault is away.
    """
    versions = versions_of(PSEUDONYM_KEY)
    return _pseudonymiser(
        tenant.public_id, tuple((secret.version, secret.value) for secret in reversed(versions))
    )


def master_keys() -> tuple[tuple[str, bytes], ...]:
    """(version, key) of every enabled master key, newest first. Raises as `pseudonymiser_for`."""
    versions = versions_of(PSEUDONYM_KEY)
    return tuple((secret.version[:8], _master(secret.value)) for secret in reversed(versions))


@lru_cache(maxsize=4096)
def _pseudonymiser(tenant_id: uuid.UUID, masters: tuple[tuple[str, str], ...]) -> Pseudonymiser:
    return Pseudonymiser(
        [(version[:8], derive_key(_master(value), tenant_id)) for version, value in masters]
    )


def _master(value: str) -> bytes:
    try:
        master = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as err:
        raise BadSecret(f"The secret '{PSEUDONYM_KEY}' is not base64.") from err
    if len(master) != 32:
        raise BadSecret(f"The secret '{PSEUDONYM_KEY}' must hold 32 bytes in base64.")
    return master
