"""How many raw alert documents a second become stored, correlated rows.

Each document goes all the way: read, scrubbed, pseudonymised, upserted with its entities, put into
a case, the case into the shared queue. Documents are a model (benchmarks/lab/company.py). The clock
starts with parsed documents and stops when the page is committed. One worker is one process with
one tenant; two workers are what this machine's cores can feed.
"""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time

import orjson
from django.db import connection
from django.utils.dateparse import parse_datetime

from alerts.ingest import COLUMNS, store_page
from alerts.models import Alert
from alerts.prepare import AlertRow, prepare_page
from benchmarks.lab.company import Company, Document, stamp
from benchmarks.lab.report import options, progress, show
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import scope

WORKERS = 2
PAGE_SIZES = (100, 500)
BASELINE_PAGE = 500
UPSERT = """
INSERT INTO alerts_alert ({names}, case_growth, joined_by) VALUES ({places}, 0, '')
ON CONFLICT (provider_id) DO UPDATE SET {sets}
WHERE alerts_alert.updated_at <= excluded.updated_at
""".format(
    names=", ".join(COLUMNS),
    places=", ".join("%s" for _ in COLUMNS),
    sets=", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "provider_id"),
)
Rates = defaultdict[str, list[float]]
Pages = list[bytes]
"""Pages as JSON, which costs the collector of garbage nothing; parsed outside the clock."""


def main() -> None:
    arguments = options(__doc__)
    rounds, count = (3, 2000) if arguments.quick else (7, 5000)
    companies = [Company(seed) for seed in range(1, WORKERS + 1)]
    tenants = [_tenant(f"worker{number}") for number in range(WORKERS)]
    plain = _tenant("plain")
    rates: Rates = defaultdict(list)
    cpu: Rates = defaultdict(list)
    gc.freeze()  # a worker does not have the model's things in memory
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        for size in PAGE_SIZES:
            batches = [_pages(company.alerts(count), size) for company in companies]
            _measure_ours(rates, cpu, tenants, batches, size)
        _measure_baselines(rates, plain, companies[0].alerts(count // 2))
    _report(rates, cpu, as_json=arguments.json)


# --- ours -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Taken:
    """`cpu_s` is the processor time of this process and of its Postgres backend."""

    alerts: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        return self.alerts / self.seconds


def _measure_ours(
    rates: Rates, cpu: Rates, tenants: list[Tenant], batches: list[Pages], size: int
) -> None:
    """`batches[n]` is for worker n; the first worker's are shared out to all kinds of run."""
    half = len(batches[0]) // 2
    alone, shared = batches[0][:half], [pages[half:] for pages in batches]
    runs = {
        "new": alone,
        "unchanged": alone,
        "updated": [_later(page) for page in alone],
    }
    for kind, pages in runs.items():
        taken = _take(tenants[0], pages)
        rates[f"{kind}, pages of {size}, 1 worker"].append(taken.rate)
        cpu[f"{kind}, pages of {size}, 1 worker"].append(taken.cpu_s / taken.alerts * 1e6)
    together = _side_by_side(tenants, shared)
    name = f"new, pages of {size}, {WORKERS} workers"
    rates[name].append(sum(taken.rate for taken in together))
    cpu[name].append(statistics.fmean(taken.cpu_s / taken.alerts * 1e6 for taken in together))


def _take(tenant: Tenant, pages: Pages) -> Taken:
    """From parsed documents to committed rows."""
    pseudonymiser = _pseudonymiser(tenant)
    taken = Taken()
    connection.ensure_connection()
    backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    for page in pages:
        documents = orjson.loads(page)
        cpu_before, started = _cpu_s(backend), perf_counter()
        prepared = prepare_page(documents, pseudonymiser)
        with scope(tenant):
            store_page(tenant.pk, prepared, pseudonymiser.version)
        taken.seconds += perf_counter() - started
        taken.cpu_s += _cpu_s(backend) - cpu_before
        taken.alerts += len(documents)
    return taken


def _cpu_s(backend: Path) -> float:
    return process_time() + int(backend.read_text().split()[0]) / 1e9


def _side_by_side(tenants: list[Tenant], batches: list[Pages]) -> list[Taken]:
    """What each worker took; they start together."""
    connection.close()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(len(tenants))
    answers = context.Queue()

    def work(number: int) -> None:
        connection.ensure_connection()
        start.wait()
        answers.put(_take(tenants[number], batches[number]))

    processes = [context.Process(target=work, args=(n,)) for n in range(len(tenants))]
    for process in processes:
        process.start()
    taken = [answers.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    return taken


# --- baselines ------------------------------------------------------------------------------------


def _measure_baselines(rates: Rates, tenant: Tenant, documents: list[Document]) -> None:
    """The alert rows alone: no reading, no entities, no cases, no queue."""
    rows = prepare_page(documents, _pseudonymiser(tenant)).alerts
    rates["executemany, alert rows only"].append(_rate(rows, tenant, _executemany))
    few = rows[: len(rows) // 5]
    fresh = [{**row.columns, "provider_id": str(uuid.uuid4())} for row in few]
    rates["update_or_create, alert rows only"].append(_rate(fresh, tenant, _update_or_create))


def _rate(rows: list, tenant: Tenant, store: Callable[[list], None]) -> float:
    with scope(tenant):
        connection.ensure_connection()
        # What psycopg does by itself and Django switches off; executemany depends on it.
        connection.connection.prepare_threshold = 5
        started = perf_counter()
        store(rows)
        return len(rows) / (perf_counter() - started)


def _executemany(rows: list[AlertRow]) -> None:
    for start in range(0, len(rows), BASELINE_PAGE):
        values = [[*row.columns.values()] for row in rows[start : start + BASELINE_PAGE]]
        with connection.cursor() as cursor, connection.connection.transaction():
            cursor.cursor.executemany(UPSERT, values)


def _update_or_create(rows: list[dict[str, object]]) -> None:
    for columns in rows:
        Alert.objects.update_or_create(
            provider_id=columns["provider_id"], defaults={**columns, "case_growth": 0}
        )


# --- helpers --------------------------------------------------------------------------------------


def _tenant(slug: str) -> Tenant:
    return create_tenant(NewTenant(slug, slug, uuid.uuid4(), uuid.uuid4(), "csc-app-credential"))


def _pseudonymiser(tenant: Tenant) -> Pseudonymiser:
    return Pseudonymiser([("1", derive_key(b"benchmark" * 4, tenant.public_id))])


def _pages(documents: list[Document], size: int) -> Pages:
    return [
        orjson.dumps(documents[start : start + size]) for start in range(0, len(documents), size)
    ]


def _later(page: bytes) -> bytes:
    """The same alerts, changed by somebody a day after."""
    documents = orjson.loads(page)
    for document in documents:
        updated = parse_datetime(document["lastUpdateDateTime"][:26] + "Z")
        document |= {"status": "inProgress", "lastUpdateDateTime": stamp(updated + timedelta(1))}
    return orjson.dumps(documents)


def _report(rates: Rates, cpu: Rates, *, as_json: bool) -> None:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ours = medians[f"new, pages of {PAGE_SIZES[-1]}, 2 workers"]
    many = medians["executemany, alert rows only"]
    each = medians["update_or_create, alert rows only"]
    result = {
        "alerts_per_s": round(ours),
        "ratio_executemany": round(ours / many, 3),
        "ratio_update_or_create": round(ours / each, 2),
    }
    rows = [
        {
            "path": name,
            "a second": median,
            "lowest": min(rates[name]),
            "highest": max(rates[name]),
            "CPU us each": statistics.median(cpu[name]) if name in cpu else "",
            "to executemany": median / many,
            "to update_or_create": median / each,
        }
        for name, median in medians.items()
    ]
    show([result], [rows], NOTES, as_json=as_json)


NOTES = """\
Medians of interleaved runs on model documents (4 KB, 5 to 6 entities each). Ours: raw document to
correlated case and queue row. The baselines write one row an alert and nothing else.
CPU is that of the worker and of its Postgres backend, which other programs disturb less.
alerts_per_s is "new, pages of 500, 2 workers"."""


if __name__ == "__main__":
    main()
