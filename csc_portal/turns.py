"""One worker at a time reads a tenant, and one carries its outcomes.

Postgres knows who it is, and at once when it is dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

POLL, OUTCOME, SCORE, INVENTORY, WEAKNESSES, LAKE, REPORT = 1, 2, 3, 4, 5, 6, 7
"""The kinds of turns; advisory locks have two numbers."""


@contextmanager
def turn(tenant_id: int, kind: int = POLL) -> Iterator[bool]:
    """Whether it is ours to read the tenant now, or to carry its outcomes.

    The lock belongs to the connection: it ends with the worker, however that ends, so there is no
    lease to wait for.
    """
    is_ours = _ask("pg_try_advisory_lock", kind, tenant_id)
    try:
        yield is_ours
    finally:
        if is_ours:
            _ask("pg_advisory_unlock", kind, tenant_id)


def _ask(function: str, kind: int, tenant_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [kind, tenant_id])
        return bool(cursor.fetchone()[0])
