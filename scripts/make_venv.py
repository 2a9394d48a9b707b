"""Makes .venv/ from the requirement files. Only the standard library: nothing is installed yet."""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from scripts.progress import Failed, Progress

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
STAMP = VENV / "installed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/setup", description=__doc__)
    parser.parse_args()
    progress = Progress()
    try:
        # Two commands that start at once must not both install.
        with REQUIREMENTS[0].open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_up_to_date():
                make(progress)
    except Failed as err:
        print(f"scripts/setup: {err}", file=sys.stderr)
        return 1
    return 0


def is_up_to_date() -> bool:
    return STAMP.exists() and STAMP.read_text() == _fingerprint() and _runs(VENV / "bin/python")


def make(progress: Progress) -> None:
    """Create the virtual environment if it does not run, and install the pins. Raises Failed."""
    python = VENV / "bin/python"
    if not _runs(python):
        progress.step("Creating the virtual environment .venv")
        _create()
    progress.step("Installing the pinned packages (some minutes the first time)")
    _install(pip_for(python, sys.executable), progress)
    STAMP.write_text(_fingerprint())
    progress.step("Packages are installed")


def _fingerprint() -> str:
    """Of the requirements, the Python and the place: a moved environment does not work."""
    parts = [path.read_bytes() for path in REQUIREMENTS]
    parts += [sys.version.encode(), os.fsencode(VENV)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _runs(python: Path, *arguments: str) -> bool:
    if not python.exists():
        return False
    words = (*arguments, "--version") if arguments else ("-c", "import sys")
    return subprocess.run([python, *words], capture_output=True, check=False).returncode == 0


def _create() -> None:
    """With pip inside where this Python can, else without it."""
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return
    bare = [*command, "--without-pip"]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(
            f"{sys.executable} can't make a virtual environment"
            f" ({_last_line(done.stderr)}); install its venv module"
            " (Debian, Ubuntu: python3-venv) or name another Python with PYTHON=..."
        )


def pip_for(python: Path, outer: str) -> list[str]:
    """The environment's own pip, else that of the Python outside, working on the environment (pip
    22.3 or newer). Raises Failed.
    """
    if _runs(python, "-m", "pip"):
        return [str(python), "-m", "pip"]
    pip = [outer, "-m", "pip", "--python", str(python)]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        raise Failed(
            f"{outer} has neither ensurepip nor pip; install one of them"
            " (Debian, Ubuntu: python3-venv) or name another Python with PYTHON=..."
        )
    return pip


def _install(pip: list[str], progress: Progress) -> None:
    command = [*pip, "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["-r", str(REQUIREMENTS[1])]
    tail: list[str] = []
    count = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as process:
        for line in process.stdout or ():
            words = line.split()
            if words[:1] == ["Collecting"]:
                count += 1
                progress.note(f"{count} packages found, now {words[1]}")
            elif words[:1] == ["Installing"]:
                progress.note(f"installing {count} packages")
            tail = [*tail[-9:], line.rstrip()]
    if process.returncode != 0:
        raise Failed("pip failed:\n" + "\n".join(tail))


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


if __name__ == "__main__":
    sys.exit(main())
