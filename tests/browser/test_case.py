"""A case under the hands: its tabs in both themes and on a phone, live reading, two windows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tenants.models import AuditEntry
from tests.browser.conftest import Site, sign_in
from tests.browser.test_access import faults
from tests.browser.test_day import first_entry

TABS = ("overview", "alerts", "evidence", "timeline", "sign-ins", "related", "raw", "audit")


def tab(page: Page, key: str):  # type: ignore[no-untyped-def]
    return page.locator(f"#tab-{key}")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_every_tab_can_be_used_by_everybody(
    scheme: str, width: int, browser: Browser, site: Site
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, base_url=site.url, color_scheme=scheme,
    )  # type: ignore[arg-type]  # fmt: skip
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type == "error" else None)
    sign_in(page, site.admin)
    entry = first_entry(site.tenants[1])
    page.goto(f"/cases/{entry.public_id}/")
    for key in TABS:
        tab(page, key).click()
        expect(tab(page, key)).to_have_attribute("aria-current", "true")
        troubles += faults(page)
        scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(scrolls), key
    expect(page).to_have_url(f"{site.url}/cases/{entry.public_id}/?tab=audit")
    for key in ("r", "c", "s"):
        page.locator(f'summary[data-key="{key}"]').click()
        troubles += faults(page)
    for address in (f"/cases/{entry.public_id}/?tab=print", "/entities/",
                    f"/entities/{entry.entities[0][1]}/"):  # fmt: skip
        page.goto(address)
        troubles += faults(page)
    context.close()
    assert troubles == []


def test_the_address_follows_the_tab_and_back_leads_back(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[0])
    page.goto(f"/cases/{entry.public_id}/")
    tab(page, "evidence").click()
    expect(page).to_have_url(f"{site.url}/cases/{entry.public_id}/?tab=evidence")
    page.go_back()
    expect(tab(page, "overview")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("heading", name="Why priority")).to_be_visible()


def test_the_document_is_read_on_a_button_and_audited(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[0])
    page.goto(f"/cases/{entry.public_id}/?tab=raw")
    page.get_by_role("button", name="Read").first.click()
    expect(page.locator(".raw-text").first).to_contain_text("createdDateTime")
    shown = AuditEntry.objects.filter(action="raw_shown", subject=f"case {entry.public_id}")
    assert shown.get().actor == site.analyst


def test_two_windows_and_nothing_typed_is_lost(page: Page, site: Site, browser: Browser) -> None:
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[0])
    page.goto(f"/cases/{entry.public_id}/")
    context = browser.new_context(base_url=site.url)
    other = context.new_page()
    sign_in(other, site.admin)
    other.goto(f"/cases/{entry.public_id}/")

    # One takes the case while the other writes.
    page.locator('summary[data-key="c"]').click()
    page.get_by_label("Comment", exact=True).fill("Half of a comment")
    page.locator('summary[data-key="s"]').click()
    page.get_by_label("Why? No names").first.fill("Waits for the customer")
    other.get_by_role("button", name="Assign to me").click()
    expect(other.get_by_text("Assigned.")).to_be_visible()
    context.close()
    page.get_by_role("button", name="Snooze").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed this case meanwhile")
    expect(page.get_by_label("Why? No names").first).to_have_value("Waits for the customer")
    expect(page.locator("textarea[name=comment]")).to_have_value("Half of a comment")
    expect(page.locator(".case-facts")).to_contain_text(site.admin)
