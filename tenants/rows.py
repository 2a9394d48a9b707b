"""Many rows in one statement: the rows go as one JSON parameter.

Measured against alternatives for pages of 100 to 500 rows; see docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from django.db import connection


def as_json(rows: object) -> str:
    """JSON text for a `%s::jsonb` parameter; dates become ISO 8601, UUIDs text."""
    return orjson.dumps(rows).decode()


def let_take_long() -> None:
    """Until this transaction ends no statement is stopped for its length (else after a minute)."""
    run("SET LOCAL statement_timeout = 0", [])


def run(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """Execute a fixed statement with server-side binding; its rows, if it returns any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
