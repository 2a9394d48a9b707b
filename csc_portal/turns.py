"""One worker at a time reads a tenant. Postgres knows who it is, and at once when it is dead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

POLL = 1
"""The kind of turn; advisory locks have two numbers."""


@contextmanager
def turn(tenant_id: int) -> Iterator[bool]:
    """Whether it is ours to read the tenant now.

    The lock belongs to the connection: it ends with the worker, however that ends, so there is no
    lease to wait for.
    """
    is_ours = _ask("pg_try_advisory_lock", tenant_id)
    try:
        yield is_ours
    finally:
        if is_ours:
            _ask("pg_advisory_unlock", tenant_id)


def _ask(function: str, tenant_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [POLL, tenant_id])
        return bool(cursor.fetchone()[0])
