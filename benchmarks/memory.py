"""How much memory web, worker and beat take, at rest and at work.

The processes as scripts/demo starts them, against the simulator over TLS. Counted is the
proportional set size (shared pages are shared out) of a program and all its children, from
/proc/PID/smaps_rollup. Under load the workers take new alerts of every tenant, and two sessions
read the queue's pages without a pause; counted is the highest moment.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil

from benchmarks import HOME
from benchmarks.lab.report import options, progress, show
from csc_portal import services
from csc_portal.embedded.processes import free_port
from scripts import static_files
from scripts.progress import Progress
from scripts.supervisor import ROOT, Supervisor
from scripts.waiting import wait_for_http
from simulator import Simulator

BIN = ROOT / ".venv" / "bin"
CELERY = (str(BIN / "celery"), "--app", "csc_portal")
PROGRAMS = {
    "web": "2 processes of 4 threads",
    "worker": "1 and 4 processes",
    "beat": "1 process",
}
READERS = 2
SAMPLE_S = 0.5
Readings = dict[str, list[float]]


def main() -> None:
    arguments = options(__doc__)
    tenants, alerts, load_s, settle_s = (2, 300, 15, 5) if arguments.quick else (5, 5000, 90, 20)
    static_files.bring_up_to_date(Progress())
    data_dir = Path(os.environ["CSC_DATA_DIR"])
    services.ensure(data_dir)
    portal = Supervisor(HOME / "logs")
    with Simulator(HOME / "simulator", directories=tenants, empty=True) as cloud:
        environment = {**os.environ, **cloud.environment, "LOCAL_SECOND_FACTOR": "optional"}
        for tenant in cloud.tenants:
            fill = {"count": alerts, "hours": 48}
            cloud.control.call("POST", f"directories/{tenant['slug']}/fill", fill)
        login = json.loads(_manage(environment, "demo_login", "--json"))
        port = free_port(0)
        try:
            pids = _start(portal, environment, port, data_dir)
            wait_for_http(f"http://127.0.0.1:{port}/healthz", "the web process", portal.check)
            _read_queue(port, login, 0)  # one page, so that modules are loaded
            time.sleep(settle_s)
            progress("at rest")
            rest = {name: _pss_mb(pid) for name, pid in pids.items()}
            progress("at work")
            load: Readings = {name: [] for name in pids}
            end = time.monotonic() + load_s
            with _readers(port, login, end):
                _onboard(cloud, environment)
                while time.monotonic() < end:
                    for name, pid in pids.items():
                        load[name].append(_pss_mb(pid))
                    time.sleep(SAMPLE_S)
            portal.check()
            counts = json.loads(_manage(environment, "demo_counts", "--json"))
        finally:
            portal.stop()
    work = f"{counts['alerts']:,} alerts, {counts['cases']:,} cases, {counts['tickets']:,} tickets"
    _report(pids, rest, load, work, as_json=arguments.json)


def _onboard(cloud: Simulator, environment: dict[str, str]) -> None:
    """The workers then read all alerts of the directories."""
    for tenant in cloud.tenants:
        words = ["onboard", tenant["slug"], "--ticketing", "freshservice", "--enable"]
        for option in ("name", "directory", "client_id", "credential_secret"):
            words += [f"--{option.replace('_', '-')}", tenant[option]]
        for option in ("ticketing_url", "ticketing_secret"):
            words += [f"--{option.replace('_', '-')}", tenant[option]]
        _manage(environment, *words)


def _manage(environment: dict[str, str], *words: str) -> str:
    command = [str(BIN / "python"), "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"manage.py {words[0]}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def _start(
    portal: Supervisor, environment: dict[str, str], port: int, data_dir: Path
) -> dict[str, int]:
    """Name -> process id of its first process."""
    commands = {
        "web": [
            str(BIN / "gunicorn"), "csc_portal.wsgi", "--bind", f"127.0.0.1:{port}",
            "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket",
        ],
        "worker": [
            *CELERY, "worker", "-Q", "ingest,tickets,maintenance,slow", "-c", "4",
            "--without-gossip", "--without-mingle",
        ],
        "beat": [*CELERY, "beat", "-s", str(data_dir / "beat-schedule"), "--pidfile="],
    }  # fmt: skip
    for name, command in commands.items():
        portal.start(name, command, environment)
    mine = psutil.Process().children()
    return {
        name: next(child.pid for child in mine if set(command[1:4]) <= set(child.cmdline()))
        for name, command in commands.items()
    }


def _pss_mb(pid: int) -> float:
    """Of the process and everything below it."""
    process = psutil.Process(pid)
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        total += int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1])
    return total / 1024


@contextmanager
def _readers(port: int, login: dict[str, str], end: float) -> Iterator[None]:
    threads = [
        threading.Thread(target=_read_queue, args=(port, login, end)) for _ in range(READERS)
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _read_queue(port: int, login: dict[str, str], end: float) -> None:
    """Signs in and reads the queue, at least once and until a time of the monotonic clock."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    cookies: dict[str, str] = {}

    def ask(method: str, path: str, form: dict[str, str] | None = None) -> str:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form or {}), headers)
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            cookies[name] = value
        body = answer.read().decode()
        if answer.status >= 400:
            raise SystemExit(f"{path} answered {answer.status}")
        return body

    page = ask("GET", "/account/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    known = {name: login[name] for name in ("username", "password")}
    ask("POST", "/account/login/", {**known, "csrfmiddlewaretoken": token})
    ask("GET", "/")
    while time.monotonic() < end:
        ask("GET", "/?severity=high&severity=medium&pillar=identity")
        ask("GET", "/")


def _report(
    pids: dict[str, int], rest: dict[str, float], load: Readings, work: str, *, as_json: bool
) -> None:
    highest = {name: max(values) for name, values in load.items()}
    rows = [
        {
            "program": name,
            "is": PROGRAMS[name],
            "MB at rest": rest[name],
            "MB at work": highest[name],
            "growth": highest[name] / rest[name],
        }
        for name in pids
    ]
    result = {f"{name}_mb": round(highest[name], 1) for name in ("web", "worker", "beat")}
    show([result], [rows], f"{NOTES}\nMade at work: {work}.", as_json=as_json)


NOTES = "MB are MiB of proportional set size; JSON has them at work."


if __name__ == "__main__":
    main()
