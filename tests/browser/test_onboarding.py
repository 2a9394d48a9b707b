"""An admin onboards a customer: Microsoft's consent page, mistakes, leaving, the first alerts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from simulator import Simulator
from tenants.models import Onboarding, Tenant
from tests.browser.conftest import Site, sign_in
from tests.browser.test_access import faults
from tests.lab import Processes, forget, new_slug


@pytest.fixture
def customer(simulator: Simulator) -> Iterator[dict[str, Any]]:
    """A directory with stories, which has not consented."""
    slug = new_slug("browser-onboard")
    found = simulator.control.add_directory(slug, name="Wide World Importers", stories=True)
    simulator.control.configure(slug, roles=None)
    yield found
    Onboarding.objects.filter(directory_id=found["directory"]).delete()
    forget([slug])


@pytest.fixture
def window(browser: Browser, site: Site) -> Iterator[Page]:
    """The simulator's certificate is of its own authority, which only programs were told of."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=site.url, ignore_https_errors=True
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []


@pytest.fixture
def workers(site: Site, tmp_path) -> Iterator[None]:
    processes = Processes(tmp_path)
    try:
        processes.worker("onboarding")
        processes.beat()
        yield
    finally:
        processes.stop()


def test_an_admin_onboards_a_customer(
    window: Page, site: Site, customer: dict[str, Any], simulator: Simulator, workers: None
) -> None:
    sign_in(window, site.admin)
    window.goto("/tenants/")
    window.get_by_role("link", name="Onboard a tenant").click()
    mistype(window, customer)
    expect(window.get_by_text("Consent of the customer's administrator")).to_be_visible()

    # The administrator says no, then yes.
    consent(window, "Cancel")
    expect(window.get_by_role("heading", level=1)).to_have_text("This consent was not taken over")
    window.get_by_role("link", name="Back to the onboarding").click()
    assert faults(window) == []
    consent(window, "Accept")
    expect(window.get_by_role("heading", name="What can be read")).to_be_visible()
    expect(window.locator("tr", has_text="SecurityAlert.Read.All")).to_contain_text("There")
    assert faults(window) == []

    # Left, and resumed from the list.
    window.goto("/tenants/new/")
    window.get_by_role("link", name="Wide World Importers").click()
    expect(window.get_by_role("heading", name="What can be read")).to_be_visible()
    window.get_by_role("button", name="Go on").click()
    tickets(window, customer)
    assert simulator.control.tickets(customer["slug"])

    window.get_by_label("Only say what would have been closed").check()
    window.get_by_role("button", name="Save and go on").click()
    assert faults(window) == []
    window.get_by_role("button", name="Start reading").click()
    expect(window.get_by_text("The first read is complete.")).to_be_visible(timeout=90_000)
    window.get_by_role("link", name="Its queue").click()
    expect(window.locator("#rows > tr").first).to_be_visible()
    tenant = Tenant.objects.get(slug=customer["slug"])
    assert (tenant.state, tenant.auto_close) == ("active", "dry")


def mistype(page: Page, customer: dict[str, Any]) -> None:
    """Everything wrong: each field says so, and what was typed is still there."""
    page.get_by_label("Customer's name").fill("Wide World Importers")
    page.get_by_label("Directory", exact=True).fill("nobody.example")
    page.get_by_label("Short name").fill(customer["slug"])
    page.get_by_label("Application id").fill("seven")
    page.get_by_label("Name of its credential").fill("no such secret")
    page.get_by_role("button", name="Check and go on").click()
    expect(page.locator("#id_client_id_error")).to_contain_text("An application id looks like")
    expect(page.locator("#id_credential_secret_error")).to_contain_text("No value here")
    page.get_by_label("Application id").fill(customer["client_id"])
    page.get_by_label("Name of its credential").fill(customer["credential_secret"])
    page.get_by_role("button", name="Check and go on").click()
    expect(page.locator("#id_directory_error")).to_contain_text("knows no directory")
    assert faults(page) == []
    page.get_by_label("Directory", exact=True).fill(f"{customer['slug']}.example")
    page.get_by_role("button", name="Check and go on").click()


def consent(page: Page, answer: str) -> None:
    """By the link, on Microsoft's page."""
    page.get_by_role("button", name="Make the consent link").click()
    page.get_by_role("link", name="Open it here").click()
    expect(page.get_by_role("heading", name="Permissions requested")).to_be_visible()
    page.get_by_role("button", name=answer).click()


def tickets(page: Page, customer: dict[str, Any]) -> None:
    """Connected, tried, and on to the next step."""
    page.locator("#id_url").fill(f"{customer['ticketing_url']}/freshservice/{customer['slug']}")
    page.get_by_label("Its secret's name").fill("no-such-secret")
    page.get_by_role("button", name="Check and save").click()
    expect(page.locator("#id_secret_name_error")).to_contain_text("no secret named")
    assert faults(page) == []
    page.get_by_label("Its secret's name").fill(customer["ticketing_secret"])
    page.locator("#id_priority_high").select_option(label="Urgent")
    page.get_by_role("button", name="Check and save").click()
    page.get_by_role("button", name="Send test ticket").click()
    expect(page.get_by_text("It is found by its reference")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Go on").click()
