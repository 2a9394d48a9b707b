"""The same server over standard input and output, for an assistant on the operator's machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from django.db import close_old_connections
from mcp.server.stdio import stdio_server

from csc_portal.mcp.asking import Asker, ask
from csc_portal.mcp.server import make_server
from csc_portal.mcp.tools import Found, call

LONGEST_KEY = 200


class BadKeyFile(ValueError):
    """A file that can't hold the key; the message says why."""


def read_key(path: Path) -> str:
    """The key in a file that nobody else can read, as ssh demands it. Raises BadKeyFile."""
    try:
        with path.open() as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise BadKeyFile(f"{path} can be read by others. Run: chmod 600 {path}")
            return file.read(LONGEST_KEY).strip()
    except (OSError, UnicodeDecodeError) as err:
        raise BadKeyFile(f"{path} can't be read ({type(err).__name__}).") from None


def is_good(key: str) -> bool:
    """Counts as one request."""
    return ask(_asker(key), "/api/v1/key", []).status == 200


def serve(key: str) -> None:
    """Until the input ends. The key is looked at again at each call."""
    anyio.run(_serve, _asker(key))


async def _serve(asker: Asker) -> None:
    server = make_server(lambda context: asker, _call)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _asker(key: str) -> Asker:
    return Asker(f"Bearer {key}")


def _call(name: str, arguments: Mapping[str, Any], asker: Asker) -> Found:
    """Hours may lie between two calls: connections that have gone are not used again."""
    close_old_connections()
    return call(name, arguments, asker)
