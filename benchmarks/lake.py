"""How fast the lake is written and asked, beside asking Postgres the same.

One tenant's events (lines of cases' timelines) are made in Postgres, half a million a transaction,
and exported by the code that workers run: windows, Parquet, checksums, manifests. Then a tenth of
them changes and is exported again. The questions go to DuckDB on the lake, to all versions of the
rows and to the newest of each, and to Postgres, on the same rows; the answers must be the same.
Each runs in a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psycopg
from django.conf import settings
from django.db import connection

from benchmarks.lab.report import progress, show
from csc_portal.lake_run import export, lake_store, verify
from lake.manifest import windows_of
from lake.reader import Lake, Limits
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant

AT_ONCE = 500_000
CASES = 100_000
MOST_COMPARED = 1_000_000
"""Of more, comparing takes many minutes; the questions compare what they answer."""
KINDS = ("opened", "grew", "assigned", "started", "resolved", "reopened", "judged", "commented")
MAKE_CASES = """
INSERT INTO alerts_case (public_id, title, source, first_activity_at, last_activity_at, verdict,
  status, determination, verdict_reason, category, severity, priority, pillars, is_vip,
  alert_count, entity_count, entities, growth, version, ticket_ref, ticket_url)
SELECT gen_random_uuid(), 'Detection ' || mod(n, 200), 'source', now(), now(), '', 0, '', '',
  '', 2, 50, 1, false, 1, 1, '[]', 1, 1, '', ''
FROM generate_series(1, %s) AS n
"""
MAKE = """
INSERT INTO alerts_caseevent (case_id, at, actor_id, kind, facts)
SELECT 1 + n %% %s, timestamptz '2026-01-01' + n * interval '2 seconds', n %% 23,
  (%s::text[])[1 + (n * 2654435761) %% 8],
  CASE WHEN n %% 8 = 4 THEN '{"after": {"status": 2, "verdict": "falsePositive"}}'::jsonb
    ELSE '{}' END
FROM generate_series(%s::bigint, %s::bigint) AS n
"""
CHANGE = "UPDATE alerts_caseevent SET kind = 'changed' WHERE id % 10 = 7"
QUESTIONS = {
    "by kind": (
        "SELECT kind, count(*), count(actor) FROM {events} GROUP BY kind ORDER BY kind",
        "SELECT kind, count(*), count(actor_id) FROM alerts_caseevent GROUP BY kind ORDER BY kind",
    ),
    "cases by month": (
        "SELECT month(happened_at), count(DISTINCT case_id), "
        "count(*) FILTER (verdict = 'falsePositive') FROM {events} GROUP BY 1 ORDER BY 1",
        "SELECT extract(month FROM at)::int, count(DISTINCT case_id), count(*) FILTER "
        "(WHERE facts->'after'->>'verdict' = 'falsePositive') FROM alerts_caseevent "
        "GROUP BY 1 ORDER BY 1",
    ),
}
NOTES = """
Medians of {rounds} runs of a question, files opened anew each time. `peak MiB` is the most that the
asking process held; what Postgres' server holds is not counted. `newest` takes the newest version
of each row, of which a tenth has two; `versions` counts all of them.
"""


@dataclass(frozen=True, slots=True)
class Took:
    answer: object
    seconds: float
    peak: float
    grown: float


def main() -> None:
    arguments = _arguments()
    events = arguments.events or (300_000 if arguments.quick else 10_000_000)
    rounds = 3
    tenant = create_tenant(
        NewTenant("lake", "Lake", uuid.uuid4(), uuid.uuid4(), "csc-app-credential")
    )
    progress(f"making {events:,} events in Postgres")
    _make(tenant, events)
    progress("exporting them")
    written = _apart(lambda: _export(tenant))
    _in_postgres(tenant, CHANGE)
    progress("exporting the tenth that changed")
    again = _apart(lambda: _export(tenant))
    runs = {"write": written, "again": again}
    if events <= MOST_COMPARED:
        progress("comparing the lake with the database")
        runs["verify"] = _apart(lambda: len(verify(tenant, lake_store()).differences))
        if runs["verify"].answer:
            raise RuntimeError("the lake differs from the database")
    asked = {name: _ask(tenant, name, rounds) for name in QUESTIONS}
    _report(tenant, events, runs, asked, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="300,000 events, within a minute")
    parser.add_argument("--json", action="store_true", help="JSON only, in one line")
    parser.add_argument("--events", type=int, help="how many instead of 10 million")
    return parser.parse_args()


def _make(tenant: Tenant, events: int) -> None:
    _in_postgres(tenant, MAKE_CASES, [CASES])
    for start in range(1, events + 1, AT_ONCE):
        end = min(events, start + AT_ONCE - 1)
        _in_postgres(tenant, MAKE, [CASES, list(KINDS), start, end])
    _in_postgres(tenant, "ANALYZE alerts_caseevent")


def _in_postgres(tenant: Tenant, sql: str, parameters: list[object] | None = None) -> None:
    """As superuser and without waiting for the disk: this is not what is measured."""
    with psycopg.connect(settings.BACKING.admin_database_url) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute(f"SET search_path = {tenant.schema_name}, public")
        conn.execute(sql, parameters)


def _export(tenant: Tenant) -> int:
    rows, is_behind = 0, True
    while is_behind:
        done = export(tenant, lake_store())
        rows, is_behind = rows + done.rows, done.is_behind
    return rows


def _ask(tenant: Tenant, name: str, rounds: int) -> dict[str, list[Took]]:
    """All three ways, turn by turn; the answers must be the same where they should be."""
    progress(f"asking: {name}")
    lake, postgres = QUESTIONS[name]
    ways: dict[str, Callable[[], object]] = {
        "newest": lambda: _of_lake(tenant, lake.format(events="events")),
        "versions": lambda: _of_lake(tenant, lake.format(events="events_versions")),
        "postgres": lambda: _of_postgres(tenant, postgres),
    }
    found: dict[str, list[Took]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, work in ways.items():
            found[way].append(_apart(work))
        if found["newest"][-1].answer != found["postgres"][-1].answer:
            raise RuntimeError("the lake and Postgres answer differently")
    return found


def _of_lake(tenant: Tenant, sql: str) -> object:
    with Lake(lake_store(), {str(tenant.public_id): tenant.slug}, Limits(seconds=600)) as lake:
        return [tuple(map(str, row)) for row in lake.query(sql).rows]


def _of_postgres(tenant: Tenant, sql: str) -> object:
    with psycopg.connect(settings.BACKING.admin_database_url) as conn:
        conn.execute(f"SET search_path = {tenant.schema_name}, public")
        return [tuple(map(str, row)) for row in conn.execute(sql).fetchall()]


def _apart(work: Callable[[], object]) -> Took:
    """In a child, whose memory is its own."""
    connection.close()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def child() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before, started = _memory("VmRSS"), perf_counter()
        answer = work()
        seconds, peak = perf_counter() - started, _memory("VmHWM")
        answers.put(Took(answer, seconds, peak, peak - before))

    process = context.Process(target=child)
    process.start()
    process.join(3600)
    if process.exitcode:
        raise RuntimeError("a child of the benchmark failed")
    return answers.get()


def _memory(name: str) -> float:
    """MiB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def _report(
    tenant: Tenant,
    events: int,
    runs: dict[str, Took],
    asked: dict[str, dict[str, list[Took]]],
    arguments: argparse.Namespace,
) -> None:
    written = runs["write"]
    windows = windows_of(lake_store(), str(tenant.public_id))
    size = sum(part.bytes for window in windows for part in window.parts.values())
    rows = sum(part.rows for window in windows for part in window.parts.values())
    moved: list[dict[str, object]] = [
        {
            "run": name,
            "rows": int(str(run.answer)) if name != "verify" else rows,
            "seconds": run.seconds,
            "rows a second": (rows if name == "verify" else int(str(run.answer))) / run.seconds,
            "peak MiB": run.peak,
            "grown MiB": run.grown,
        }
        for name, run in runs.items()
    ]
    questions: list[dict[str, object]] = []
    result: dict[str, object] = {
        "events": events,
        "rows_a_second": round(int(str(written.answer)) / written.seconds),
        "write_peak_mb": round(written.peak, 1),
        "bytes_a_row": round(size / rows, 1),
    }
    for name, ways in asked.items():
        medians = {way: statistics.median(t.seconds for t in took) for way, took in ways.items()}
        key = name.replace(" ", "_")
        for way, took in ways.items():
            peak = max(t.peak for t in took) if way != "postgres" else 0.0
            questions.append(
                {
                    "question": name, "asked of": way, "seconds": medians[way], "peak MiB": peak,
                    "Postgres / this": medians["postgres"] / medians[way],
                }
            )  # fmt: skip
            result[f"{key}_{way}_s"] = round(medians[way], 3)
        result[f"{key}_peak_mb"] = round(max(t.peak for t in ways["newest"]), 1)
    notes = f"{NOTES.strip().format(rounds=3)}\n{size / rows:.1f} bytes a row in the lake."
    show([result], [moved, questions], notes, as_json=arguments.json)


if __name__ == "__main__":
    main()
