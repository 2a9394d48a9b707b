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
        page = signed_in(browser, "light", url, user, password)
        page.goto(f"{url}/?severity=high")
        case = page.locator('a[href*="/cases/"]').first.get_attribute("href")
        take(page, f"{url}{case}", "case")
        browser.close()


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
