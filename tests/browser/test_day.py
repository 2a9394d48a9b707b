"""An analyst's day: sign in, filter, open a case, see names, see an update arrive, sign out."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from alerts import triage
from alerts.models import Case
from csc_portal.pipeline import run_tenant
from simulator import Simulator
from tenants.models import AuditEntry, QueueEntry, Tenant
from tenants.scope import granted, scope
from tests.browser.conftest import Site, sign_in
from tests.csc_portal.web.documents import alert, device, user

ROWS = "#rows > tr"


def first_entry(tenant: Tenant) -> QueueEntry:
    """The newest open case that names a person."""
    with granted([tenant.pk]):
        found = QueueEntry.objects.filter(tenant_id=tenant.pk, status=0, severity__gt=1)
        return next(entry for entry in found if entry.entities and entry.entities[0][0] == "user")


def open_alone(page: Page, site: Site) -> QueueEntry:
    entry = first_entry(site.tenants[0])
    page.goto(f"/?q={entry.title}&severity=any")
    return entry


def test_a_day(page: Page, site: Site, simulator: Simulator) -> None:
    page.goto("/")
    expect(page).to_have_url(f"{site.url}/account/login/?next=/")
    sign_in(page, site.analyst)
    assert page.locator(ROWS).count() > 10

    # Filter by a click; the address says so.
    page.locator(".facet-option", has_text="Medium").click()
    expect(page).to_have_url(f"{site.url}/?severity=unknown&severity=low&severity=high")
    expect(page.locator(f"{ROWS} .sev-medium")).to_have_count(0)
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator(f"{ROWS} .sev-medium").first).to_be_visible()

    # Open a case beside the list, by keys; go on; close.
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    flyout = page.locator("#flyout")
    first = flyout.locator("h1").inner_text()
    page.keyboard.press("n")
    expect(flyout.locator("[data-case-page]")).to_be_visible()
    page.keyboard.press("p")
    expect(flyout.locator("h1")).to_have_text(first)
    page.keyboard.press("Escape")
    expect(flyout).to_be_hidden()
    expect(page.locator(f"{ROWS}.is-cursor .case-title")).to_be_focused()

    # Names, and who saw them.
    entity = page.locator(f"{ROWS} .entity").first
    label = entity.inner_text()
    page.get_by_role("button", name="Show names").click()
    expect(entity).not_to_have_text(label)
    expect(page.locator(".entity.is-named").first).to_be_visible()
    shown = AuditEntry.objects.filter(action="names_shown", actor=site.analyst)
    problems = page.locator(f"{ROWS} .row-problem").all_inner_texts()
    assert not any(problems), problems
    assert shown.count() == len(site.tenants)
    page.get_by_role("button", name="Hide names").click()
    expect(entity).to_have_text(label)

    # Sign out.
    page.locator(".topbar .avatar").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.url}/account/login/")
    page.goto("/")
    expect(page).to_have_url(f"{site.url}/account/login/?next=/")


def test_a_changed_case_is_patched_in_place(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    entry = open_alone(page, site)
    row = page.locator(f"#case-{entry.public_id}")
    expect(row.locator(".status-mark")).to_have_text("New")
    row.locator("input[name=case]").check()
    order = page.locator(ROWS).evaluate_all("rows => rows.map(row => row.id)")
    with scope(site.tenants[0]):
        case = Case.objects.get(pk=entry.case_id)
        triage.start(site.tenants[0].pk, {case.pk: case.version}, actor_id=0)
    expect(row.locator(".status-mark")).to_have_text("In progress")
    expect(row.locator("input[name=case]")).to_be_checked()
    assert page.locator(ROWS).evaluate_all("rows => rows.map(row => row.id)") == order


def test_a_new_case_arrives(page: Page, site: Site, simulator: Simulator) -> None:
    sign_in(page, site.analyst)
    page.goto("/?severity=any")
    title = "A story that was not there before"
    arrive(site, simulator, "browser-new-1", title)
    expect(page.locator(ROWS).first).to_contain_text(title)

    # While somebody works in the list, it waits.
    page.locator(f"{ROWS} input[name=case]").first.check()
    arrive(site, simulator, "browser-new-2", "A second story")
    pill = page.locator("#new-pill")
    expect(pill).to_have_text("1 new")
    expect(page.locator(ROWS).first).to_contain_text(title)
    pill.click()
    expect(page.locator(ROWS).first).to_contain_text("A second story")
    expect(page.locator(f"{ROWS} input:checked")).to_have_count(1)


def arrive(site: Site, simulator: Simulator, key: str, title: str) -> None:
    """An alert comes up at Microsoft and is read."""
    tenant = Tenant.objects.select_related("ticketing").get(pk=site.tenants[0].pk)
    document = alert(key, user(key), device(key), title=title, at=datetime.now(UTC))
    simulator.control.add_alert(tenant.slug, document)
    run_tenant(tenant)


def test_many_cases_at_once(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    page.goto("/?status=new")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-selected]")).to_have_text("2")
    chosen = page.locator(f"{ROWS}:has(input:checked)")
    ids = chosen.evaluate_all("rows => rows.map(row => row.id)")
    page.keyboard.press("a")
    for row_id in ids:
        assignee = page.locator(f"#{row_id} .sub-assignee")
        expect(assignee).to_have_text(site.analyst)
    expect(page.locator("#bulk")).to_be_hidden()


def test_a_stale_change_is_told(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    entry = first_entry(site.tenants[1])
    page.goto(f"/cases/{entry.public_id}/")
    with scope(site.tenants[1]):
        case = Case.objects.get(pk=entry.case_id)
        triage.assign(site.tenants[1].pk, {case.pk: case.version}, actor_id=0, assignee_id=0)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed this case")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#case .status-mark")).to_have_text("In progress")


def test_search_finds_a_person_and_forgets_the_text(page: Page, site: Site) -> None:
    sign_in(page, site.analyst)
    page.locator(".case-title").first.click()
    page.get_by_role("button", name="Show names").click()
    named = page.locator(".chain-box .entity.is-named").first
    name = named.inner_text()
    page.keyboard.press("Control+k")
    page.locator("#palette-text").fill(name)
    expect(page.get_by_role("heading", name="People, devices, addresses")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert name not in page.url
    assert not AuditEntry.objects.filter(facts__icontains=name).exists()


def test_single_keys_can_be_switched_off(page: Page, site: Site) -> None:
    sign_in(page, site.admin)
    switch_keys(page, "Off")
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.locator(f"{ROWS}.is-cursor")).to_have_count(0)
    expect(page.locator("#keys")).to_be_hidden()
    switch_keys(page, "On")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def switch_keys(page: Page, to: str) -> None:
    page.locator(".topbar .avatar").click()
    page.get_by_role("group", name="Single-key shortcuts").get_by_text(to).click()
    expect(page.locator("body")).to_have_attribute("data-single-keys", to.lower())
    page.wait_for_load_state("load")
