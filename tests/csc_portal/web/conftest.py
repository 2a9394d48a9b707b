"""Three tenants with cases; users of one, of two, of all. `third` is the one nobody may see."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts.ingest import store_page
from alerts.models import Case
from alerts.prepare import prepare_page
from simulator import Simulator
from tenants.directories import pseudonymiser_for
from tenants.models import Grant, Tenant, User
from tenants.scope import scope
from tests.csc_portal.web.documents import address, alert, device, user
from tests.csc_portal.web.onboarding_lab import customer
from ticketing.models import Delivery

SECRET = "Forbidden"


@dataclass(frozen=True, slots=True)
class World:
    """The tenants by slug, and a case and an entity of each."""

    tenants: dict[str, Tenant]
    cases: dict[str, Case]
    entities: dict[str, uuid.UUID]


def fill(tenant: Tenant, count: int = 3, title: str = "Suspicious sign-in") -> list[Case]:
    """So many cases, with a person, a device and an address each."""
    domain = f"{tenant.slug}.example"
    documents = [
        alert(
            f"{tenant.slug}-{number}",
            user(f"Person {number}", domain),
            device(f"pc-{number}", domain),
            address(f"203.0.113.{number + 1}"),
            title=f"{title} {number}" if title == SECRET else title,
            severity=("high", "medium", "low")[number % 3],
        )
        for number in range(count)
    ]
    pseudonymiser = pseudonymiser_for(tenant)
    page = prepare_page([*documents, {"id": f"{tenant.slug}-broken"}], pseudonymiser)
    with scope(tenant):
        store_page(tenant.pk, page, pseudonymiser.version)
        return list(Case.objects.order_by("pk"))


@pytest.fixture
def world(simulator, qa: Tenant, qatest: Tenant, third: Tenant) -> World:
    tenants = {tenant.slug: tenant for tenant in (qa, qatest, third)}
    active = {"state": "active", "lake_until": timezone.now()}
    Tenant.objects.filter(pk__in=[t.pk for t in tenants.values()]).update(**active)
    cases = {}
    for slug, tenant in tenants.items():
        cases[slug] = fill(tenant, title=SECRET if slug == "third" else "Suspicious sign-in")[0]
        with scope(tenant):
            Delivery.objects.create(case=cases[slug], kind="create", growth=1, state="failed")
    entities = {slug: uuid.UUID(case.entities[0][1]) for slug, case in cases.items()}
    return World(tenants, cases, entities)


@pytest.fixture
def sign_in(simulator, db) -> Callable[..., Client]:
    """A client of a new user with a role for some tenants, or for all when none is named."""

    def make(role: str, *tenants: Tenant, name: str = "") -> Client:
        person = User.objects.create_user(name or f"user-{uuid.uuid4().hex[:8]}")
        for tenant in tenants or (None,):
            Grant.objects.create(user=person, tenant=tenant, role=role)
        client = Client()
        client.force_login(person)
        client.person = person  # type: ignore[attr-defined]
        return client

    return make


@pytest.fixture
def quick_passwords(settings: Any) -> None:
    """For tests that sign in many times: the real hasher takes half a second, as it should."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def given(simulator: Simulator) -> dict[str, str]:
    """A directory that has not consented, with a help desk."""
    return customer(simulator)
