"""Secrets from Azure Key Vault, by the managed identity of this machine.

https://learn.microsoft.com/azure/key-vault/secrets/. Values live in memory only, for some minutes,
so that a rotated secret is used without a restart.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from clients.errors import (
    ApiError,
    BadPayload,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from clients.failures import member, safe_code
from clients.microsoft.clouds import CLOUDS

_T = TypeVar("_T")
_KEPT_S = 300.0

_ADVICE = {
    "ForbiddenByRbac": "Give this machine's identity the role Key Vault Secrets User.",
    "ForbiddenByPolicy": "Give this machine's identity the right to get and list secrets.",
    "ForbiddenByFirewall": "Allow this machine's network in the vault's firewall.",
    "ForbiddenByConnection": "Allow this machine's network in the vault's firewall.",
    "SecretDisabled": "The secret is disabled: enable it in the vault.",
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's value, the id of its version, and when it ends if the vault says so."""

    value: str = field(repr=False)
    version: str
    expires_at: datetime | None = field(default=None, compare=False)


class Vault:
    """One key vault. Thread-safe, and safe to use before and after a fork."""

    def __init__(
        self,
        url: str,
        *,
        credential: TokenCredential | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._clock = clock
        self._values: dict[str, tuple[float, Secret]] = {}
        self._lists: dict[str, tuple[float, list[Secret]]] = {}
        self._lock = threading.Lock()
        self._client: SecretClient | None = None
        self._pid = os.getpid()

    def get(self, name: str) -> Secret:
        """The newest version of a secret.

        Raises NotFound (its message names the secret), Forbidden, Unauthorized (no identity),
        RateLimited, Unavailable.
        """
        now = self._clock()
        if (cached := self._values.get(name)) and now < cached[0]:
            return cached[1]
        secret = self._call(name, lambda client: _secret(client.get_secret(name)))
        self._values[name] = (now + _KEPT_S, secret)
        return secret

    def versions(self, name: str) -> list[Secret]:
        """All enabled versions with their values, oldest first. Raises like `get`."""
        now = self._clock()
        if (cached := self._lists.get(name)) and now < cached[0]:
            return list(cached[1])
        secrets = self._call(name, lambda client: _versions(client, name))
        self._lists[name] = (now + _KEPT_S, secrets)
        return list(secrets)

    def forget(self, name: str) -> None:
        """Read this secret from the vault next time."""
        self._values.pop(name, None)
        self._lists.pop(name, None)

    def __repr__(self) -> str:
        return f"Vault(secrets={len(self._values)})"

    def _call(self, name: str, action: Callable[[SecretClient], _T]) -> _T:
        try:
            return action(self._connected())
        # "from None" below: the texts of these errors hold URLs.
        except ClientAuthenticationError as err:
            raise Unauthorized(
                "This machine's managed identity was not accepted by Key Vault: check that it has "
                "one, and that AZURE_KEY_VAULT_URL is right.",
                status=err.status_code,
            ) from None
        except HttpResponseError as err:
            raise _error(name, err) from None
        except (ServiceRequestError, ServiceResponseError):
            raise Unavailable("Key Vault could not be reached.", code="connection") from None
        except AzureError:
            raise Unavailable("Key Vault had a fault.") from None
        except ValueError:
            raise Rejected(
                "Key Vault cannot be used as it answers: check AZURE_KEY_VAULT_URL."
            ) from None

    def _connected(self) -> SecretClient:
        if self._pid != os.getpid():
            # The parent's lock may be held for ever here, and its connections are not ours.
            self._lock, self._client, self._pid = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> SecretClient:
        host = (urlsplit(self._url).hostname or "").lower()
        suffixes = CLOUDS["public"].vault_suffixes
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        verify: bool | str = bundle or True
        credential = self._credential or DefaultAzureCredential(
            connection_verify=verify, additionally_allowed_tenants=["*"]
        )
        return SecretClient(
            self._url,
            credential,
            verify_challenge_resource=any(host.endswith(f".{suffix}") for suffix in suffixes),
            connection_verify=verify,
            connection_timeout=5,
            read_timeout=15,
            retry_total=3,
            retry_backoff_max=8,
        )


def _versions(client: SecretClient, name: str) -> list[Secret]:
    newest = _secret(client.get_secret(name))
    known = [p for p in client.list_properties_of_secret_versions(name) if p.enabled]
    # Times are whole seconds: of two in the same one, the current version is the newer.
    known.sort(key=lambda p: (p.version == newest.version, str(p.created_on), p.version))
    return [
        newest if p.version == newest.version else _secret(client.get_secret(name, p.version))
        for p in known
    ]


def _secret(found: object) -> Secret:
    value = getattr(found, "value", None)
    properties = getattr(found, "properties", None)
    version = getattr(properties, "version", None)
    expires_at = getattr(properties, "expires_on", None)
    if not isinstance(value, str):
        raise BadPayload("Key Vault: the field value is missing.")
    return Secret(
        value, str(version or ""), expires_at if isinstance(expires_at, datetime) else None
    )


def _error(name: str, err: HttpResponseError) -> ApiError:
    status = err.status_code
    code = safe_code(getattr(err.error, "code", None))
    inner = getattr(err.error, "innererror", None)
    inner_code = safe_code(member(inner, "code"))
    if status is not None and status < 300:
        return BadPayload("Key Vault: the answer cannot be read.", status=status)
    if status == 404:
        return NotFound(f"The vault has no secret named {name}.", status=404, code=code)
    if status == 403:
        advice = _ADVICE.get(inner_code, _ADVICE["ForbiddenByRbac"])
        label = inner_code or code
        return Forbidden(f"Key Vault answered 403 {label}. {advice}", status=403, code=label)
    if status == 429:
        return RateLimited("Key Vault has too many calls.", status=429, code=code)
    if status is None or status >= 500:
        return Unavailable(f"Key Vault answered {status}.", status=status, code=code)
    return Rejected(f"Key Vault answered {status} {code}.", status=status, code=code)
