"""A portal that serves, with two read customers of the simulator, and a real Chromium."""

from __future__ import annotations

import os
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright

from csc_portal.embedded.processes import free_port
from csc_portal.lake_due import run_lake
from csc_portal.pipeline import run_tenant
from csc_portal.score import run_score
from tenants.models import CaseFigure, Grant, PublicFeed, Tenant, User
from tenants.scope import scope
from tests.lab import Processes, customer, forget, wait_for
from tests.posture.lab import read as read_azure
from tests.posture.lab import read_threats, set_rule

PASSWORD = "correct horse battery"
SLUGS = ("browse-one", "browse-two")
expect.set_options(timeout=20_000)  # what is expected comes; how soon depends on the machine
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """Where the portal is, its tenants, and who may sign in (with PASSWORD)."""

    url: str
    tenants: list[Tenant]
    analyst: str
    admin: str


@pytest.fixture(scope="package")
def site(simulator, django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Site]:
    port = free_port(0)
    processes = Processes(tmp_path_factory.mktemp("browser-logs"))
    # Playwright's loop runs in this thread; the database is used beside it, never inside.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with django_db_blocker.unblock():
        try:
            tenants = [customer(simulator, slug, stories=True) for slug in SLUGS]
            for tenant in tenants:
                run_tenant(Tenant.objects.select_related("ticketing").get(pk=tenant.pk))
            run_score(tenants[0], timezone.now())
            set_rule(tenants[0])
            read_azure(tenants[0])
            count(tenants[0])
            read_threats(tenants[0], simulator.url)
            people = [
                _person("browse-analyst", "analyst", tenants),
                _person("browse-admin", "admin"),
            ]
            bind = ["--bind", f"127.0.0.1:{port}", "--threads", "4"]
            processes.start("web", [sys.executable, "-m", "gunicorn", "csc_portal.wsgi", *bind])
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: _answers(f"{url}/readyz"), 60, "the portal answers")
            yield Site(url, tenants, *people)
        finally:
            processes.stop()
            User.objects.filter(username__startswith="browse-").delete()
            forget(SLUGS)
            PublicFeed.objects.filter(kind=PublicFeed.Kind.NEWS).delete()
            connection.close()
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def count(tenant: Tenant) -> None:
    """Its lake and what is counted of it; verdicts of people are too few yet, so one is made up."""
    run_lake(tenant, timezone.now())
    judged = {"cases": 40, "false_positive": 27, "expected": 4, "true_positive": 3}
    with scope(tenant):
        CaseFigure.objects.create(
            tenant_id=tenant.pk, topic="detection", days=30, key="Made up", more="none", **judged
        )


def _person(name: str, role: str, tenants: list[Tenant] | None = None) -> str:
    user = User.objects.create_user(name, password=PASSWORD)
    for tenant in tenants or [None]:
        Grant.objects.create(user=user, tenant=tenant, role=role)
    return name


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - ours
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CSC_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("needs Chromium; scripts/test installs one")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A fresh window. Errors in its console, a refused style say, fail the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=site.url)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []


def sign_in(page: Page, name: str, heading: str = "Queue") -> None:
    """`heading`: of the page that it leads to."""
    page.goto("/account/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    page.wait_for_load_state()  # the rest of the page is there, too, and keys are heard
