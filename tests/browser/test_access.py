"""Every page can be used by everybody: axe finds nothing, and nothing sticks out of a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site, sign_in
from tests.browser.test_day import first_entry

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
PAGES = (
    "/", "/?sort=due&vip=no", "/?status=any&severity=any", "/?source=none", "/?status=nonsense",
    "/chain/", "/tenants/",
    "/tenants/browse-one/", "/tenants/new/", "/tenants/browse-one/setup/general/",
    "/tenants/browse-one/setup/permissions/", "/tenants/browse-one/setup/tickets/",
    "/tenants/browse-one/setup/tickets/?system=generic", "/tenants/browse-one/setup/assets/",
    "/tenants/browse-one/setup/priority/", "/tenants/browse-one/setup/promises/",
    "/tenants/browse-one/setup/end/", "/settings/rules/", "/settings/rules/new/",
    "/settings/detections/", "/settings/detections/new/", "/settings/installation/", "/health/",
    "/audit/", "/account/password/", "/account/rights/", "/settings/access/",
    "/settings/access/roles/", "/settings/access/people/new/", "/settings/access/groups/",
    "/cases/{case}/", "/cases/{case}/?tab=alerts", "/cases/{case}/?tab=evidence",
    "/cases/{case}/?tab=timeline", "/entities/{entity}/",
)  # fmt: skip


def faults(page: Page) -> list[str]:
    """What axe objects to: rule, and where. The debugger's door is not closed by the page's CSP."""
    found = page.evaluate(f"async ({{rules}}) => {{ {AXE.read_text()}; return axe.run(rules); }}",
                          {"rules": RULES})  # fmt: skip
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.fixture(params=["light", "dark"])
def signed_in(request, browser: Browser, site: Site):  # type: ignore[no-untyped-def]
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=site.url, color_scheme=request.param
    )
    page = context.new_page()
    sign_in(page, site.admin)
    yield page
    context.close()


def test_axe_finds_nothing(signed_in: Page, site: Site) -> None:
    entry = first_entry(site.tenants[1])
    names = {"case": entry.public_id, "entity": entry.entities[0][1]}
    found: dict[str, list[str]] = {}
    for pattern in PAGES:
        signed_in.goto(pattern.format(**names))
        signed_in.wait_for_load_state("networkidle")
        for told in faults(signed_in):
            found.setdefault(told, []).append(pattern)
    assert not found, "\n".join(f"{told} on {places}" for told, places in found.items())


def test_axe_finds_nothing_in_what_opens(signed_in: Page) -> None:
    found = []
    signed_in.locator("[data-live-switch]").wait_for()  # the scripts run: keys are heard
    signed_in.keyboard.press("j")
    signed_in.keyboard.press("x")
    found += faults(signed_in)
    signed_in.keyboard.press("Enter")
    signed_in.locator("#flyout h1").wait_for()
    found += faults(signed_in)
    signed_in.keyboard.press("Escape")
    for key in ("?", "Control+k"):
        signed_in.keyboard.press(key)
        found += faults(signed_in)
        signed_in.keyboard.press("Escape")
    for summary in ("Columns", "Keep as view"):
        signed_in.locator("summary", has_text=summary).click()
        found += faults(signed_in)
        signed_in.keyboard.press("Escape")
    for key in ("r", "s", "c"):
        signed_in.keyboard.press(key)
        signed_in.locator("#ask").wait_for()
        found += faults(signed_in)
        signed_in.keyboard.press("Escape")
    signed_in.locator(".topbar-scope").click()
    signed_in.locator(".scope-option").first.wait_for()
    found += faults(signed_in)
    assert not found, "\n".join(dict.fromkeys(found))


def test_the_sign_in_page_too(browser: Browser, site: Site) -> None:
    page = browser.new_page(base_url=site.url)
    page.goto("/account/login/")
    assert faults(page) == []
    page.close()


@pytest.mark.parametrize("width", [390, 768, 1440, 2560])
def test_nothing_sticks_out(browser: Browser, site: Site, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=site.url)
    page = context.new_page()
    sign_in(page, site.admin)
    entry = first_entry(site.tenants[1])
    names = {"case": entry.public_id, "entity": entry.entities[0][1]}
    wide = {}
    for pattern in PAGES:
        page.goto(pattern.format(**names))
        over = page.evaluate("document.documentElement.scrollWidth") - width
        if over > 0:
            wide[pattern] = over
    context.close()
    assert wide == {}
