"""The commands in scripts/: set-up, child processes, static files, and what keeps files in step."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import make_venv, static_files
from scripts.demo_state import DemoState
from scripts.progress import Failed
from scripts.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[1]
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


# --- scripts/setup ---


@pytest.fixture
def bare_repository(tmp_path: Path) -> Path:
    """A repository whose set-up needs no packages."""
    for name in ("setup", "__init__.py", "make_venv.py", "progress.py"):
        target = tmp_path / "scripts" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "scripts" / name, target)
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return tmp_path


def test_setup_makes_the_environment_once_and_mends_it(bare_repository: Path) -> None:
    setup = bare_repository / "scripts" / "setup"
    python = bare_repository / ".venv" / "bin" / "python"

    first = run(setup)
    assert first.returncode == 0, first.stderr
    assert "Creating" in first.stderr
    assert first.stdout == ""
    assert run(setup).stderr == ""  # nothing to do, nothing said

    with (bare_repository / "requirements.txt").open("a") as file:
        file.write("# a new pin\n")
    again = run(setup)
    assert "Installing" in again.stderr
    assert "Creating" not in again.stderr

    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert "Creating" in run(setup).stderr
    assert run(python, "-c", "").returncode == 0


def test_an_environment_without_pip_is_served_by_the_one_outside(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path)
    python = tmp_path / "bin" / "python"
    pip = make_venv.pip_for(python, sys.executable)
    assert pip == [sys.executable, "-m", "pip", "--python", str(python)]
    assert "pip" in run(*pip, "--version").stdout
    assert make_venv.pip_for(Path(sys.executable), "/nowhere")[0] == sys.executable


def test_setup_says_which_packages_fail(bare_repository: Path) -> None:
    (bare_repository / "requirements.txt").write_text("./no-such-package\n")
    done = run(bare_repository / "scripts" / "setup")
    assert done.returncode == 1
    assert "pip failed" in done.stderr
    assert "no-such-package" in done.stderr
    assert "Traceback" not in done.stderr


def test_setup_without_a_python_says_so(bare_repository: Path) -> None:
    tools = bare_repository / "tools"
    tools.mkdir()
    (tools / "dirname").symlink_to(str(shutil.which("dirname")))
    done = run(bare_repository / "scripts" / "setup", PATH=str(tools), PYTHON="no-such-python")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


# --- child processes ---


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    kept = Supervisor(tmp_path / "logs")
    yield kept
    kept.stop(grace_s=0)


def test_a_child_that_ends_is_told_with_its_log(supervisor: Supervisor) -> None:
    code = "import sys; print('why'); sys.exit(3)"
    supervisor.start("failing", [sys.executable, "-c", code], dict(os.environ))
    with pytest.raises(Failed, match=r"failing ended with code 3; see .*failing\.log"):
        wait_until(lambda: supervisor.check() is not None)
    assert supervisor.log("failing").read_text() == "why\n"


def test_stop_ends_children_that_do_not_listen_and_their_children(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    deaf = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen({SLEEP!r})\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')\n"
        "time.sleep(600)\n"
    )
    stranger = subprocess.Popen(SLEEP)
    supervisor.start("deaf", [sys.executable, "-c", deaf], dict(os.environ))
    wait_until(lambda: pids.exists() and pids.read_text().endswith(" "))
    supervisor.stop(grace_s=0.2)

    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not is_running(int(pid)))
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = (
        f"import os, time; open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(600)"
    )
    keeper = (
        "import os, sys, time; from pathlib import Path\n"
        "from scripts.supervisor import Supervisor\n"
        f"kept = Supervisor(Path({str(tmp_path)!r}))\n"
        f"kept.start('child', [sys.executable, '-c', {child!r}], dict(os.environ))\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", keeper], cwd=ROOT)
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith(" "))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not is_running(int(pid_file.read_text())))


# --- scripts/demo ---


def test_reset_removes_what_is_the_demos_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text("")
    (tmp_path / "demo.json").write_text("{}")
    (tmp_path / "letter.txt").write_text("mine")

    done = run(sys.executable, "-m", "scripts.demo", "--reset", CSC_DATA_DIR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_what_the_demo_remembers_outlives_it(tmp_path: Path) -> None:
    state = DemoState(tmp_path / "demo.json")
    assert not state.is_onboarded("three tenants")
    state.ports["web"] = 8000
    state.set_onboarded("three tenants")

    again = DemoState(tmp_path / "demo.json")
    assert again.ports == {"web": 8000}
    assert again.is_onboarded("three tenants")
    assert not again.is_onboarded("four tenants")


# --- scripts/bench ---


def test_bench_lists_the_benchmarks_when_the_name_is_wrong() -> None:
    done = run(ROOT / "scripts" / "bench", "no_such_benchmark")
    assert done.returncode == 1
    assert "usage: scripts/bench NAME" in done.stderr


# --- static files ---


def test_the_sprite_holds_each_icon_once() -> None:
    text = static_files.sprite(["user", "lock"])
    assert re.findall(r'<symbol id="([a-z-]+)"', text) == ["user", "lock"]
    assert text.count("<svg") == 1


def test_an_icon_that_does_not_exist_is_named() -> None:
    with pytest.raises(Failed, match="no-such-icon"):
        static_files.sprite(["no-such-icon"])


def test_icons_in_templates_are_in_the_sprite() -> None:
    named = set((ROOT / "templates" / "icons.txt").read_text().split())
    for template in (ROOT / "templates").rglob("*.html"):
        used = set(re.findall(r"icons\.svg' %\}#([a-z0-9-]+)", template.read_text()))
        assert used <= named, f"{template.name}: add to templates/icons.txt: {used - named}"


def test_copies_name_no_source_map() -> None:
    for name in static_files.COPIES.values():
        assert "sourceMappingURL" not in (static_files.VENDOR / name).read_text()


# --- files that must stay in step ---


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())


def test_pins_are_exact() -> None:
    manifest = json.loads((ROOT / "package.json").read_text())
    versions = {**manifest["dependencies"], **manifest["devDependencies"]}.values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def test_every_setting_is_in_the_example() -> None:
    settings = (ROOT / "csc_portal" / "settings.py").read_text()
    example = (ROOT / ".env.example").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    assert names
    assert {name for name in names if f"#{name}=" not in example} == set()


def test_workers_serve_every_queue() -> None:
    queues = set(re.findall(r"[a-z]+", queue_names()))
    for path in (ROOT / "scripts" / "demo.py", ROOT / "deploy" / "compose.yaml"):
        words = set(re.findall(r"[a-z]+", path.read_text()))
        assert queues <= words, f"{path.name} leaves out {queues - words}"


def queue_names() -> str:
    celery = (ROOT / "csc_portal" / "celery.py").read_text()
    found = re.search(r"Queue\(name\) for name in \((.*?)\)", celery)
    assert found
    return found[1]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
