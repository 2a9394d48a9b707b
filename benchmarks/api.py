"""How fast the API answers, how fast it exports, and what it adds to DRF itself.

`list` is a page of 50 open cases for a key of all tenants, asked in turn with its next page through
Django without the network. `export` reads cases of all states as NDJSON, `requests` asks as fast as
it can: both over HTTP from real gunicorn with one process of four threads, the client on the same
machine. `bulk` changes cases of one customer: the request that answers 202, and then the task, in
this process as a worker would. The baseline is a view of DRF that answers a constant, in the same
process, asked in turn. `--full` adds ten million cases, which takes a long while to make.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import perf_counter

from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from benchmarks import HOME
from benchmarks.lab.cases import fill, make_tenants, make_user
from benchmarks.lab.real_cases import ingest_cases
from benchmarks.lab.report import options, p95, progress, show
from csc_portal.api.asked import MOST_AT_ONCE
from csc_portal.api.bulk_run import carry_out
from csc_portal.api.keys import NewKey, create_key
from csc_portal.api.scopes import Scope
from csc_portal.serving import load_application
from tenants.models import ApiTask

THREADS = CLIENTS = 4
PATHS = {"constant": "/api/v1/floor", "key": "/api/v1/key", "list": "/api/v1/cases?limit=50"}
EXPORT = "/api/v1/cases/export?status=any&severity=any"


def main() -> None:
    arguments = options(__doc__ or "", "full")
    sizes = [(100, 100_000)] if arguments.quick else [(1000, 1_000_000)]
    sizes += [(1000, 10_000_000)] if arguments.full else []
    repeats, rounds, seconds = (30, 3, 2.0) if arguments.quick else (100, 5, 5.0)
    most = 20_000 if arguments.quick else 1_000_000
    at_once = 1_000 if arguments.quick else MOST_AT_ONCE
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "of a benchmark", []
    settings.API_REQUESTS_PER_MINUTE = settings.API_REQUESTS_PER_DAY = 10**9
    load_application()  # as the web process does
    tenants = make_tenants(max(count for count, _ in sizes))
    secret = _key()
    results, tables = [], []
    for count, cases in sizes:
        progress(f"making {cases:,} cases of {count:,} tenants")
        fill(tenants[:count], cases)
        connection.close()
        progress("asking for pages")
        lists = _lists(secret, repeats)
        with _serving() as (port, worker):
            progress("exporting")
            exported = [_export(port, worker, secret, most) for _ in range(rounds)]
            progress("asking as fast as it goes")
            rates = _rates(port, secret, rounds, seconds)
        progress(f"making {at_once:,} cases of a customer, and changing them")
        bulk = _bulk(secret, ingest_cases(f"real-{cases}", at_once), rounds)
        tables += _tables(cases, lists, exported, rates, bulk)
        results.append(_result(count, cases, lists, exported, rates, bulk))
    show(results, tables, NOTES, as_json=arguments.json)


def _key() -> str:
    scopes = [Scope.CASES_READ.value, Scope.CASES_WRITE.value, Scope.EXPORT.value]
    owner = make_user("program", None)
    return create_key(owner, NewKey("benchmark", scopes), actor="bench", now=timezone.now())[1]


# --- pages ----------------------------------------------------------------------------------------


def _lists(secret: str, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of first and next pages; the first two rounds warm up."""
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})
    taken: dict[str, list[float]] = {"first page": [], "next page": []}
    for repeat in range(-2, repeats):
        following = ""
        for name, times in taken.items():
            cursor = f"&cursor={following}" if name == "next page" else ""
            started = perf_counter()
            answer = client.get(f"{PATHS['list']}{cursor}")
            passed = (perf_counter() - started) * 1e3
            if answer.status_code != 200 or len(answer.json()["items"]) != 50:
                raise SystemExit(f"The API answered {answer.status_code}.")
            following = answer.json()["next"]
            if repeat >= 0:
                times.append(passed)
    return taken


# --- many cases ---------------------------------------------------------------------------------


def _bulk(secret: str, ids: list[uuid.UUID], rounds: int) -> list[tuple[int, float, float]]:
    """Cases, ms until 202, and cases that a worker changes a second; round by round."""
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})
    found = []
    for number in range(rounds):
        order = {"do": "unassign" if number % 2 else "assign", "cases": ids}
        started = perf_counter()
        answer = client.post("/api/v1/cases/bulk", order, content_type="application/json")
        accepted = perf_counter()
        task = ApiTask.objects.get(public_id=answer.json()["id"])
        carry_out(task.pk)
        passed = perf_counter() - accepted
        task.refresh_from_db()
        if any(outcome != "changed" for outcome, _ in task.results):
            raise SystemExit("Some cases were not changed.")
        found.append((len(ids), (accepted - started) * 1e3, len(ids) / passed))
    return found


# --- over HTTP ------------------------------------------------------------------------------------


@contextmanager
def _serving() -> Iterator[tuple[int, int]]:
    """Port, and process id of the one worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        sys.executable, "-m", "gunicorn", "benchmarks.lab.floor:application",
        "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "1",
        "--threads", str(THREADS), "--keep-alive", "30", "--timeout", "600",
        "--log-level", "error", "--no-control-socket",
    ]  # fmt: skip
    told = {
        "CSC_BENCH_HOME": str(HOME),
        "API_REQUESTS_PER_MINUTE": str(10**9),
        "API_REQUESTS_PER_DAY": str(10**9),
    }
    server = subprocess.Popen(command, env={**os.environ, **told})
    try:
        _await(port)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield port, int(children[0])
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()


def _await(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            caller.request("GET", PATHS["constant"], headers={"Host": "localhost"})
            if caller.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("gunicorn did not start.")


def _export(port: int, worker: int, secret: str, most: int) -> tuple[float, float, int]:
    """Rows a second, MiB that the worker's memory grew by at its peak, rows."""
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    before = _memory(worker, "VmRSS")
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = perf_counter()
    caller.request("GET", EXPORT, headers=_headers(secret))
    answer = caller.getresponse()
    if answer.status != 200:
        raise SystemExit(f"The export answered {answer.status}.")
    rows = 0
    while rows < most and (part := answer.read(65_536)):
        rows += part.count(b"\n")
    passed = perf_counter() - started
    caller.close()
    return rows / passed, _memory(worker, "VmHWM") - before, rows


def _memory(worker: int, name: str) -> float:
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(name))
    return int(found.split()[1]) / 1024


def _headers(secret: str) -> dict[str, str]:
    return {"Host": "localhost", "Authorization": f"Bearer {secret}"}


def _rates(port: int, secret: str, rounds: int, seconds: float) -> dict[str, float]:
    """Answers a second, the median of rounds in turn."""
    found: dict[str, list[float]] = {name: [] for name in PATHS}
    for _ in range(rounds):
        for name, path in PATHS.items():
            found[name].append(_rate(port, path, secret, seconds))
    return {name: statistics.median(rates) for name, rates in found.items()}


def _rate(port: int, path: str, secret: str, seconds: float) -> float:
    counts = [0] * CLIENTS
    until = perf_counter() + seconds

    def ask(number: int) -> None:
        caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while perf_counter() < until:
            caller.request("GET", path, headers=_headers(secret))
            answer = caller.getresponse()
            answer.read()
            counts[number] += answer.status == 200
        caller.close()

    started = perf_counter()
    threads = [Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (perf_counter() - started)


# --- report ---------------------------------------------------------------------------------------

Exported = list[tuple[float, float, int]]
Bulk = list[tuple[int, float, float]]


def _tables(
    cases: int,
    lists: dict[str, list[float]],
    exported: Exported,
    rates: dict[str, float],
    bulk: Bulk,
) -> list[list[dict[str, object]]]:
    pages: list[dict[str, object]] = [
        {"cases": cases, "list of 50": name, "ms": statistics.median(ms), "p95 ms": p95(ms)}
        for name, ms in lists.items()
    ]
    export: dict[str, object] = {
        "cases": cases,
        "export": "NDJSON",
        "rows": exported[0][2],
        "rows a second": statistics.median(rate for rate, _, _ in exported),
        "peak MiB more": max(grown for _, grown, _ in exported),
    }
    asked: list[dict[str, object]] = [
        {"cases": cases, "request": name, "a second": rate, "to DRF": rate / rates["constant"]}
        for name, rate in rates.items()
    ]
    many: dict[str, object] = {
        "cases": cases,
        "bulk": bulk[0][0],
        "ms until 202": statistics.median(ms for _, ms, _ in bulk),
        "changed a second": statistics.median(rate for _, _, rate in bulk),
    }
    return [pages, [export], [many], asked]


def _result(
    tenants: int,
    cases: int,
    lists: dict[str, list[float]],
    exported: Exported,
    rates: dict[str, float],
    bulk: Bulk,
) -> dict[str, object]:
    both = [ms for times in lists.values() for ms in times]
    return {
        "tenants": tenants,
        "cases": cases,
        "list_p50_ms": round(statistics.median(both), 2),
        "list_p95_ms": round(p95(both), 2),
        "export_rows_per_s": round(statistics.median(rate for rate, _, _ in exported)),
        "export_peak_mib": round(max(grown for _, grown, _ in exported), 1),
        "bulk_cases": bulk[0][0],
        "bulk_accept_ms": round(statistics.median(ms for _, ms, _ in bulk), 1),
        "bulk_cases_per_s": round(statistics.median(rate for _, _, rate in bulk)),
        "list_per_s": round(rates["list"], 1),
        "floor_per_s": round(rates["constant"], 1),
        "ratio_floor": round(rates["list"] / rates["constant"], 3),
    }


NOTES = """\
Medians, and p95 where it says so; `peak MiB more` is the worst round. 5 % of the cases are open.
`constant`: DRF's own floor. `key`: with our key, quota and rights. `list`: 50 cases. An export is
ended after a million rows (`--quick`: 20,000)."""


if __name__ == "__main__":
    main()
