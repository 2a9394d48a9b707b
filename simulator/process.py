"""Runs `python -m simulator` as a child process, for tests and benchmarks."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from simulator.control import Control

READY_S = 30.0


class Simulator:
    """`with Simulator(state_dir, directories=2, seed=7) as sim:` starts, waits, and stops cleanly.

    `url`, `ca_file`, `environment` (variables for a program under test), `tenants` (what to
    onboard), `truth()`, `control`. Without `state_dir` a temporary one is used and removed.
    """

    def __init__(
        self,
        state_dir: Path | str | None = None,
        *,
        directories: int = 2,
        seed: int = 7,
        pace: float = 0,
        documents: Path | str | None = None,
        empty: bool = False,
        port: int = 0,
    ) -> None:
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="simulator-") if state_dir is None else None
        )
        self.state_dir = Path(self._temporary.name if self._temporary else str(state_dir))
        self._arguments = [
            "--state",
            str(self.state_dir),
            "--directories",
            str(directories),
            "--seed",
            str(seed),
            "--pace",
            str(pace),
            "--port",
            str(port),
            "--json",
            "--until-eof",
        ]
        if documents is not None:
            self._arguments += ["--documents", str(documents)]
        if empty:
            self._arguments.append("--empty")
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.control: Control

    @property
    def ca_file(self) -> Path:
        return self.state_dir / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        return dict(self._read("environment"))

    @property
    def tenants(self) -> list[dict[str, Any]]:
        return list(self._read("tenants"))

    def truth(self) -> dict[str, Any]:
        return self.control.truth()

    def _read(self, name: str) -> Any:
        return json.loads((self.state_dir / f"{name}.json").read_text())

    def start(self) -> "Simulator":
        """Raises RuntimeError with the child's words when it does not get ready."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        log = (self.state_dir / "simulator.log").open("a")
        root = Path(__file__).resolve().parent.parent
        kept = os.environ.get("PYTHONPATH", "")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(part for part in (str(root), kept) if part),
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "simulator", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            cwd=root,
        )
        log.close()
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self.stop()
            raise RuntimeError(f"the simulator did not start: {self.log()[-2000:]}")
        self.url = json.loads(line)["url"]
        self.control = Control(self.url, self.ca_file)
        self._wait()
        return self

    def _wait(self) -> None:
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            try:
                self.control.call("GET", "health")
            except requests.ConnectionError:
                time.sleep(0.02)
                continue
            return
        self.stop()
        raise RuntimeError(f"the simulator did not get ready: {self.log()[-2000:]}")

    def log(self) -> str:
        """What it wrote to standard error, over all starts with this state directory."""
        path = self.state_dir / "simulator.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> "Simulator":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
