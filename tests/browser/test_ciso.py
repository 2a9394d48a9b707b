"""A CISO looks once a month: the own tenant alone, nobody's name, nothing to press."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from alerts import triage
from alerts.models import Case
from tenants.models import Grant, User
from tenants.scope import scope
from tests.browser.conftest import PASSWORD, Site, sign_in
from tests.browser.test_day import ROWS, first_entry

CISO, ANALYST = "browse-ciso", "Zelda Provider"
FOREIGN = re.compile("browse-two|browse two", re.IGNORECASE)


@pytest.fixture
def ciso(site: Site) -> Iterator[str]:
    """Of the first tenant, where an analyst of the provider has taken a case."""
    own, analyst = site.tenants[0], User.objects.get(username=site.analyst)
    User.objects.filter(pk=analyst.pk).update(first_name="Zelda", last_name="Provider")
    person = User.objects.create_user(CISO, password=PASSWORD, preferences={"tour": "done"})
    Grant.objects.create(user=person, tenant=own, role="customer_ciso")
    case_id = first_entry(own).case_id
    with scope(own):
        version = Case.objects.get(pk=case_id).version
        triage.assign(own.pk, {case_id: version}, actor_id=analyst.pk, assignee_id=analyst.pk)
    yield CISO
    person.delete()
    User.objects.filter(pk=analyst.pk).update(first_name="", last_name="")


def test_a_visit(page: Page, site: Site, ciso: str) -> None:
    foreign: list[str] = []
    page.on(
        "request", lambda one: None if one.url.startswith(site.url) else foreign.append(one.url)
    )
    sign_in(page, ciso, "Security report")
    report = look(page, site)
    assert "so far" in report
    assert "alerts came in" in report
    with page.expect_download() as loading:
        page.get_by_role("link", name="PDF", exact=True).first.click()
    assert loading.value.suggested_filename.endswith(".pdf")
    page.goto("/")
    queue = look(page, site)
    assert page.locator(ROWS).count() > 5
    assert "the provider's analyst" in queue
    expect(page.locator("#bulk")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("a")  # no right, no dialog, no change
    expect(page.locator("#ask")).to_be_hidden()

    # Along the menu, and what is behind it.
    links = page.locator("nav.nav a, .sidebar a, aside a").evaluate_all(
        "all => all.map(one => one.getAttribute('href'))"
    )
    for place in sorted({"/chain/", "/tenants/", "/health/", "/audit/", *filter(None, links)}):
        answer = page.goto(place)
        assert answer is not None
        assert answer.status == 200, place
        look(page, site)
    for place in ("/tenants/browse-two/", "/tenants/new/", "/settings/rules/", "/settings/access/",
                  "/settings/installation/", "/tenants/browse-one/setup/general/"):  # fmt: skip
        assert page.request.get(place).status == 404, place

    # A case: what happened and why, and no button that changes it.
    page.goto("/?severity=any")
    page.locator(".case-title").first.click()
    expect(page.locator("#case h1, [data-case-page] h1")).to_be_visible()
    for tab in page.locator("[data-tab]").all():
        tab.click()
        look(page, site)
    for word in ("Start", "Resolve", "Assign to me"):
        expect(page.get_by_role("button", name=word, exact=True)).to_have_count(0)
    assert foreign == []


def look(page: Page, site: Site) -> str:
    """What can be read on the page: nothing of another tenant, and of nobody at the provider."""
    text = page.content()
    assert not FOREIGN.search(text), page.url
    assert "Zelda" not in text, page.url
    assert site.analyst not in text, page.url
    return page.inner_text("body")
