"""How many programs can listen to events, how soon they hear, and what that costs.

Each row: so many listeners with one key of all tenants, on one process of streams with a thread
each, while cases change one after the other. `delay` is from a change's commit until it is told to
a listener. The baseline has as many programs that ask `cases/changes` every two seconds of one web
process with four threads. All is on one machine, the listeners too.
"""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import orjson
import psycopg
from django.conf import settings
from django.db import connection
from django.http import QueryDict
from django.utils import timezone

from benchmarks import HOME
from benchmarks.lab.cases import fill, make_tenants, make_user
from benchmarks.lab.report import options, p95, progress, show
from csc_portal.api.cases import mark_of
from csc_portal.api.events import BEAT_S
from csc_portal.api.keys import NewKey, create_key, rights_of_key
from csc_portal.sync import position_now
from tenants.models import ApiKey

CHANGE = """
UPDATE tenants_queueentry SET priority = 100 - priority, change = pg_current_xact_id()::text::bigint
WHERE id = (SELECT id FROM tenants_queueentry WHERE status = 0 ORDER BY id OFFSET %s LIMIT 1)
RETURNING public_id
"""
EVERY_S = 2.0
MOST_S = 20.0
Told = dict[str, list[float]]
"""Public id of a case -> when each listener heard of it."""


def main() -> None:
    arguments = options(__doc__ or "")
    tenants, cases = (100, 100_000) if arguments.quick else (1000, 1_000_000)
    sizes = (20, 50) if arguments.quick else (50, 200)
    changes = 3
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "of a benchmark", []
    progress(f"making {cases:,} cases of {tenants:,} tenants")
    fill(make_tenants(tenants), cases)
    owner = make_user("listener", None)
    secret = create_key(owner, NewKey("x", ["cases:read"]), actor="bench", now=timezone.now())[1]
    rows = []
    for size in sizes:
        for name, module, threads, hear in (
            ("listening", "csc_portal.streams.wsgi", 210, _listen),
            ("asking", "benchmarks.lab.floor", 4, _ask),
        ):
            progress(f"{size} programs, {name}")
            with _serving(module, threads) as (port, worker):
                found = _measured(port, worker, secret, size, changes, hear)
            rows.append({"how": name, "programs": size, **found})
            progress(str(found))
    show(rows, [rows], NOTES, as_json=arguments.json)


def _measured(
    port: int,
    worker: int,
    secret: str,
    size: int,
    changes: int,
    hear: Callable[[int, str, Told, Event, Event], None],
) -> dict[str, object]:
    told: Told = {}
    over, ready = Event(), [Event() for _ in range(size)]
    threads = [
        Thread(target=hear, args=(port, secret, told, began, over), daemon=True) for began in ready
    ]
    for thread in threads:
        thread.start()
    if not all(began.wait(120) for began in ready):
        raise SystemExit("Not everybody could begin.")
    delays: list[float] = []
    before, started = _cpu_s(worker), perf_counter()
    with psycopg.connect(settings.BACKING.admin_database_url, autocommit=True) as conn:
        for number in range(changes):
            case = str(conn.execute(CHANGE, [number]).fetchone()[0])  # type: ignore[index]
            at = perf_counter()
            deadline = at + MOST_S
            while len(told.get(case, ())) < size and perf_counter() < deadline:
                time.sleep(0.05)
            delays += [heard - at for heard in told.get(case, ())]
        passed, used = perf_counter() - started, _cpu_s(worker) - before
        memory = _memory(worker)
    over.set()
    for thread in threads:
        thread.join(EVERY_S + BEAT_S + 5)
    return {
        "heard": len(delays) / (size * changes),
        "delay s": statistics.median(delays),
        "p95 s": p95(delays),
        "of a core": used / passed,
        "MiB": memory,
    }


def _listen(port: int, secret: str, told: Told, began: Event, over: Event) -> None:
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    caller.request("GET", "/api/v1/events", headers=_headers(secret))
    answer = caller.getresponse()
    if answer.status != 200:
        raise SystemExit(f"The API answered {answer.status}.")
    while not over.is_set():
        line = answer.readline()
        began.set()
        if line.startswith(b'data: {"case":"'):
            told.setdefault(line[15:51].decode(), []).append(perf_counter())
    caller.close()


def _ask(port: int, secret: str, told: Told, began: Event, over: Event) -> None:
    """From the end of the sequence on."""
    key = ApiKey.objects.get()
    cursor = mark_of(QueryDict(), rights_of_key(key).tenants, position_now())
    connection.close()
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while not over.is_set():
        caller.request("GET", f"/api/v1/cases/changes?cursor={cursor}", headers=_headers(secret))
        found = orjson.loads(caller.getresponse().read())
        cursor = found["next"]
        for one in found["items"]:
            told.setdefault(one["id"], []).append(perf_counter())
        began.set()
        over.wait(EVERY_S)
    caller.close()


@contextmanager
def _serving(module: str, threads: int) -> Iterator[tuple[int, int]]:
    """Port, and process id of the one worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        sys.executable, "-m", "gunicorn", module, "--bind", f"127.0.0.1:{port}",
        "--worker-class", "gthread", "--workers", "1", "--threads", str(threads),
        "--keep-alive", "30", "--graceful-timeout", "2", "--log-level", "error",
        "--no-control-socket",
    ]  # fmt: skip
    most = {"API_REQUESTS_PER_MINUTE": "1000000000", "API_STREAMS_PER_KEY": "1000"}
    environment = {**os.environ, "CSC_BENCH_HOME": str(HOME), **most}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _await(port)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield port, int(children[0])
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def _await(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            caller.request("GET", "/api/v1/nothing", headers={"Host": "localhost"})
            if caller.getresponse().status == 401:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("gunicorn did not start.")


def _cpu_s(worker: int) -> float:
    fields = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(worker: int) -> float:
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _headers(secret: str) -> dict[str, str]:
    return {"Host": "localhost", "Authorization": f"Bearer {secret}"}


NOTES = """\
`heard`: share of the changes that reached a program within 20 s. `delay s`: median, from the
commit. `of a core`, `MiB`: of the process that serves; PostgreSQL and the programs come on top."""


if __name__ == "__main__":
    main()
