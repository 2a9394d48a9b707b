"""How many notifications a second the ingress takes, and how long one waits.

Real gunicorn with `csc_portal.ingress.wsgi`, real Valkey, loopback, no Postgres. A post is one
genuine notification of one of 50 tenants: proven by its clientState, noted in Valkey, answered 202.
Baselines on the same process: `/healthz` (no work), and a forged notification (nothing to note).
The client, one thread of Python, shares the machine's cores with the server.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.conf import settings

from benchmarks import HOME
from benchmarks.lab.report import options, progress, show
from simulator import Simulator
from tenants.directories import master_keys
from tenants.push_keys import client_state

WORKERS, THREADS, CONNECTIONS, TENANTS = 2, 4, 8, 50
RESOURCE = "/security/alerts_v2"
NAMES = ("genuine", "forged", "healthz")


@dataclass(frozen=True, slots=True)
class Load:
    """What a round measured: answers a second, and seconds each took."""

    rate: float
    waits: Sequence[float]

    @property
    def p99_ms(self) -> float:
        return 1000 * statistics.quantiles(self.waits, n=100, method="inclusive")[-1]


def main() -> None:
    arguments = options(__doc__)
    rounds, seconds = (3, 2.0) if arguments.quick else (5, 5.0)
    with Simulator(HOME / "simulator", directories=1, empty=True) as vault:
        os.environ.update(vault.environment)
        settings.AZURE_KEY_VAULT_URL = vault.environment["AZURE_KEY_VAULT_URL"]
        port = _free_port()
        server = _serve(port)
        try:
            result, rows = _measure(port, rounds, seconds)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)
    show([result], [rows], NOTES, as_json=arguments.json)


def _measure(
    port: int, rounds: int, seconds: float
) -> tuple[dict[str, object], list[dict[str, object]]]:
    posts = {"genuine": _genuine(), "forged": [_post(uuid.uuid4(), "x" * 90, uuid.uuid4())],
             "healthz": [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]}  # fmt: skip
    found: dict[str, list[Load]] = {name: [] for name in (*NAMES, "half")}
    asyncio.run(_load(port, posts["genuine"], 1.0))
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        for name in NAMES:
            found[name].append(asyncio.run(_load(port, posts[name], seconds)))
        half = found["genuine"][-1].rate / 2
        found["half"].append(asyncio.run(_load(port, posts["genuine"], seconds, half)))
    rate = {name: statistics.median(load.rate for load in loads) for name, loads in found.items()}
    p99 = {name: statistics.median(load.p99_ms for load in loads) for name, loads in found.items()}
    result: dict[str, object] = {
        "requests_per_s": round(rate["genuine"]),
        "p99_ms": round(p99["genuine"], 2),
        "p99_ms_half_load": round(p99["half"], 2),
        "ratio_healthz": round(rate["genuine"] / rate["healthz"], 3),
    }
    rows: list[dict[str, object]] = [
        {
            "post": "genuine, half load" if name == "half" else name,
            "a second": rate[name],
            "p99 ms": p99[name],
            "to healthz": rate[name] / rate["healthz"],
        }
        for name in found
    ]
    return result, rows


# --- the server -----------------------------------------------------------------------------------


def _serve(port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "gunicorn", "csc_portal.ingress.wsgi", "--bind", f"127.0.0.1:{port}",
        "--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS),
        "--keep-alive", "30", "--log-level", "error", "--no-control-socket",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "REDIS_URL": settings.BACKING.redis_url,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    server = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return server
    server.kill()
    raise SystemExit("The ingress did not start.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the client -----------------------------------------------------------------------------------


def _genuine() -> list[bytes]:
    master = master_keys()[0][1]
    found = []
    for _ in range(TENANTS):
        tenant, directory, client_id = (uuid.uuid4() for _ in range(3))
        state = client_state(master, tenant, directory, client_id, RESOURCE)
        found += [_post(tenant, state, directory) for _ in range(20)]
    return found


def _post(tenant: uuid.UUID, state: str, directory: uuid.UUID) -> bytes:
    path = f"security/alerts_v2/da{uuid.uuid4().int % 10**18}_{random.randrange(10**9)}"
    item = {
        "id": uuid.uuid4().hex,
        "subscriptionId": str(uuid.UUID(int=directory.int ^ 1)),
        "subscriptionExpirationDateTime": "2026-12-01T10:00:00.0000000Z",
        "clientState": state,
        "changeType": "updated",
        "resource": path,
        "tenantId": str(directory),
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Security.Alert",
            "@odata.id": path,
            "@odata.etag": f'W/"{uuid.uuid4().hex[:16]}"',
            "id": path.rpartition("/")[2],
        },
    }
    body = orjson.dumps({"value": [item]})
    head = (
        f"POST /notifications/graph/{tenant}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _load(port: int, posts: list[bytes], seconds: float, rate: float = 0) -> Load:
    """Post on all connections for so long; with `rate`, that many a second over all of them."""
    waits: list[float] = []
    started = time.perf_counter()
    pause = CONNECTIONS / rate if rate else 0.0

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = started + pause * number / CONNECTIONS
        turn = number
        while time.perf_counter() - started < seconds:
            if pause:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due += pause
            began = time.perf_counter()
            writer.write(posts[turn % len(posts)])
            turn += CONNECTIONS
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            waits.append(time.perf_counter() - began)
            assert head[9:10] in b"24", head
        writer.close()

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
    return Load(len(waits) / (time.perf_counter() - started), waits)


NOTES = f"""\
Medians of interleaved rounds. {WORKERS} workers with {THREADS} threads, {CONNECTIONS} connections
without a pause; p99 there is mostly waiting behind each other, so it is shown at half load too.
Forged posts are answered 202 or, beyond the limit for one address, 429."""


if __name__ == "__main__":
    main()
