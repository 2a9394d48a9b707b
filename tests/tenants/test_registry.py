"""Every table has a line here: where it lies, and what each database role may do with it.

A new model without a line fails, and so does one whose rights in the database are others.
The privacy canary (tests/privacy) reads the whole database, so that new tables are in it anyway.
"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from tenants.models import Tenant

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
ALL, READ, ADD, NONE = "SIUD", "S", "SI", ""
TENANT = (NONE, ALL)
"""In each tenant's schema: its own role does all, the portal nothing outside a scope."""
SHARED = (ALL, NONE)
QUEUE = (READ, ALL)
"""In public under forced row-level security: tenants write their own rows, the portal reads."""
AUDIT = (ADD, NONE)
WORDS = (ALL, READ)
GRANTED = SHARED
"""Like SHARED, but under forced row-level security: the portal sees what is granted."""
ROW_SECURITY = {
    "tenants_queueentry", "tenants_queuerollup", "tenants_entityindex", "tenants_movedcase",
    "tenants_rule", "tenants_ruleversion", "tenants_queuetombstone", "tenants_findingentry",
    "tenants_casefigure",
}  # fmt: skip

PUBLIC: dict[str, tuple[str, str]] = {
    "django_content_type": SHARED,
    "auth_permission": SHARED,
    "auth_group": SHARED,
    "auth_group_permissions": SHARED,
    "django_session": SHARED,
    "tenants_tenant": SHARED,
    "tenants_ticketconnection": SHARED,
    "tenants_onboarding": SHARED,
    "tenants_user": SHARED,
    "tenants_user_groups": SHARED,
    "tenants_user_user_permissions": SHARED,
    "tenants_grant": SHARED,
    "tenants_tenantgroup": SHARED,
    "tenants_tenantgroup_tenants": SHARED,
    "tenants_savedview": SHARED,
    "tenants_auditentry": AUDIT,
    "tenants_auditseal": AUDIT,
    "tenants_auditarchive": AUDIT,
    "tenants_queueentry": QUEUE,
    "tenants_queuerollup": QUEUE,
    "tenants_entityindex": QUEUE,
    "tenants_movedcase": QUEUE,
    "tenants_queuetombstone": QUEUE,
    "tenants_findingentry": QUEUE,
    "tenants_casefigure": QUEUE,
    "tenants_scoreband": SHARED,
    "tenants_findingrule": SHARED,
    "tenants_publicfeed": SHARED,
    "tenants_newsitem": SHARED,
    "tenants_knownexploited": WORDS,
    "tenants_exploitscore": WORDS,
    "tenants_apikey": SHARED,
    "tenants_apikey_tenants": SHARED,
    "tenants_apikey_groups": SHARED,
    "tenants_apitask": SHARED,
    "tenants_webhook": SHARED,
    "tenants_webhook_tenants": SHARED,
    "tenants_webhook_groups": SHARED,
    "tenants_webhookdelivery": SHARED,
    "tenants_webhookcursor": SHARED,
    "tenants_webhookcase": SHARED,
    "tenants_branding": SHARED,
    "tenants_overlapclass": WORDS,
    "tenants_rule": GRANTED,
    "tenants_ruleversion": ("SID", NONE),
    "tenants_entraidentity": SHARED,
    "tenants_entraidentity_mappings": SHARED,
    "tenants_entramapping": SHARED,
    "tenants_portalsession": SHARED,
    "tenants_passkey": SHARED,
    "tenants_totpdevice": SHARED,
    "tenants_recoverycode": SHARED,
}
"""Table -> what the portal's role and a tenant's role may do. Tables of tenant apps are TENANT."""


def tables() -> dict[str, bool]:
    """Table -> whether it lies in each tenant's schema."""
    return {
        model._meta.db_table: model._meta.app_label in settings.TENANT_APPS
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    }


def test_every_table_has_a_line() -> None:
    shared = {table for table, is_tenants in tables().items() if not is_tenants}
    assert shared - set(PUBLIC) == set(), "add a line to PUBLIC"
    assert set(PUBLIC) - shared == set(), "no such table"


def rights(role: str, schema: str, table: str) -> str:
    """The first letters of what the role may do."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verb FROM unnest(%s::text[]) AS verb, pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s "
            "AND has_table_privilege(%s, c.oid, verb)",
            [list(VERBS), schema, table, role],
        )
        found = {row[0] for row in cursor.fetchall()}
    return "".join(verb[0] for verb in VERBS if verb in found)


@pytest.mark.parametrize("table", PUBLIC)
def test_the_database_holds_each_role_to_it(table: str, qa: Tenant) -> None:
    found = rights("csc_app", "public", table), rights(f"csc_t{qa.pk}", "public", table)
    assert found == PUBLIC[table]


def test_a_tenants_tables_are_its_own(qa: Tenant, qatest: Tenant) -> None:
    wrong = []
    for table in (table for table, is_tenants in tables().items() if is_tenants):
        schema = qa.schema_name
        found = rights("csc_app", schema, table), rights(f"csc_t{qa.pk}", schema, table)
        if found != TENANT or rights(f"csc_t{qatest.pk}", schema, table):
            wrong.append((table, found))
    assert wrong == []


def test_rows_of_tenants_in_public_are_under_forced_row_security(qa: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity "
            "AND relnamespace = 'public'::regnamespace"
        )
        found = {row[0] for row in cursor.fetchall()}
    assert found == ROW_SECURITY
    assert {table for table, held in PUBLIC.items() if held == QUEUE} <= ROW_SECURITY


def test_no_table_is_known_to_nobody(qa: Tenant) -> None:
    """What lies in the database and is no model's: migrations alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind IN ('r', 'p') AND nspname IN ('public', %s)",
            [qa.schema_name],
        )
        found = cursor.fetchall()
    known = tables() | {"django_migrations": False}
    strange = [
        (schema, table)
        for schema, table in found
        if table not in known or (schema != "public" and not (known[table] or "migr" in table))
    ]
    assert strange == []
