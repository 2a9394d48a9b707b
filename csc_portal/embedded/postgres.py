"""The embedded PostgreSQL, in the folder `postgres` of the servers' home."""

import contextlib
import shlex
import shutil
import time
from pathlib import Path

from csc_portal.embedded.processes import (
    HOST,
    START_LIMIT_S,
    ServicesError,
    free_port,
    run_as_owner,
    wait_for,
    working_pid,
)
from csc_portal.embedded.programs import postgres_program

START_ATTEMPTS = 3  # a port may be taken between our look and the server's
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "max_locks_per_transaction": "256",  # a statement may touch the tables of many tenants
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "1",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # "log" leaves out the errors of statements, whose texts quote values; "terse" drops DETAIL and
    # CONTEXT of the rest.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}


def pid(home: Path) -> int | None:
    """The server's process, ready or not; None if it does not run."""
    return working_pid(_pid_file(home))


def ready_port(home: Path) -> int | None:
    """The port of a server that takes connections: postmaster.pid, line 4; line 8 is its state."""
    if pid(home) is None:
        return None
    try:
        lines = _pid_file(home).read_text().splitlines()
    except FileNotFoundError:  # it ended just now
        return None
    return int(lines[3]) if len(lines) > 7 and lines[7].strip() == "ready" else None


def create(home: Path, superuser_password: str, app_password: str) -> None:
    """Make the cluster with the login role `csc_app` and the database `csc`, unless it is there.

    It is made in a folder aside, so that it is there whole or not at all.
    """
    if home.joinpath("postgres").exists():
        return
    fresh = home / "postgres.new"
    if fresh.exists():
        shutil.rmtree(fresh)
    # The built-in provider has Unicode rules that don't change with the system's C library.
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    access = ("--username=postgres", "--auth-host=scram-sha-256", "--auth-local=reject")
    initdb = postgres_program("initdb")
    run_as_owner(home, initdb, "-D", fresh, "--encoding=UTF8", *locale, *access)
    statements = (
        f"ALTER ROLE postgres PASSWORD '{superuser_password}'",
        "CREATE ROLE csc_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        f" PASSWORD '{app_password}'",
        "CREATE DATABASE csc",
    )
    # Single-user mode: the passwords go by a pipe, while nobody can connect.
    text = "".join(f"{statement};\n" for statement in statements)
    options = ("--single", "-D", fresh, "-c", "exit_on_error=on", "postgres")
    run_as_owner(home, postgres_program("postgres"), *options, stdin=text)
    fresh.rename(home / "postgres")


def start(home: Path, wanted_port: int) -> int:
    """Start the server unless it runs; the port that it listens on. Raises ServicesError."""
    if pid(home) is None:
        _drop_reused_pid_file(_pid_file(home))
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                _pg_ctl_start(home, free_port(wanted_port))
            except ServicesError:
                if attempt == START_ATTEMPTS:
                    raise
                time.sleep(0.5)  # also lets the last processes of a killed server end
            else:
                break
    # If it ran already, whoever started it was killed before it was ready.
    wait_for(lambda: ready_port(home) is not None, "PostgreSQL")
    return ready_port(home) or 0


def stop(home: Path) -> None:
    """Stop the server, if it runs; open transactions are rolled back. Raises ServicesError."""
    if pid(home) is not None:
        words = ("stop", "-m", "fast", "-w", "-D", home / "postgres")
        run_as_owner(home, postgres_program("pg_ctl"), *words)


def _pid_file(home: Path) -> Path:
    return home / "postgres" / "postmaster.pid"


def _pg_ctl_start(home: Path, port: int) -> None:
    settings = {**SETTINGS, "port": str(port)}
    options = shlex.join(word for item in settings.items() for word in ("-c", "=".join(item)))
    words = ("start", "-w", "-t", str(START_LIMIT_S), "-o", options)
    places = ("-D", home / "postgres", "-l", home / "postgres.log")
    run_as_owner(home, postgres_program("pg_ctl"), *words, *places)


def _drop_reused_pid_file(pid_file: Path) -> None:
    """Remove a stale postmaster.pid whose process id now belongs to another program.

    PostgreSQL would refuse to start. A file whose process is gone is left: PostgreSQL itself then
    checks that no process of the dead server still uses the data.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        old = int(pid_file.read_text().split()[0])
        if Path(f"/proc/{old}").exists():
            pid_file.unlink()
