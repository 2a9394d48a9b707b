"""Takes the pictures of the README of a running demo: `python -m scripts.screenshots URL USER`.

The password is read from standard input. Pictures go to docs/images/.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PAGES = {
    "queue": ("/", "light"),
    "chain": ("/chain/", "light"),
    "tenants": ("/tenants/", "light"),
    "health-dark": ("/health/", "dark"),
    "onboarding": ("/tenants/new/", "light"),
    "permissions": ("/tenants/contoso-bank/setup/permissions/", "light"),
    "rules": ("/settings/rules/", "light"),
}


def main() -> None:
    url, user = sys.argv[1].rstrip("/"), sys.argv[2]
    password = sys.stdin.readline().strip()
    IMAGES.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("CSC_CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        for name, (path, scheme) in PAGES.items():
            page = signed_in(browser, scheme, url, user, password)
            take(page, url + path, name)
        of_a_case(signed_in(browser, "light", url, user, password), url)
        browser.close()


def of_a_case(page: Page, url: str) -> None:
    """The pictures of docs/analysts.md. A demo closes cases after 20 minutes."""
    page.goto(f"{url}/?severity=high&sort=priority")
    take(page, url + first_case(page), "case")
    page.goto(f"{url}/?closed_by=proof")
    proven = first_case(page)
    page.goto(url + proven)
    page.mouse.wheel(0, 340)
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / "case-proof.png")
    page.goto(f"{url}{proven}?tab=sign-ins")
    page.locator(".live-form button").first.click()
    page.locator(".live-part table").first.wait_for()
    page.screenshot(path=IMAGES / "case-sign-ins.png")
    page.goto(f"{url}{proven}?tab=evidence")
    person = page.locator('.evidence-table a[href*="/entities/"]').first.get_attribute("href")
    take(page, f"{url}{person}", "entity")


def first_case(page: Page) -> str:
    return str(page.locator('#rows a[href*="/cases/"]').first.get_attribute("href"))


def signed_in(browser: Browser, scheme: str, url: str, user: str, password: str) -> Page:
    size = {"width": 1280, "height": 800}
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_load_state("networkidle")
    return page


def take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
