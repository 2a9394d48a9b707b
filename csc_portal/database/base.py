"""The Django database backend: tenants' scopes, on the server that `settings.BACKING` names.

The server is looked up at each new connection, not when settings are read. What stands behind the
URL's question mark (sslmode, a socket's host) goes to libpq as it is.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings

from tenants.backend.base import DatabaseWrapper as ScopedWrapper


class DatabaseWrapper(ScopedWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        url = urlsplit(settings.BACKING.database_url)
        self.settings_dict.update(
            USER=unquote(url.username or ""),
            PASSWORD=unquote(url.password or ""),
            HOST=url.hostname or "",
            PORT=str(url.port or ""),
        )
        params = super().get_connection_params()
        given = dict(parse_qsl(url.query))
        # The portal's own options stand last, so that they hold: above all its role.
        options = f"{given.get('options', '')} {params['options']}"
        return {**params, **given, "options": options.strip()}
