"""manage.py mcp: tools for an assistant, over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from csc_portal.management.base import PortalCommand
from csc_portal.mcp.own_process import BadKeyFile, is_good, read_key, serve
from tenants.secrets import vault


class Command(PortalCommand):
    help = (
        "Serve the Model Context Protocol over standard input and output, with an API key. "
        "The key comes from a file that only you can read, or from the Key Vault."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--key-file", type=Path, metavar="PATH", help="mode 600")
        where.add_argument("--key-secret", metavar="NAME", help="name of a secret in the vault")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            key = self._key(options)
        except BadKeyFile as err:
            raise CommandError(str(err)) from err
        if not is_good(key):
            raise CommandError("This key opens nothing: it is unknown, expired, revoked or spent.")
        serve(key)
        return {}

    def _key(self, options: dict[str, Any]) -> str:
        if options["key_file"]:
            return read_key(options["key_file"])
        return vault().get(options["key_secret"]).value.strip()
