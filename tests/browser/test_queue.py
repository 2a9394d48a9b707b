"""The queue under the hands: an hour by keyboard, a burst while rows are held, two analysts."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from alerts import triage
from alerts.ingest import store_page
from alerts.models import Case
from alerts.prepare import prepare_page
from tenants.directories import pseudonymiser_for
from tenants.models import QueueEntry, SavedView, Tenant, User
from tenants.scope import granted, scope
from tests.browser.conftest import Site, sign_in
from tests.browser.test_day import ROWS, first_entry
from tests.csc_portal.web.documents import address, alert

KEYS_BAR = "#bulk"


def arrive(tenant: Tenant, part: int, count: int, **fields: object) -> None:
    """So many new cases with nothing in common, stored as a page of the feed is."""
    pseudonymiser = pseudonymiser_for(tenant)
    documents = [
        alert(f"burst-{part}-{n}", address(f"198.51.{part}.{n}"), at=datetime.now(UTC), **fields)
        for n in range(count)
    ]
    page = prepare_page(documents, pseudonymiser)
    with scope(tenant):
        store_page(tenant.pk, page, pseudonymiser.version)


def shown(page: Page) -> list[str]:
    return page.locator(ROWS).evaluate_all("rows => rows.map(row => row.id)")


def cursor(page: Page) -> str:
    return str(page.locator(f"{ROWS}.is-cursor").get_attribute("id"))


def entry_of(site: Site, row_id: str) -> QueueEntry:
    ids = [tenant.pk for tenant in site.tenants]
    with granted(ids):
        return QueueEntry.objects.get(public_id=row_id.removeprefix("case-"))


def ready(page: Page) -> None:
    """The page's scripts run: what is pressed before is nobody's."""
    expect(page.locator("[data-live-switch]")).to_be_visible()


def test_an_hour_by_keyboard_alone(page: Page, site: Site) -> None:
    foreign: list[str] = []

    def watch(request: Request) -> None:
        if not request.url.startswith(site.url):
            foreign.append(request.url)

    page.on("request", watch)
    sign_in(page, site.analyst)
    page.goto("/?severity=high&severity=medium&sort=priority")
    ready(page)
    press = page.keyboard.press

    # Look through three cases beside the list, and come back to where the cursor was.
    press("j")
    press("Enter")
    opened = page.locator("#flyout [data-case-page]")
    expect(opened).to_be_visible()
    first = opened.get_attribute("data-case-page")
    press("n")
    expect(opened).not_to_have_attribute("data-case-page", str(first))
    press("c")
    page.keyboard.type("Half of a comment")
    press("Escape")  # out of the field: nothing is lost
    expect(page.locator("#flyout textarea[name=comment]")).to_have_value("Half of a comment")
    press("Escape")
    expect(page.locator("#flyout")).to_be_hidden()
    expect(page.locator(f"{ROWS}.is-cursor .case-title")).to_be_focused()

    # Take two, resolve them with all that is asked.
    mine = cursor(page)
    press("x")
    press("j")
    press("x")
    press("a")
    expect(page.locator(f"#{mine} .sub-assignee")).to_have_text(site.analyst)
    expect(page.locator(KEYS_BAR)).to_be_hidden()
    press("r")
    ask = page.locator("#bulk-ask")
    expect(ask.get_by_role("heading")).to_have_text("Resolve: 1 case")
    here = cursor(page)
    press("Space")
    press("ArrowDown")
    press("ArrowDown")  # False positive
    press("Tab")
    page.keyboard.type("Not mal")
    press("Tab")
    page.keyboard.type("Work of")
    press("Control+Enter")
    expect(ask).to_be_hidden()
    found = entry_of(site, here)
    assert (found.status, found.verdict) == (2, "falsePositive")

    # Snooze the next; it leaves the queue, and a filter shows it.
    press("j")
    press("s")
    expect(ask.get_by_role("heading")).to_have_text("Snooze: 1 case")
    gone = cursor(page)
    page.get_by_label("Why?").focus()
    page.keyboard.type("Waits for the customer")
    press("Enter")
    expect(ask).to_be_hidden()
    expect(page.locator("#toast")).to_contain_text("1 case changed")
    page.goto("/?snoozed=yes&severity=any")
    expect(page.locator(f"#{gone}")).to_be_visible()

    # Pages and help by keys.
    press("g")
    press("c")
    expect(page.get_by_role("heading", name="Chain", exact=True)).to_be_visible()
    page.wait_for_load_state()  # keys are heard
    press("g")
    press("q")
    ready(page)
    press("?")
    expect(page.locator("#keys")).to_be_visible()
    press("Escape")
    press("Control+k")
    page.keyboard.type("half of a name")
    press("Escape")  # closes at once, though something was typed
    expect(page.locator("#palette")).to_be_hidden()
    press("/")
    page.keyboard.type("password")
    press("Enter")
    expect(page).to_have_url(f"{site.url}/?q=password")
    assert foreign == []


def test_a_burst_while_rows_are_selected(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    page.goto("/?severity=any&sort=")
    ready(page)
    for _ in range(4):
        page.keyboard.press("j")
    page.keyboard.press("x")
    page.evaluate("window.scrollTo(0, 40)")
    order, at, place = shown(page), cursor(page), page.evaluate("window.scrollY")
    top = page.locator(f"#{at}").bounding_box()
    for part in range(5):
        arrive(site.tenants[part % 2], part, 100, title="A flood of them")
    pill = page.locator("#new-pill")
    expect(pill).to_be_visible()
    expect(pill).to_have_text(re.compile("500 new|Many new cases: show"))
    assert shown(page) == order
    assert cursor(page) == at
    assert page.evaluate("window.scrollY") == place
    assert page.locator(f"#{at}").bounding_box() == top
    expect(page.locator(f"{ROWS} input:checked")).to_have_count(1)
    page.keyboard.press("Escape")
    pill.click()
    expect(page.locator(ROWS).first).to_contain_text("A flood of them")


def test_keys_are_not_lost_while_rows_change(page: Page, site: Site) -> None:
    """The row under the cursor is replaced again and again; each Enter opens, each Escape shuts."""
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[0])
    page.goto(f"/?q={entry.title}&severity=any&status=any")
    ready(page)
    row = page.locator(f"#case-{entry.public_id}")
    row.locator(".case-title").focus()
    flyout = page.locator("#flyout h1")
    for turn in range(5):
        with scope(site.tenants[0]):
            case = Case.objects.get(pk=entry.case_id)
            triage.assign(
                site.tenants[0].pk,
                {case.pk: case.version},
                actor_id=0,
                assignee_id=turn + 1,
            )
        page.keyboard.press("Enter")
        expect(flyout).to_be_visible()
        page.keyboard.press("Escape")
        expect(flyout).to_be_hidden()
        expect(row.locator(".case-title")).to_be_focused()


def test_focus_that_is_lost_does_not_lose_the_cursor(page: Page, site: Site) -> None:
    """After a filter the list is another; Enter still opens the case under the cursor."""
    sign_in(page, site.analyst)
    page.goto("/?severity=any")
    ready(page)
    page.keyboard.press("j")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Enter")
    expect(page.locator("#flyout h1")).to_be_visible()


def test_two_analysts_on_one_case(page: Page, browser: Browser, site: Site) -> None:
    """The second one is told, sees what the first did, and has to type nothing again."""
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[1])
    address_ = f"/?q={entry.title}&severity=any&tenant={site.tenants[1].slug}"
    page.goto(address_)
    ready(page)
    page.locator(f"#case-{entry.public_id} input[name=case]").check()
    page.locator("[data-ask=severity]").click()
    ask = page.locator("#bulk-ask")
    ask.get_by_label("High").check()
    ask.get_by_label("Why does it differ").select_option("asset_matters")

    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=site.url)
    other = context.new_page()
    sign_in(other, site.admin)
    other.goto(address_)
    ready(other)
    other.locator(f"#case-{entry.public_id} .case-title").focus()
    other.keyboard.press("a")
    expect(other.locator("#toast")).to_contain_text("1 case changed")
    context.close()

    # The row behind the dialog tells of it; what was being filled in is still there.
    row = page.locator(f"#case-{entry.public_id}")
    expect(row.locator(".sub-assignee")).to_have_text(site.admin)
    expect(ask.get_by_label("High")).to_be_checked()
    page.locator("#ask button.btn-primary").click()
    expect(ask).to_be_hidden()
    expect(row.locator(".sev")).to_have_text("High")


def test_a_stale_selection_is_told(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[1])
    page.goto(f"/?q={entry.title}&severity=any&tenant={site.tenants[1].slug}")
    ready(page)
    page.locator("[data-live-switch]").click()  # paused: this page does not hear of the change
    page.locator(f"#case-{entry.public_id} input[name=case]").check()
    with scope(site.tenants[1]):
        case = Case.objects.get(pk=entry.case_id)
        triage.assign(site.tenants[1].pk, {case.pk: case.version}, actor_id=7, assignee_id=7)
    page.get_by_role("button", name="Start", exact=True).click()
    result = page.locator("#bulk-dialog")
    expect(result).to_contain_text("Somebody changed this case")
    expect(result.get_by_role("button", name="all the same")).to_be_visible()


def test_a_view_is_kept_and_columns_are_chosen(page: Page, site: Site) -> None:
    sign_in(page, site.admin)
    page.goto("/?severity=high&sort=due")
    ready(page)
    page.locator("summary", has_text="Keep as view").click()
    page.get_by_label("Name", exact=True).fill("Urgent ones")
    page.get_by_role("button", name="Keep", exact=True).click()
    tab = page.locator(".view-tab", has_text="Urgent ones")
    expect(tab).to_have_attribute("aria-current", "page")
    expect(tab.locator(".count")).to_be_visible()
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Age", exact=True).check()
    for _ in range(12):
        page.get_by_role("button", name="Age to the left").click()
    page.get_by_role("button", name="Show these").click()
    names = page.locator("#queue-table th").evaluate_all("all => all.map(one => one.className)")
    assert "col-age" in names[1:4]
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("button", name="As in the beginning").click()
    SavedView.objects.filter(owner__username=site.admin).delete()


@pytest.mark.parametrize("leave", [False, True])
def test_the_tour_is_seen_once(leave: bool, browser: Browser, site: Site) -> None:
    user = User.objects.get(username=site.analyst)
    user.preferences.pop("tour", None)
    user.save()
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=site.url)
    page = context.new_page()
    sign_in(page, site.analyst)
    tour = page.locator("#tour")
    expect(tour).to_be_visible()
    if not leave:
        for _ in range(5):
            tour.locator("[data-tour-next]").click()
    else:
        tour.get_by_role("button", name="Leave the tour").click()
    expect(tour).to_have_count(0)
    page.goto("/")
    expect(tour).to_have_count(0)
    context.close()
