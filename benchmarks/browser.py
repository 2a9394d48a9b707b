"""How heavy the pages are, how soon they show something, how soon they answer a key or a click.

A real headless Chromium against the web process as scripts/demo starts it, over loopback; what is
shown are the stories of simulated tenants. The pages take turns, so that a disturbance hits all
alike, and beside them stands a page of two letters from the same server: what a browser needs
anyway. All are medians.

Keys of the JSON, a line a page: `page`; `document_kb` and `cold_kb`, bytes of the body as sent, of
the document and of all that a first visit loads; `server_ms` to the first byte of the document;
`fcp_cold_ms` and `fcp_warm_ms`, first contentful paint with an empty cache and on later visits;
`inp_ms`, interaction to next paint: the slowest of a few keys and clicks of each visit (browsers
tell steps of 8 ms, and nothing below 16: that counts as 8).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks import HOME
from benchmarks.lab.report import options, progress, show
from csc_portal import services
from csc_portal.embedded.processes import free_port
from scripts import static_files
from scripts.progress import Progress
from scripts.supervisor import ROOT, Supervisor
from scripts.waiting import wait_for_http
from simulator import Simulator

BIN = ROOT / ".venv" / "bin"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
BASELINE = "two letters"
SHORTEST_MS = 8.0
SETTLED = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"
WATCH = """
window.interactions = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.interactionId) window.interactions.push(entry.duration);
  }
}).observe({ type: "event", durationThreshold: 16, buffered: true });
"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"
TOLD = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const parts = performance.getEntriesByType("resource");
  return {
    document: page.encodedBodySize,
    all: parts.reduce((sum, part) => sum + part.encodedBodySize, page.encodedBodySize),
    server: page.responseStart - page.requestStart,
    painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  };
}"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
LONGEST = "() => new Promise(done => setTimeout(() => done(Math.max(0, ...interactions)), 60))"


@dataclass(slots=True)
class Visits:
    """What single visits of a page told, in bytes and milliseconds."""

    cold: list[dict[str, float]] = field(default_factory=list)
    warm: list[dict[str, float]] = field(default_factory=list)
    interactions: list[float] = field(default_factory=list)


def main() -> None:
    arguments = options(__doc__)
    cold, warm = (2, 4) if arguments.quick else (7, 25)
    static_files.bring_up_to_date(Progress())
    with _portal() as (url, login), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS))
        progress("visiting")
        visits = _visit_all(browser, url, login, cold, warm)
        browser.close()
    results = [_result(name, one) for name, one in visits.items()]
    show(results, [results], NOTES, as_json=arguments.json)


def _chromium() -> str:
    path = os.environ.get("CSC_CHROMIUM") or shutil.which("chromium")
    if not path:
        raise SystemExit("Needs Chromium; set CSC_CHROMIUM to its path.")
    return path


@contextmanager
def _portal() -> Iterator[tuple[str, dict[str, str]]]:
    """A web process with three read tenants: its address, and who may sign in."""
    services.ensure(Path(os.environ["CSC_DATA_DIR"]))
    running = Supervisor(HOME / "logs")
    with Simulator(HOME / "simulator", directories=3) as cloud:
        surroundings = {**os.environ, **cloud.environment, "LOCAL_SECOND_FACTOR": "optional"}
        _manage(surroundings, "migrate_schemas")
        for tenant in cloud.tenants:
            progress(f"reading {tenant['name']}")
            words = ["onboard", tenant["slug"], "--enable"]
            for option in ("name", "directory", "client_id", "credential_secret"):
                words += [f"--{option.replace('_', '-')}", tenant[option]]
            _manage(surroundings, *words)
            _manage(surroundings, "sync", tenant["slug"], "--source", "alerts")
        login = json.loads(_manage(surroundings, "demo_login", "--json"))
        port = free_port(0)
        command = [
            str(BIN / "gunicorn"), "csc_portal.wsgi", "--bind", f"127.0.0.1:{port}",
            "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket",
        ]  # fmt: skip
        try:
            running.start("web", command, surroundings)
            url = f"http://127.0.0.1:{port}"
            wait_for_http(f"{url}/readyz", "the web process", running.check)
            yield url, login
        finally:
            running.stop()


def _manage(surroundings: dict[str, str], *words: str) -> str:
    command = [str(BIN / "python"), "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SystemExit(f"manage.py {words[0]}: {reason}")
    return done.stdout


def _visit_all(
    browser: Browser, url: str, login: dict[str, str], cold: int, warm: int
) -> dict[str, Visits]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=url)
    page = context.new_page()
    page.goto("/account/login/")
    page.fill("input[name=username]", login["username"])
    page.fill("input[name=password]", login["password"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Leave the tour").click()
    case = page.locator(".case-title").first.get_attribute("href") or ""
    state = context.storage_state()
    places: dict[str, tuple[str, Callable[[Page], None]]] = {
        BASELINE: ("/healthz", _idle),
        "queue": ("/", _work_in_the_queue),
        "case": (case, _look_through_a_case),
        "chain": ("/chain/", _ask_for_help),
        "tenants": ("/tenants/", _ask_for_help),
    }
    visits = {name: Visits() for name in places}
    for number in range(cold):
        for name, (place, _) in places.items():
            fresh = _watched(browser, url, state)
            told = _open(fresh.new_page(), place)
            fresh.close()
            visits[name].cold += [told] if number or cold == 1 else []
    watched = _watched(browser, url, state)
    page = watched.new_page()
    for number in range(-1, warm):
        for name, (place, act) in places.items():
            told = _open(page, place)
            act(page)
            longest = max(SHORTEST_MS, page.evaluate(LONGEST))
            if number >= 0:
                visits[name].warm.append(told)
                visits[name].interactions.append(longest)
    return visits


def _watched(browser: Browser, url: str, state: Any) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=url, storage_state=state
    )
    context.add_init_script(WATCH)
    return context


def _open(page: Page, place: str) -> dict[str, float]:
    page.goto(place)
    page.wait_for_function(PAINTED)
    page.wait_for_function(SETTLED)
    told: dict[str, float] = page.evaluate(TOLD)
    return told


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.evaluate(TWO_FRAMES)


def _idle(page: Page) -> None:
    _press(page, "j", "x", "?")
    page.mouse.click(300, 300)


def _ask_for_help(page: Page) -> None:
    _press(page, "?", "Escape", "Control+k", "Escape")


def _work_in_the_queue(page: Page) -> None:
    """Move, select, open beside the list, close."""
    page.locator("[data-live-switch]").wait_for()
    _press(page, "j", "j", "x", "x", "Enter")
    page.locator("#flyout h1").wait_for()
    _press(page, "Escape", "?", "Escape")


def _look_through_a_case(page: Page) -> None:
    page.locator("#tab-alerts").click()
    page.evaluate(TWO_FRAMES)
    page.wait_for_function(SETTLED)
    page.locator("#tab-overview").click()
    page.evaluate(TWO_FRAMES)


def _result(name: str, visits: Visits) -> dict[str, object]:
    def median(told: list[dict[str, float]], key: str, unit: float = 1) -> float:
        return round(statistics.median(one[key] for one in told) / unit, 1)

    return {
        "page": name,
        "document_kb": median(visits.warm, "document", 1024),
        "cold_kb": median(visits.cold, "all", 1024),
        "server_ms": median(visits.warm, "server"),
        "fcp_cold_ms": median(visits.cold, "painted"),
        "fcp_warm_ms": median(visits.warm, "painted"),
        "inp_ms": round(statistics.median(visits.interactions), 1),
    }


NOTES = "kb are KiB. 'two letters' is the same server's shortest answer: the browser's own share."


if __name__ == "__main__":
    main()
