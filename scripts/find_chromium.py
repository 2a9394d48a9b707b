"""Finds a Chromium for the browser tests, or installs one; prints its path.

The system's own; else Debian's package, where apt may be used; else Playwright's download.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from scripts.progress import Failed, Progress

NAMES = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    try:
        print(find(Progress()))
    except Failed as err:
        print(f"chromium: {err}", file=sys.stderr)
        return 1
    return 0


def find(progress: Progress) -> str:
    """The path of a Chromium, installed if need be. Raises Failed."""
    found = _on_this_machine()
    if found:
        return found
    reasons = []
    for way, install in (("apt", _by_apt), ("Playwright's download", _by_playwright)):
        progress.step(f"Installing Chromium for the browser tests by {way}")
        problem = install()
        found = _on_this_machine()
        if found:
            return found
        reasons.append(f"{way}: {problem or 'installed nothing that runs'}")
    raise Failed(
        f"the browser tests need Chromium, which could not be installed ({'; '.join(reasons)});"
        " install the package chromium, or name one with CSC_CHROMIUM=/path/to/chromium"
    )


def _on_this_machine() -> str | None:
    named = os.environ.get("CSC_CHROMIUM")
    if named:
        return named
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    return downloaded if Path(downloaded).exists() else None


def _by_apt() -> str:
    """Why it failed; empty if it did not."""
    apt = shutil.which("apt-get")
    if apt is None:
        return "this machine has no apt-get"
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and shutil.which("sudo") is None:
        return "needs root or sudo"
    quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", apt, "-q", "-y"]
    install = [*quiet, "install", "--no-install-recommends", "chromium"]
    return _run([*quiet, "update"]) or _run(install)


def _by_playwright() -> str:
    return _run([sys.executable, "-m", "playwright", "install", "chromium"])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    lines = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
    return next((line.strip() for line in lines if line.startswith(("E:", "Error"))), lines[-1])


if __name__ == "__main__":
    sys.exit(main())
