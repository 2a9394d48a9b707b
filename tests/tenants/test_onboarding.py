"""A tenant is made whole or not at all, and migrations resume."""

from __future__ import annotations

import uuid

import pytest
from django.db import DatabaseError, connection

from alerts.models import Cursor
from tenants import migrating
from tenants.migrating import fingerprint, migrate_tenants
from tenants.models import AuditEntry, EntityIndex, QueueEntry, Tenant
from tenants.onboarding import NewTenant, OnboardingError, create_tenant, erase_tenant
from tenants.scope import granted, scope
from tests.tenants.test_isolation import fill


def new(slug: str, **more: object) -> NewTenant:
    given = {
        "slug": slug,
        "name": "Acme",
        "directory_id": uuid.uuid4(),
        "client_id": uuid.uuid4(),
        "credential_secret": "csc-app-credential",
    }
    return NewTenant(**(given | more))


def traces(slug: str) -> list[tuple]:
    """Schemas and roles of a slug."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname = %s", [f"t_{slug.replace('-', '_')}"]
        )
        return cursor.fetchall()


def roles() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'csc%%'")
        return cursor.fetchone()[0]


def test_a_tenant_has_schema_role_and_cursor(db):
    tenant = create_tenant(new("acme-bank"))
    assert traces("acme-bank")
    with scope(tenant):
        sources = set(Cursor.objects.values_list("source", flat=True))
    assert sources == {"lock", "alerts_v2", "incidents"}
    assert tenant.migrated_to == fingerprint()


def test_making_it_again_changes_only_what_is_new(db):
    given = new("acme-bank")
    first = create_tenant(given)
    again = create_tenant(new("acme-bank", directory_id=given.directory_id, name="Acme Bank"))
    assert (again.pk, again.name, again.public_id) == (first.pk, "Acme Bank", first.public_id)


@pytest.mark.parametrize(
    "slug",
    ["", "a", "A", "Acme", "acme_bank", "-acme", "acme-", "a--b", "9lives", "pg_x", "public",
     "admin", "acme bank", "acme;drop", "äcme", "x" * 41, "acme\n"],
)  # fmt: skip
def test_a_bad_slug_is_refused(db, slug):
    with pytest.raises(OnboardingError):
        create_tenant(new(slug))
    assert not Tenant.objects.filter(slug=slug).exists()


def test_a_taken_slug_or_directory_is_refused(qa):
    with pytest.raises(OnboardingError, match="taken"):
        create_tenant(new("qa"))
    with pytest.raises(OnboardingError, match="already onboarded as 'qa'"):
        create_tenant(new("other", directory_id=qa.directory_id))
    assert not traces("other")


def test_a_schema_that_is_not_ours_is_not_taken_over(qa):
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE csc_owner")
        cursor.execute("CREATE SCHEMA t_squatted")
        cursor.execute("SET ROLE csc_app")
    with pytest.raises(OnboardingError, match="exists already"):
        create_tenant(new("squatted"))


def test_half_a_tenant_is_none(qa, monkeypatch):
    before = roles()

    def fail(**_: bool) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(migrating, "_migrate", fail)
    with pytest.raises(DatabaseError):
        create_tenant(new("unlucky"))
    assert not traces("unlucky")
    assert not Tenant.objects.filter(slug="unlucky").exists()
    assert roles() == before


def test_migrations_skip_resume_and_report(qa, qatest, third, monkeypatch):
    assert all(done.skipped for done in migrate_tenants())
    Tenant.objects.filter(slug__in=["qa", "qatest"]).update(migrated_to="old")
    real, failing = migrating._migrate, {"t_qa"}

    def flaky(*, is_tenants: bool) -> None:
        if connection.session.schemas[0] in failing:
            raise DatabaseError("lock timeout")
        real(is_tenants=is_tenants)

    monkeypatch.setattr(migrating, "_migrate", flaky)
    outcome = {done.schema: (done.skipped, bool(done.error)) for done in migrate_tenants()}
    assert outcome["t_qa"] == (False, True)
    assert outcome["t_qatest"] == (False, False)
    assert outcome["t_third"] == (True, False)
    failing.clear()
    resumed = {done.schema: done.skipped for done in migrate_tenants()}
    assert resumed["t_qa"] is False
    assert resumed["t_qatest"] is True


def test_a_migration_may_take_long_and_nothing_else(qa, monkeypatch):
    limits = []
    monkeypatch.setattr(migrating, "MigrationExecutor", lambda _: limits.append(limit()) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        migrating.migrate_shared()
    assert (limits, limit()) == (["0"], "1min")


def limit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


def test_erasing_leaves_nothing(qa, qatest):
    tenant = create_tenant(new("leaving"))
    fill(tenant, "x1")
    fill(qatest, "b1")
    key = tenant.pk
    erase_tenant(tenant)
    assert not traces("leaving")
    with granted([key, qatest.pk]):
        assert set(QueueEntry.objects.values_list("tenant_id", flat=True)) == {qatest.pk}
        assert set(EntityIndex.objects.values_list("tenant_id", flat=True)) == {qatest.pk}
    assert not AuditEntry.objects.filter(tenant_id=key).exists()
