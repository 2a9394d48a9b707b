"""How fast an analyst sees the queue of a thousand tenants, and how that grows.

The real pages through Django, without the network: `page ms` is the server's time from request to
response; `rows ms`, `counts ms` and `db ms` are the times of its statements for the rows, for the
counts, and of all, each with the SET of role and tenants before it. Cases are a model
(benchmarks/lab/cases.py). Users see all tenants, 50, one, or a small one without open cases.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from unittest.mock import patch

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from benchmarks.lab.cases import fill, make_tenants, make_user
from benchmarks.lab.report import options, p95, progress, show
from scripts.progress import Progress
from scripts.static_files import bring_up_to_date
from tenants.models import Tenant, User

SEVERITIES = "severity=high&severity=medium"
VIEWS = {
    "first page": "",
    "severe, one link": f"{SEVERITIES}&pillar=identity",
    "one source": "source=microsoftDefenderForCloud",
    "mine": "assignee=me",
    "all, also closed": "status=any&severity=any",
    "closed, no verdict": "status=resolved&verdict=none",
    "text": "q=password",
}
NEXT = "next page"


@dataclass(slots=True)
class Times:
    """Milliseconds of each request."""

    page: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    statements: int = 0


def main() -> None:
    arguments = options(__doc__)
    sizes = [(100, 100_000)] if arguments.quick else [(1000, 1_000_000), (1000, 10_000_000)]
    repeats = 20 if arguments.quick else 60
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "of a benchmark", []  # no vault is needed
    bring_up_to_date(Progress())
    tenants = make_tenants(max(count for count, _ in sizes))
    users = _users(tenants)
    results, tables = [], []
    for count, cases in sizes:
        progress(f"making {cases:,} cases of {count:,} tenants")
        fill(tenants[:count], cases)
        connection.close()
        progress("asking")
        times = _measure(users, repeats)
        tables.append(_rows(cases, times))
        results.append(_result(count, cases, times))
    show(results, tables, NOTES, as_json=arguments.json)


def _users(tenants: list[Tenant]) -> dict[str, User]:
    middle = len(tenants) // 2
    return {
        "all tenants": make_user("all", None),
        "50 tenants": make_user("fifty", tenants[middle : middle + 50]),
        "1 tenant": make_user("one", [tenants[middle]]),
        "1 small, old": make_user("old", [tenants[-1]]),
    }


def _measure(users: dict[str, User], repeats: int) -> dict[tuple[str, str], Times]:
    """Every user's every view in turn, so that a disturbance hits all alike."""
    clients = {}
    for name, user in users.items():
        clients[name] = Client(SERVER_NAME="localhost")
        clients[name].force_login(user)
    times: dict[tuple[str, str], Times] = {}
    for repeat in range(-2, repeats):
        for name, client in clients.items():
            after = ""
            for view, query in [*VIEWS.items(), (NEXT, "")]:
                where = f"{query}{after}" if view == NEXT else query
                taken = times.setdefault((name, view), Times()) if repeat >= 0 else Times()
                response = _ask(client, where, taken)
                if view == "first page":
                    found = re.search(r"after=\d+-\d+", response.text)
                    after = found[0] if found else ""
    return times


def _ask(client: Client, query: str, taken: Times):
    with _database_clock() as clock:
        started = perf_counter()
        response = client.get(f"{reverse('queue')}?{query}")
        taken.page.append((perf_counter() - started) * 1e3)
    taken.rows.append(sum(s for sql, s in clock if "tenants_queueentry" in sql) * 1e3)
    taken.counts.append(sum(s for sql, s in clock if "tenants_queuerollup" in sql) * 1e3)
    taken.database.append(sum(s for _, s in clock) * 1e3)
    taken.statements = len(clock)
    if response.status_code != 200:
        raise SystemExit(f"The queue answered {response.status_code}.")
    return response


@contextmanager
def _database_clock() -> Iterator[list[tuple[str, float]]]:
    """(statement, seconds) of each, together with the SET that had to go before it."""
    times: list[tuple[str, float]] = []
    waiting: list[float] = []
    apply_session = connection.apply_session

    def apply_timed() -> None:
        started = perf_counter()
        apply_session()
        waiting.append(perf_counter() - started)

    def timed(execute, sql, *arguments):
        started = perf_counter()
        try:
            return execute(sql, *arguments)
        finally:
            times.append((str(sql), perf_counter() - started + sum(waiting)))
            waiting.clear()

    with (
        connection.execute_wrapper(timed),
        patch.object(connection, "apply_session", apply_timed),
    ):
        yield times


# --- report ---------------------------------------------------------------------------------------


def _rows(cases: int, times: dict[tuple[str, str], Times]) -> list[dict[str, object]]:
    return [
        {
            "cases": cases,
            "user": user,
            "view": view,
            "statements": taken.statements,
            **{
                f"{label} ms{what}": measure(values)
                for label, values in (
                    ("rows", taken.rows),
                    ("counts", taken.counts),
                    ("db", taken.database),
                    ("page", taken.page),
                )
                for what, measure in (("", statistics.median), (" p95", p95))
            },
        }
        for (user, view), taken in times.items()
    ]


def _result(tenants: int, cases: int, times: dict[tuple[str, str], Times]) -> dict[str, object]:
    """Over all views of the user who waits longest."""
    users = {user for user, _ in times}

    def worst(name: str) -> float:
        return max(
            p95(
                [
                    ms
                    for (one, _), taken in times.items()
                    if one == user
                    for ms in getattr(taken, name)
                ]
            )
            for user in users
        )

    return {
        "tenants": tenants,
        "cases": cases,
        "db_p95_ms": round(max(worst("rows"), worst("counts")), 2),
        "page_p95_ms": round(worst("page"), 2),
    }


NOTES = """\
Medians, and p95 where it says so. A page view is all of it: session, user, rights, rows, counts,
busiest tenants, people, template. 5 % of the cases are open. JSON has p95 over all views of the
slowest user: db of the rows' or the counts' statements, page of everything."""


if __name__ == "__main__":
    main()
