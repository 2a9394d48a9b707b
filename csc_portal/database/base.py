"""The Django database backend: tenants' scopes, on the server that `settings.BACKING` names.

The server is looked up at the first connection, not when settings are read. A DATABASE_URL without
a password takes it from the vault.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from tenants.backend.base import DatabaseWrapper as ScopedWrapper
from tenants.secrets import vault

PASSWORD_SECRET = "csc-database-password"  # noqa: S105 - the secret's name


class DatabaseWrapper(ScopedWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        if not self.settings_dict["HOST"]:
            url = urlsplit(settings.BACKING.database_url)
            self.settings_dict.update(
                USER=unquote(url.username or ""),
                PASSWORD=unquote(url.password or ""),
                HOST=url.hostname or "",
                PORT=str(url.port or ""),
            )
        params = super().get_connection_params()
        if not params.get("password") and settings.AZURE_KEY_VAULT_URL:
            params["password"] = vault().get(PASSWORD_SECRET).value
        return params
