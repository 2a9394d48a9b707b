"""Runs the whole portal on this machine: embedded servers, a simulated cloud, three demo tenants.

All state is below CSC_DATA_DIR (default .data/): a second start takes seconds and finds its data.
Ctrl-C stops what was started here and nothing else. Progress goes to standard error.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from csc_portal import services
from csc_portal.embedded.processes import free_port
from scripts import static_files
from scripts.demo_state import DemoState
from scripts.progress import Failed, Progress
from scripts.supervisor import Supervisor
from scripts.waiting import wait_for_http, wait_for_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
ONCE_LIMIT_S = 600
OURS = ("simulator", "logs", "lake", "demo.json", "demo.lock", "migrate.lock", "beat-schedule*")
COUNTS = ("tenants", "alerts", "cases", "tickets", "duplicates", "overlaps", "quarantined")


def main() -> int:
    arguments = _parse()
    data_dir = Path(os.environ.get("CSC_DATA_DIR") or ROOT / ".data").resolve()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        if arguments.reset:
            _reset(data_dir)
            return 0
        with _claim(data_dir):
            return Demo(data_dir, arguments).run()
    except (Failed, services.ServicesError) as err:
        print(f"scripts/demo: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _interrupted(arguments.once)


class Demo:
    """One run: sets up, serves or waits for the first results, and stops what it started."""

    def __init__(self, data_dir: Path, arguments: argparse.Namespace) -> None:
        self.data_dir = data_dir
        self.arguments = arguments
        self.progress = Progress()
        self.state = DemoState(data_dir / "demo.json")
        self.cloud = Supervisor(data_dir / "logs")
        self.portal = Supervisor(data_dir / "logs")
        self.environment: dict[str, str] = {}
        self.tenants = 0
        self.uses_embedded = not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))
        self.servers_ran_before = services.status(data_dir)["postgres"]["running"]

    def run(self) -> int:
        try:
            self.choose_ports()
            static_files.bring_up_to_date(self.progress)
            if self.uses_embedded:
                self.progress.step("Starting PostgreSQL and Valkey")
                services.ensure(self.data_dir)
            self.start_cloud()
            self.progress.step("Preparing the database")
            self.manage("migrate_schemas")
            self.onboard()
            if self.arguments.once:
                self.start_workers()
                return self.wait_for_results()
            login = json.loads(self.manage("demo_login", "--json"))
            self.start_web()
            self.start_workers()
            self.show(login)
            self.serve()
        finally:
            self.stop()
        return 0

    def choose_ports(self) -> None:
        """Those that were asked for, else those of the last time, else free ones."""
        wanted = {"web": 8000, "ingress": 8001, "streams": 8002, "simulator": 0, **self.state.ports}
        for name in wanted:
            asked = getattr(self.arguments, f"{name}_port")
            port = free_port(asked or wanted[name])
            if asked and port != asked:
                raise Failed(f"port {asked} is taken; give --{name}-port another")
            self.state.ports[name] = port
        self.state.save()

    def start_cloud(self) -> None:
        """The simulator; what it writes says how the portal reaches it."""
        self.progress.step("Starting the simulated cloud")
        folder = self.data_dir / "simulator"
        port = self.state.ports["simulator"]
        command = [str(BIN / "python"), "-m", "simulator", "--state", str(folder)]
        command += ["--port", str(port)]
        if self.arguments.documents:
            command += ["--documents", str(Path(self.arguments.documents).resolve())]
        written = (folder / "environment.json", folder / "tenants.json")
        for path in written:
            path.unlink(missing_ok=True)
        self.cloud.start("simulator", command, dict(os.environ))
        wait_until(lambda: all(path.exists() for path in written), "the simulator", self.check)
        wait_for_port(port, "the simulator", self.check)
        self.environment = {
            **os.environ,
            **json.loads(written[0].read_text()),
            "CSC_DATA_DIR": str(self.data_dir),
            "PORTAL_URL": self.url("web"),
            "LOCAL_SECOND_FACTOR": os.environ.get("LOCAL_SECOND_FACTOR", "optional"),
            "PUBLIC_INGRESS_URL": self.url("ingress"),
            # Somebody is watching: new alerts should show while they do.
            "POLL_INTERVAL_S": os.environ.get("POLL_INTERVAL_S", "5"),
            "POLL_INTERVAL_MAX_S": os.environ.get("POLL_INTERVAL_MAX_S", "15"),
        }

    def onboard(self) -> None:
        """The demo tenants, by the command that operators use; again only if something changed."""
        text = self.data_dir.joinpath("simulator", "tenants.json").read_text()
        tenants = json.loads(text)
        self.tenants = len(tenants)
        mark = text + os.environ.get("DATABASE_URL", "")
        if self.state.is_onboarded(mark):
            return
        for tenant in tenants:
            self.progress.step(f"Onboarding {tenant['name']}")
            words = ["onboard", tenant["slug"], "--ticketing", "freshservice", "--enable"]
            for option in ("name", "directory", "client_id", "credential_secret"):
                words += [f"--{option.replace('_', '-')}", tenant[option]]
            for option in ("ticketing_url", "ticketing_secret"):
                words += [f"--{option.replace('_', '-')}", tenant[option]]
            self.manage(*words)
        self.state.set_onboarded(mark)

    def start_web(self) -> None:
        self.progress.step("Starting the portal")
        for name, module, workers, threads in (
            ("web", "csc_portal.wsgi", 2, 4),
            ("ingress", "csc_portal.ingress.wsgi", 2, 4),
            ("streams", "csc_portal.streams.wsgi", 1, 210),
        ):
            bind = f"127.0.0.1:{self.state.ports[name]}"
            command = [str(BIN / "gunicorn"), module, "--bind", bind, "--worker-class", "gthread"]
            command += ["--workers", str(workers), "--threads", str(threads)]
            command += ["--graceful-timeout", "2"] if name == "streams" else []
            command += ["--no-control-socket"]  # it would be in the home folder, one for all
            self.portal.start(name, command, self.environment)

    def start_workers(self) -> None:
        self.progress.step("Starting the workers")
        celery = [str(BIN / "celery"), "--app", "csc_portal"]
        quiet = ["--without-gossip", "--without-mingle"]
        for name, queues, size in (
            ("worker", "ingest,tickets,maintenance", "4"),
            ("worker-slow", "slow", "2"),
        ):
            command = [*celery, "worker", "-Q", queues, "-c", size, "-n", f"{name}@%h", *quiet]
            self.portal.start(name, command, self.environment)
        schedule = str(self.data_dir / "beat-schedule")
        self.portal.start("beat", [*celery, "beat", "-s", schedule, "--pidfile="], self.environment)

    def show(self, login: dict[str, Any]) -> None:
        """Wait until the portal answers, and say where it is."""
        for name in ("web", "ingress", "streams"):
            wait_for_http(f"{self.url(name)}/healthz", f"the {name} process", self.check)
        self.progress.step("Ready")
        print(f"\n  CSC Portal  {self.url('web')}/")
        label = "Login"
        for person in login["people"]:
            known = f"{person['username']} / {person['password']}"
            print(f"  {label:10}  {known:24}  {person['role']}")
            label = ""
        print(f"  Microsoft   {login['microsoft']}, on the simulated sign-in page, which tells the")
        print("              password; your browser does not know its certificate and will say so")
        print(f"  Ingress     {self.url('ingress')}/")
        print(f"  Events      {self.url('streams')}/api/v1/events")
        print(f"  Logs        {self.data_dir / 'logs'}")
        print("\n  Ctrl-C stops it and keeps its data; `scripts/demo --reset` forgets the data.")
        sys.stdout.flush()

    def serve(self) -> None:
        while True:
            self.check()
            time.sleep(1)

    def wait_for_results(self) -> int:
        """Until every tenant has alerts and nothing is on its way any more; prints the counts."""
        deadline = time.monotonic() + ONCE_LIMIT_S
        self.progress.step("Waiting for the first alerts to become cases and tickets")
        while True:
            self.check()
            counts: dict[str, Any] = json.loads(self.manage("demo_counts", "--json"))
            if counts["failed"]:
                raise Failed(f"{counts['failed']} tickets failed; see {self.portal.log('worker')}")
            if counts["tenants_with_alerts"] == self.tenants and not counts["pending"]:
                break
            said = ", ".join(f"{counts[name]} {name}" for name in ("alerts", "cases", "tickets"))
            self.progress.note(f"{said}, {counts['pending']} pending")
            if time.monotonic() > deadline:
                raise Failed(f"not done after {ONCE_LIMIT_S // 60} minutes: {json.dumps(counts)}")
            time.sleep(2)
        result = {name: counts[name] for name in COUNTS}
        result["seconds"] = round(self.progress.seconds, 1)
        if self.arguments.json:
            print(json.dumps(result))
        else:
            print("\n".join(f"{name:12} {value}" for name, value in result.items()))
        return 0

    def check(self) -> None:
        self.cloud.check()
        self.portal.check()

    def manage(self, *words: str) -> str:
        """The standard output of a command of the portal. Raises Failed."""
        command = [str(BIN / "python"), "manage.py", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            log = self.data_dir / "logs" / "setup.log"
            log.write_text(done.stdout + done.stderr)
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Failed(f"manage.py {words[0]} failed: {reason} (all of it: {log})")
        return done.stdout

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.state.ports[name]}"

    def stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # let it end in order
        self.progress.step("Stopping")
        self.portal.stop()
        self.cloud.stop()
        if self.uses_embedded and not self.servers_ran_before:
            services.stop(self.data_dir)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="without web pages; ends when the first alerts have become cases and tickets",
    )
    parser.add_argument("--json", action="store_true", help="with --once: print counts as JSON")
    parser.add_argument("--reset", action="store_true", help="forget the demo's data, and end")
    parser.add_argument(
        "--documents", metavar="DIR", help="JSON documents that the simulator shall serve as well"
    )
    for name, what in (
        ("web", "portal"),
        ("ingress", "ingress"),
        ("streams", "API's events"),
        ("simulator", "simulator"),
    ):
        parser.add_argument(
            f"--{name}-port", type=int, default=0, metavar="N", help=f"port of the {what}"
        )
    return parser.parse_args()


def _claim(data_dir: Path) -> TextIO:
    """One demo a data folder: the lock is held as long as the file is open."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (data_dir / "demo.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        lock.close()
        raise Failed(f"a demo is already running on {data_dir}; stop it first") from err
    return lock


def _reset(data_dir: Path) -> None:
    """Remove what the demo made in the data folder; other files there are not ours."""
    if not data_dir.exists():
        return
    with _claim(data_dir):
        services.erase(data_dir)
        for path in (path for pattern in OURS for path in data_dir.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    print(f"The demo's data in {data_dir} is gone.", file=sys.stderr)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _interrupted(once: bool) -> int:
    if once:
        print("scripts/demo: interrupted", file=sys.stderr)
    return 1 if once else 0


if __name__ == "__main__":
    sys.exit(main())
