"""The embedded servers: started once a data folder, closed to strangers, found after trouble."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from csc_portal import services
from csc_portal.embedded import programs

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers change their user")


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    services.erase(folder)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with running servers, for tests that only look."""
    folder = tmp_path_factory.mktemp("running") / "data"
    services.ensure(folder)
    yield folder
    services.erase(folder)


def query(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def test_a_new_folder_gets_both_servers_and_a_second_call_shares_them(data_dir: Path) -> None:
    first = services.ensure(data_dir)
    running = services.status(data_dir)

    assert query(first.database_url, "SELECT current_user") == "csc_app"
    assert query(first.admin_database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = user")
    assert str(query(first.database_url, "SHOW server_version")).startswith("18.")
    assert query(first.database_url, "SELECT upper('é')") == "É"
    assert redis.Redis.from_url(first.redis_url).ping()
    assert services.ensure(data_dir) == first
    assert services.status(data_dir) == running


def test_the_app_role_has_no_special_right(running: Path) -> None:
    url = services.ensure(running).database_url
    rights = (
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication"
        " FROM pg_roles WHERE rolname = current_user"
    )
    assert query(url, rights) is False


def test_nobody_gets_in_without_the_password(running: Path) -> None:
    found = services.ensure(running)
    password = found.admin_database_url.split(":")[2].split("@")[0]

    for wrong in ("", "guess"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(found.admin_database_url.replace(password, wrong))
    port = int(found.redis_url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()


def test_secrets_are_only_in_their_file(running: Path) -> None:
    found = services.ensure(running)
    secret = found.database_url.split(":")[2].split("@")[0]

    path = running / "services.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    holders = [
        file
        for file in (*running.glob("*"), *(running / "servers").resolve().rglob("*"))
        if file.is_file() and secret.encode() in file.read_bytes()
    ]
    assert holders == [path]
    assert secret not in repr(found)
    for server in (services.status(running)["postgres"], services.status(running)["redis"]):
        assert secret not in Path(f"/proc/{server['pid']}/cmdline").read_text()


def test_the_log_takes_no_value_of_a_failed_statement(running: Path) -> None:
    url = services.ensure(running).database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE t (name text UNIQUE)")
        for _ in range(2):
            try:
                connection.execute("INSERT INTO t VALUES ('eve@example.com')")
            except psycopg.errors.UniqueViolation:
                continue
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT 'eve@example.com'::uuid")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT %s::uuid", ["eve@example.com"])

    log = (running / "servers" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "eve" not in log


def test_data_and_ports_outlive_a_stop(data_dir: Path) -> None:
    first = services.ensure(data_dir)
    with psycopg.connect(first.admin_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    services.stop(data_dir)
    services.stop(data_dir)  # nothing runs any more: nothing happens
    assert services.status(data_dir)["postgres"] == {"running": False, "pid": None, "port": None}
    assert services.status(data_dir)["redis_url"] is None

    again = services.ensure(data_dir)
    assert again == first
    assert query(again.admin_database_url, "SELECT n FROM kept") == 7


def test_ports_that_were_taken_meanwhile_are_chosen_anew(data_dir: Path) -> None:
    first = services.ensure(data_dir)
    services.stop(data_dir)
    ports = [int(url.split(":")[3].split("/")[0]) for url in (first.database_url, first.redis_url)]
    with (
        socket.create_server(("127.0.0.1", ports[0])),
        socket.create_server(("127.0.0.1", ports[1])),
    ):
        again = services.ensure(data_dir)
        assert again.database_url != first.database_url
        assert again.redis_url != first.redis_url
        assert query(again.database_url, "SELECT 1") == 1


def test_two_folders_are_two_installations(data_dir: Path, tmp_path: Path) -> None:
    other_dir = tmp_path / "other"
    try:
        one, other = services.ensure(data_dir), services.ensure(other_dir)
        assert one.database_url != other.database_url
        assert one.redis_url != other.redis_url
        services.stop(data_dir)
        assert query(other.database_url, "SELECT 1") == 1
    finally:
        services.erase(other_dir)


def test_commands_that_start_at_once_share_one_pair(data_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from csc_portal import services;"
        "print(services.ensure(Path(sys.argv[1])).database_url)"
    )
    starting = [
        subprocess.Popen([sys.executable, "-c", code, data_dir], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    urls = {process.communicate(timeout=300)[0].strip() for process in starting}
    assert urls == {services.ensure(data_dir).database_url}
    assert "" not in urls


def test_servers_that_were_killed_start_again(data_dir: Path) -> None:
    services.ensure(data_dir)
    state = services.status(data_dir)
    for server in (state["postgres"], state["redis"]):
        assert server["pid"]
        os.kill(server["pid"], signal.SIGKILL)
    wait_until_ended(data_dir)

    assert query(services.ensure(data_dir).database_url, "SELECT 1") == 1


def test_pid_files_whose_number_another_program_got_are_ignored(data_dir: Path) -> None:
    services.ensure(data_dir)
    services.stop(data_dir)
    home = data_dir / "servers"
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    (home / "valkey" / "valkey.pid").write_text(f"{os.getpid()}\n")

    services.stop(data_dir)  # must not signal this process
    assert query(services.ensure(data_dir).database_url, "SELECT 1") == 1


def test_a_cluster_that_was_left_half_made_is_made_anew(data_dir: Path) -> None:
    services.ensure(data_dir)
    services.stop(data_dir)
    home = (data_dir / "servers").resolve()
    (home / "postgres").rename(home / "postgres.new")

    assert query(services.ensure(data_dir).database_url, "SELECT 1") == 1


def test_a_damaged_passwords_file_is_named(data_dir: Path) -> None:
    services.ensure(data_dir)
    path = data_dir / "services.json"
    good = path.read_text()
    path.write_text("{")
    with pytest.raises(services.ServicesError, match="damaged"):
        services.ensure(data_dir)
    path.write_text(good)


def test_a_deep_folder_with_spaces_works(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a rather 'long' name, ünïcode too"] * 5)
    try:
        assert query(services.ensure(folder).database_url, "SELECT 1") == 1
    finally:
        services.erase(folder)


@AS_ROOT
def test_roots_servers_run_as_another_user_with_closed_data(running: Path) -> None:
    services.ensure(running)
    state = services.status(running)
    for server in (state["postgres"], state["redis"]):
        assert Path(f"/proc/{server['pid']}").stat().st_uid != 0
    assert stat.S_IMODE((running / "servers").stat().st_mode) == 0o700


@AS_ROOT
def test_below_a_closed_folder_root_keeps_the_data_outside(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    services.ensure(data_dir)
    place = (data_dir / "servers").resolve()
    assert place.is_relative_to("/var/lib/csc-portal")
    assert stat.S_IMODE(data_dir.parent.stat().st_mode) == 0o700

    services.stop(data_dir)
    shutil.rmtree(data_dir)
    found = services.ensure(data_dir)  # a new folder of the same path finds nothing of the old
    assert query(found.database_url, "SELECT 1") == 1
    services.erase(data_dir)
    assert not place.exists()


@AS_ROOT
def test_programs_that_others_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "is_open_to_others", lambda path: False)
    monkeypatch.setattr(programs, "root_state", lambda: tmp_path)

    program = programs.postgres_program("postgres")

    assert program.is_relative_to(tmp_path)
    assert stat.S_IMODE(program.stat().st_mode) & 0o055 == 0o055
    assert programs.valkey_program().is_relative_to(tmp_path)


def wait_until_ended(data_dir: Path) -> None:
    deadline = time.monotonic() + 60
    while any(
        server["running"]
        for server in (services.status(data_dir)["postgres"], services.status(data_dir)["redis"])
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
