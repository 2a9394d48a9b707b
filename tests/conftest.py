"""What all tests share: real Postgres and Valkey, the simulator over TLS, two tenants.

Tests that use `db` (or a fixture that does) run in a transaction that is rolled back. Tests that
need other processes use `committed` and clean up by erasing their tenant.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.db import connection

from csc_portal import services
from simulator import Simulator
from tenants.models import Tenant, User
from tenants.onboarding import NewTenant, create_tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tests import audit
from tests.environment import HOME, PORT, SIMULATOR

# The same examples each time, however slow the machine is: a test fails by a change alone.
hypothesis.settings.register_profile(
    "same",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    connection.close()
    services.erase(settings.CSC_DATA_DIR)
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """The stand-in for Microsoft and Freshservice; its directories have no alerts of their own."""
    with Simulator(SIMULATOR, port=PORT, directories=3, seed=1, pace=0, empty=True) as running:
        os.environ.update(running.environment)
        yield running


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker) -> None:
    """The embedded database migrates itself at its first use; there is no second, 'test_' one."""
    with django_db_blocker.unblock():
        connection.ensure_connection()
    with psycopg.connect(settings.BACKING.admin_database_url, autocommit=True) as admin:
        # A transaction of the server's own, at a moment that nobody chose, holds back what is told
        # of changes (csc_portal/sync.py), and moves rows.
        admin.execute("ALTER SYSTEM SET autovacuum = off")
        admin.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def _tenants(django_db_setup, django_db_blocker) -> dict[str, Tenant]:
    with django_db_blocker.unblock():
        return {
            slug: create_tenant(
                NewTenant(
                    slug,
                    slug.upper(),
                    uuid.uuid5(uuid.NAMESPACE_DNS, slug),
                    uuid.uuid4(),
                    "csc-app-credential",
                )
            )
            for slug in ("qa", "qatest", "third")
        }


@pytest.fixture
def qa(_tenants, db) -> Tenant:
    return Tenant.objects.get(pk=_tenants["qa"].pk)


@pytest.fixture
def qatest(_tenants, db) -> Tenant:
    return Tenant.objects.get(pk=_tenants["qatest"].pk)


@pytest.fixture
def third(_tenants, db) -> Tenant:
    return Tenant.objects.get(pk=_tenants["third"].pk)


@pytest.fixture
def committed(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The database without a surrounding transaction, for tests with other processes."""
    with django_db_blocker.unblock():
        yield
        connection.close()


@pytest.fixture(autouse=True)
def _audit_begins(request: pytest.FixtureRequest) -> None:
    for name in ("db", "committed"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
            audit.begin()


@pytest.fixture
def pseudonymiser(qa: Tenant) -> Pseudonymiser:
    """A key that needs no vault."""
    return Pseudonymiser([("test", derive_key(b"m" * 32, qa.public_id))])


@pytest.fixture
def analyst(db) -> User:
    return User.objects.create_user("ada", password="correct horse battery")
