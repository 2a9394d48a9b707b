"""Running a server's programs as the owner of its data; finding its process and a port again."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
START_LIMIT_S = 60


class ServicesError(Exception):
    """The embedded servers can't be started or stopped; the message says why and what to do."""


def run_as_owner(
    home: Path, program: Path, *arguments: str | Path, stdin: str = "", cwd: Path = Path("/")
) -> None:
    """Run a program as the owner of home, with a bare environment. Raises ServicesError."""
    owner = home.stat()
    is_root = os.geteuid() == 0
    try:
        done = subprocess.run(  # noqa: S603 (our own programs and arguments)
            [str(program), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=2 * START_LIMIT_S,
            check=False,
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            umask=0o077,
            user=owner.st_uid if is_root else None,
            group=owner.st_gid if is_root else None,
            extra_groups=[] if is_root else None,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise ServicesError(f"{program.name} can't be run for {home}: {err}") from err
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ServicesError(f"{program.name} failed; see the logs in {home}. {' '.join(last)}")


def working_pid(pid_file: Path) -> int | None:
    """The process that a pid file names, if it works in the file's folder.

    None if the file is missing, or stale: its process is gone or its number was given to another.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
        working_dir = os.readlink(f"/proc/{pid}/cwd")
    except (OSError, ValueError, IndexError):
        return None
    return pid if working_dir == str(pid_file.parent.resolve()) else None


def free_port(wanted: int) -> int:
    """The wanted port if nobody listens on it, else (and for 0) any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise ServicesError(f"no free port on {HOST}")


def wait_for(is_ready: Callable[[], bool], what: str, limit_s: float = START_LIMIT_S) -> None:
    """Look every 20 ms. Raises ServicesError after limit_s."""
    deadline = time.monotonic() + limit_s
    while not is_ready():
        if time.monotonic() > deadline:
            raise ServicesError(f"{what} did not start within {limit_s:.0f} seconds")
        time.sleep(0.02)
