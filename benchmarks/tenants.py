"""What a tenant costs: making it, and bringing all of them up to date.

Real schemas, roles, rights and migrations. The baseline replays the statements that make one
tenant's tables, without Django: the least that Postgres itself takes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psycopg
from django.conf import settings
from django.db import connection

from benchmarks.lab.report import options, progress, show
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant

ROOT = Path(__file__).resolve().parents[1]
Statements = list[tuple[str, object]]
EVERY = 10
"""A baseline is taken after so many tenants."""


def main() -> None:
    arguments = options(__doc__)
    count = 30 if arguments.quick else 1000
    create_tenant(_new(0))  # the first one loads modules
    with _recorded() as statements:
        create_tenant(_new(1))
    created, plain = [], []
    for number in range(2, count + 2):
        created.append(_seconds(lambda: create_tenant(_new(number))))  # noqa: B023 - called at once
        if number % EVERY == 0:
            plain.append(_seconds(lambda: _replay(f"plain_{number}", statements)))  # noqa: B023
        if number % 100 == 0:
            progress(f"{number} tenants")
    progress("migrating, nothing to do")
    idle = min(_seconds(lambda: _migrate("migrate_schemas")) for _ in range(3))
    progress("migrating all again")
    again = _seconds(lambda: _migrate("migrate_schemas", "--again"))
    _report(created, plain, idle, again, as_json=arguments.json)


def _new(number: int) -> NewTenant:
    name = f"customer-{number}"
    return NewTenant(name, name, uuid.uuid4(), uuid.uuid4(), "csc-app-credential")


def _seconds(work) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


@contextmanager
def _recorded() -> Iterator[Statements]:
    """The statements on tables that run meanwhile; names of tables carry no schema."""
    statements: Statements = []

    def record(execute, sql, params, many, context):
        if isinstance(sql, str) and sql.lstrip().split()[0] in ("CREATE", "ALTER"):
            statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield statements


def _replay(schema: str, statements: Statements) -> None:
    with psycopg.connect(settings.BACKING.admin_database_url) as conn:
        conn.execute(f"CREATE SCHEMA {schema}; SET search_path TO {schema}, public")
        for sql, params in statements:
            conn.execute(sql, params or None)


def _migrate(*words: str) -> None:
    connection.close()
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip())


def _report(
    created: list[float], plain: list[float], idle: float, again: float, *, as_json: bool
) -> None:
    count = Tenant.objects.count()
    tenth = max(1, len(created) // 10)
    baseline = statistics.median(plain)
    result = {
        "create_s_per_tenant": round(statistics.fmean(created), 4),
        "migrate_s_per_tenant": round(again / count, 4),
    }
    seconds = {
        f"create, all {len(created)}": statistics.fmean(created),
        f"create, the first {tenth}": statistics.fmean(created[:tenth]),
        f"create, the last {tenth}": statistics.fmean(created[-tenth:]),
        f"migrate {count}, all again": again / count,
        f"migrate {count}, nothing to do": idle / count,
        "baseline: the tables' statements alone": baseline,
    }
    rows = [
        {"what": what, "s a tenant": value, "to the baseline": value / baseline}
        for what, value in seconds.items()
    ]
    totals = [
        {"command": "migrate_schemas, nothing to do", "s": idle},
        {"command": "migrate_schemas --again", "s": again},
    ]
    show([result], [rows, totals], NOTES, as_json=as_json)


NOTES = """\
Times of the command include starting Python. One process; migrate_s_per_tenant is "all again"."""


if __name__ == "__main__":
    main()
