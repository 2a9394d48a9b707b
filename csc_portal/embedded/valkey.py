"""The embedded Valkey, in the folder `valkey` of the servers' home.

State is in PostgreSQL and a lost broker costs nothing, so snapshots now and then are enough.
"""

import contextlib
import os
import socket
from pathlib import Path

from csc_portal.embedded.processes import HOST, run_as_owner, wait_for, working_pid
from csc_portal.embedded.programs import valkey_program


def pid(home: Path) -> int | None:
    """The server's process, ready or not; None if it does not run."""
    return working_pid(home / "valkey" / "valkey.pid")


def is_ready(home: Path, port: int, password: str) -> bool:
    """Whether our own server answers; a stranger on the port is not sent the password."""
    return pid(home) is not None and b"+PONG" in _ask(port, password, "PING")


def start(home: Path, port: int, password: str) -> None:
    """Start the server and wait until it answers. Raises ServicesError."""
    folder = home / "valkey"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, home.stat().st_uid, home.stat().st_gid)
    folder.joinpath("valkey.pid").unlink(missing_ok=True)  # stale, or we would not be here
    lines = (
        f"bind {HOST}",
        f"port {port}",
        f"requirepass {password}",
        "daemonize yes",
        "pidfile valkey.pid",
        "logfile ../valkey.log",
        "save 300 1 60 1000",
        "stop-writes-on-bgsave-error no",
    )
    # By standard input: the password is in no file and on no command line.
    run_as_owner(home, valkey_program(), "-", stdin="\n".join(lines) + "\n", cwd=folder)
    wait_for(lambda: is_ready(home, port, password), "Valkey")


def stop(home: Path, port: int, password: str) -> None:
    """Stop the server, if it runs. Its connection ends when the process does."""
    if pid(home) is not None:
        _ask(port, password, "SHUTDOWN", timeout_s=30)


def _ask(port: int, password: str, command: str, timeout_s: float = 5) -> bytes:
    """The whole answer to one command; empty if nobody answers."""
    answer = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((HOST, port), timeout=timeout_s) as connection,
    ):
        connection.sendall(f"AUTH {password}\r\n{command}\r\nQUIT\r\n".encode())
        while chunk := connection.recv(4096):
            answer += chunk
    return answer
