"""Every page can be used by everybody: axe finds nothing, and nothing sticks out of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tenants.models import FindingEntry
from tenants.scope import granted
from tests.browser.conftest import Site, sign_in
from tests.browser.test_day import first_entry

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""What else could differ between the themes?"""
WIDTHS = (390, 768, 2560, 1440)  # the last is how the next page is opened
SETTLED = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"
IS_DARK = "() => document.documentElement.dataset.bsTheme === 'dark'"
PAGES = {
    "queue": (
        "/", "/?sort=due&vip=no", "/?status=any&severity=any", "/?source=none", "/?status=nonsense",
        "/chain/",
    ),
    "cases": (
        "/cases/{case}/", "/cases/{case}/?tab=alerts", "/cases/{case}/?tab=evidence",
        "/cases/{case}/?tab=timeline", "/entities/{entity}/",
    ),
    "tenants": (
        "/tenants/", "/tenants/browse-one/", "/tenants/new/", "/tenants/browse-one/setup/general/",
        "/tenants/browse-one/setup/permissions/", "/tenants/browse-one/setup/tickets/",
        "/tenants/browse-one/setup/tickets/?system=generic", "/tenants/browse-one/setup/assets/",
        "/tenants/browse-one/setup/priority/", "/tenants/browse-one/setup/promises/",
        "/tenants/browse-one/setup/end/", "/health/",
    ),
    "analytics": ("/analytics/", "/analytics/times/", "/analytics/sources/"),
    "azure": (
        "/coverage/", "/coverage/browse-one/?state=any", "/coverage/browse-two/",
        "/tenants/browse-one/setup/coverage/",
    ),
    "score": (
        "/secure-score/", "/secure-score/?sort=week", "/secure-score/browse-one/",
        "/secure-score/browse-one/?show=all", "/secure-score/browse-two/",
        "/secure-score/browse-one/MFARegistrationV2/", "/findings/", "/findings/?status=any",
    ),
    "threats": (
        "/vulnerabilities/", "/vulnerabilities/browse-one/",
        "/vulnerabilities/browse-one/?which=exploited", "/vulnerabilities/browse-two/", "/news/",
        "/news/browse-one/", "/findings/{finding}/", "/settings/feeds/",
        "/settings/finding-tickets/",
    ),
    "reports": (
        "/reports/", "/reports/browse-one/",
        "/reports/browse-one/?first=2026-09-01&last=2026-09-09",
        "/reports/browse-one/?first=2026-09-09&last=2026-09-01",
        "/tenants/browse-one/setup/reports/", "/settings/branding/", "/r/x/",
    ),
    "settings": (
        "/settings/rules/", "/settings/rules/new/", "/settings/detections/",
        "/settings/detections/new/", "/settings/installation/", "/settings/access/",
        "/settings/access/roles/", "/settings/access/people/new/", "/settings/access/groups/",
        "/audit/", "/account/password/", "/account/rights/",
    ),
}  # fmt: skip


def faults(page: Page, rules: object = RULES) -> list[str]:
    """What axe objects to: rule, and where. The debugger's door is not closed by the page's CSP."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(rules)", rules)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


def in_both_themes(page: Page) -> list[str]:
    """The same page, as light and as dark; it follows the system without a reload."""
    found = faults(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(IS_DARK)
    found += [f"dark: {told}" for told in faults(page, COLOURS)]
    page.emulate_media(color_scheme="light")
    return found


def sticking_out(page: Page) -> list[str]:
    """Widths of the window at which something is outside of it."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        over = page.evaluate("document.documentElement.scrollWidth") - width
        if over > 0:
            found.append(f"{over} pixels too wide at {width}")
    return found


@pytest.fixture
def signed_in(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        base_url=site.url,
        color_scheme="light",
        reduced_motion="reduce",  # a colour on its way to another one is neither
    )
    page = context.new_page()
    sign_in(page, site.admin)
    yield page
    context.close()


@pytest.mark.parametrize("area", PAGES)
def test_every_page_can_be_used_by_everybody(area: str, signed_in: Page, site: Site) -> None:
    entry = first_entry(site.tenants[1])
    own = site.tenants[0].pk
    with granted([own]):
        finding = FindingEntry.objects.filter(tenant_id=own, closed_at=None).first()
    assert finding is not None
    names = {"case": entry.public_id, "entity": entry.entities[0][1], "finding": finding.public_id}
    found: dict[str, list[str]] = {}
    for pattern in PAGES[area]:
        signed_in.goto(pattern.format(**names))
        signed_in.wait_for_function(SETTLED)
        for told in (*in_both_themes(signed_in), *sticking_out(signed_in)):
            found.setdefault(told, []).append(pattern)
    assert not found, "\n".join(f"{told} on {places}" for told, places in found.items())


def test_what_opens_can_be_used_by_everybody(signed_in: Page) -> None:
    found = []
    signed_in.locator("[data-live-switch]").wait_for()  # the scripts run: keys are heard
    signed_in.keyboard.press("j")
    signed_in.keyboard.press("x")
    found += in_both_themes(signed_in)
    signed_in.keyboard.press("Enter")
    signed_in.locator("#flyout h1").wait_for()
    found += in_both_themes(signed_in)
    signed_in.keyboard.press("Escape")
    for key in ("?", "Control+k"):
        signed_in.keyboard.press(key)
        found += in_both_themes(signed_in)
        signed_in.keyboard.press("Escape")
    for summary in ("Columns", "Keep as view"):
        signed_in.locator("summary", has_text=summary).click()
        found += in_both_themes(signed_in)
        signed_in.keyboard.press("Escape")
    for key in ("r", "s", "c"):
        signed_in.keyboard.press(key)
        signed_in.locator("#ask").wait_for()
        found += in_both_themes(signed_in)
        signed_in.keyboard.press("Escape")
    signed_in.locator(".topbar-scope").click()
    signed_in.locator(".scope-option").first.wait_for()
    found += in_both_themes(signed_in)
    assert not found, "\n".join(dict.fromkeys(found))


def test_the_sign_in_page_too(browser: Browser, site: Site) -> None:
    page = browser.new_page(base_url=site.url, color_scheme="light", reduced_motion="reduce")
    page.goto("/account/login/")
    assert in_both_themes(page) == []
    page.close()
