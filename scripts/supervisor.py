"""Keeps child processes: each in its own session, with its own log, ended with this process."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

from scripts.progress import Failed

ROOT = Path(__file__).resolve().parents[1]
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


class Supervisor:
    """Starts processes and stops them in reverse order. Not for threads."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        """Start a process from the repository's root; its output goes to LOG_DIR/NAME.log."""
        with self.log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process only, which ends the others
                preexec_fn=_end_with_parent,
            )

    def log(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"

    def check(self) -> None:
        """Raises Failed if a process has ended."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise Failed(f"{name} ended with code {child.returncode}; see {self.log(name)}")

    def stop(self, grace_s: float = 15) -> None:
        """SIGTERM to each process, and SIGKILL to what is left of its group after grace_s."""
        for child in reversed(self._children.values()):
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + grace_s
        try:
            for child in self._children.values():
                child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass  # killed below
        finally:
            for child in self._children.values():
                _kill_group(child)
            self._children.clear()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # nothing of it is left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _end_with_parent() -> None:
    """In the child: a SIGTERM comes when the parent dies, even if it is killed."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
