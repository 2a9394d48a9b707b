"""The database itself refuses: what could be injected into a query reaches no other tenant."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from alerts.ingest import store_page
from alerts.models import Alert, Case
from alerts.prepare import prepare_page
from csc_portal.backing import Backing
from posture.findings import Found, settle
from tenants.audit import record
from tenants.models import AuditEntry, CaseFigure, MovedCase, QueueEntry, QueueTombstone, Tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.rows import run
from tenants.scope import WrongScope, granted, scope
from tests.alerts.documents import alert, user
from tests.tenants.test_registry import PUBLIC, tables


def fill(tenant: Tenant, key: str) -> None:
    pseudonymiser = Pseudonymiser([("test", derive_key(b"m" * 32, tenant.public_id))])
    page = prepare_page([alert(key, user("anna"))], pseudonymiser)
    with scope(tenant):
        store_page(tenant.pk, page, "test")
        MovedCase.objects.create(public_id=uuid4(), tenant_id=tenant.pk, target=uuid4())
        QueueTombstone.objects.create(public_id=uuid4(), tenant_id=tenant.pk, change=1)
        CaseFigure.objects.create(topic="day", days=7, tenant_id=tenant.pk, key="x", cases=1)
        settle("tested", [Found("one", 2, "Tested")], timezone.now())


@pytest.fixture
def both(qa, qatest):
    fill(qa, "a1")
    fill(qatest, "b1")
    return qa, qatest


def attempt(statement: str) -> list[tuple]:
    """Run it as an injected text would run; what it returned, or the refusal."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def fetch(rows: QuerySet) -> list:
    with transaction.atomic():
        return list(rows)


ATTACKS = {
    "the other's table": "SELECT * FROM t_qatest.alerts_alert",
    "a union": "SELECT title FROM alerts_alert UNION SELECT title FROM t_qatest.alerts_alert",
    "its case": "SELECT (SELECT max(title) FROM t_qatest.alerts_case)",
    "its facts": "SELECT facts FROM t_qatest.alerts_alertfact",
    "its VIPs": "SELECT pseudonym FROM t_qatest.alerts_assetmember",
    "who used what": "SELECT near, far FROM t_qatest.alerts_entitylink",
    "its sign-ins": "SELECT pseudonym FROM t_qatest.alerts_signintrace",
    "a write": "INSERT INTO t_qatest.alerts_cursor (source) VALUES ('x')",
    "a delete": "DELETE FROM t_qatest.alerts_alert",
    "tenants": "SELECT * FROM public.tenants_tenant",
    "users": "SELECT password FROM public.tenants_user",
    "sessions": "SELECT * FROM public.tenants_portalsession",
    "second factors": "SELECT sealed FROM public.tenants_totpdevice",
    "passkeys": "UPDATE public.tenants_passkey SET user_id = 1",
    "recovery codes": "SELECT digest FROM public.tenants_recoverycode",
    "accounts of the directory": "SELECT object_id FROM public.tenants_entraidentity",
    "mappings": "INSERT INTO public.tenants_entramapping (role) VALUES ('admin')",
    "API keys": "SELECT digest FROM public.tenants_apikey",
    "webhooks": "SELECT url FROM public.tenants_webhook",
    "what webhooks are told": "SELECT body FROM public.tenants_webhookdelivery",
    "what webhooks know of cases": "DELETE FROM public.tenants_webhookcase",
    "what keys asked for": "SELECT cases FROM public.tenants_apitask",
    "another tenant's tombstone": "INSERT INTO tenants_queuetombstone "
    "VALUES (gen_random_uuid(), {other_id}, 1)",
    "another tenant's finding": "INSERT INTO tenants_findingentry (public_id, tenant_id, kind, "
    "severity, summary, opened_at, changed_at) "
    "VALUES (gen_random_uuid(), {other_id}, 'x', 1, '', now(), now())",
    "another tenant's figures": "UPDATE tenants_casefigure SET tenant_id = {other_id}",
    "the other's scores": "SELECT controls FROM t_qatest.posture_scoreday",
    "the other's findings": "SELECT facts FROM t_qatest.posture_finding",
    "the other's resources": "SELECT type FROM t_qatest.posture_azureresource",
    "the other's reports": "SELECT figures FROM t_qatest.reports_report",
    "links to the other's reports": "UPDATE t_qatest.reports_reportlink SET revoked_at = NULL",
    "the provider's branding": "UPDATE public.tenants_branding SET name = ''",
    "the other's weaknesses": "SELECT cve FROM t_qatest.posture_weakness",
    "who gets tickets of findings": "SELECT * FROM public.tenants_findingrule",
    "which feeds are read": "SELECT url FROM public.tenants_publicfeed",
    "news": "SELECT * FROM public.tenants_newsitem",
    "what attackers use": "UPDATE tenants_knownexploited SET by_ransomware = true",
    "how likely that is": "DELETE FROM tenants_exploitscore",
    "the other's rule": "SELECT tags FROM t_qatest.posture_watchrule",
    "how others of its size fare": "SELECT * FROM public.tenants_scoreband",
    "audit": "SELECT * FROM public.tenants_auditentry",
    "rules": "SELECT * FROM public.tenants_rule",
    "what rules said": "SELECT * FROM tenants_ruleversion",
    "the other's decisions": "SELECT * FROM t_qatest.alerts_decision",
    "the other's watches": "SELECT * FROM t_qatest.alerts_watch, t_qatest.alerts_watchhit",
    "the other's suppressions": "SELECT * FROM t_qatest.alerts_suppression",
    "set_config of the role": "SELECT set_config('role', '{other}', false)",
    "set_config of the list": "SELECT set_config('csc.tenants', '{{1,2,3}}', false)",
    "pg_settings": "UPDATE pg_settings SET setting = '{other}' WHERE name = 'role'",
    "query_to_xml of a table": "SELECT query_to_xml('TABLE t_qatest.alerts_alert', true, true, '')",
    "query_to_xml of SET": "SELECT query_to_xml('SET ROLE {other}', true, true, '')",
    "query_to_xml of DO": "SELECT query_to_xml('DO $$ BEGIN END $$', true, true, '')",
    "schema_to_xml": "SELECT schema_to_xml('t_qatest', true, true, '')",
    "table_to_xml": "SELECT table_to_xml('t_qatest.alerts_alert', true, true, '')",
    "cursor_to_xml": "SELECT database_to_xml(true, true, '')",
    "a program": "COPY alerts_alert TO PROGRAM 'true'",
    "a file": "COPY alerts_alert TO '/tmp/out'",
    "reading a file": "SELECT pg_read_file('/etc/passwd')",
    "listing a folder": "SELECT pg_ls_dir('.')",
    "large object": "SELECT lo_from_bytea(0, 'x')",
    "large object import": "SELECT lo_import('/etc/passwd')",
    "reading large objects": "SELECT lo_get(1)",
    "authid": "SELECT rolpassword FROM pg_authid",
    "statistics of the other": "SELECT * FROM pg_statistic",
    "an extension": "CREATE EXTENSION dblink",
    "a function": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a function of its own schema": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a table": "CREATE TABLE stolen AS SELECT 1",
    "a temporary table": "CREATE TEMP TABLE stolen AS SELECT 1",
    "the policy": "DROP POLICY own_rows ON tenants_queueentry",
    "row security": "ALTER TABLE tenants_queueentry DISABLE ROW LEVEL SECURITY",
    "the owner": "ALTER TABLE alerts_alert OWNER TO CURRENT_USER",
    "membership": "GRANT {other} TO CURRENT_USER",
    "two statements": "SELECT 1; SET ROLE {other}",
    "two statements, reset": "SELECT 1; RESET ROLE",
    "signals": "SELECT pg_terminate_backend(pg_backend_pid())",
    "notify": "SELECT pg_notify('x', 'y')",
    "replication": "SELECT pg_create_logical_replication_slot('x', 'pgoutput')",
    "configuration": "ALTER SYSTEM SET log_statement = 'all'",
    "another tenant's old address": "INSERT INTO tenants_movedcase (public_id, tenant_id, target) "
    "VALUES (gen_random_uuid(), {other_id}, gen_random_uuid())",
    "the provider's classes of detections": "UPDATE tenants_overlapclass SET body = '{{}}'",
    "a class of its own for all": "INSERT INTO tenants_overlapclass (name, body) "
    "VALUES ('x', '{{}}')",
    "the other's hubs": "SELECT * FROM t_qatest.alerts_hub",
    "another tenant's queue row": "INSERT INTO tenants_queuerollup (tenant_id) VALUES ({other_id})",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_injected_sql_is_refused(both, name):
    qa, qatest = both
    statement = ATTACKS[name].format(other=f"csc_t{qatest.pk}", other_id=qatest.pk)
    with scope(qa):
        with pytest.raises(DatabaseError):
            attempt(statement)
        assert attempt("SELECT current_user") == [(f"csc_t{qa.pk}",)]
        assert list(Alert.objects.values_list("provider_id", flat=True)) == ["a1"]


def test_no_table_of_another_tenant_nor_of_the_portal_can_be_read(both):
    """Whatever tables there will be; test_registry.py says which are the portal's alone."""
    qa, qatest = both
    closed = [
        f'{qatest.schema_name}."{table}"' if is_tenants else f'public."{table}"'
        for table, is_tenants in tables().items()
        if is_tenants or PUBLIC[table][1] == ""
    ]
    assert len(closed) > 40
    with scope(qa):
        for name in closed:
            with pytest.raises(DatabaseError, match="permission denied"):
                attempt(f"SELECT 1 FROM {name} LIMIT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT tenant_id FROM tenants_queueentry",
        "SELECT tenant_id FROM tenants_queuerollup",
        "SELECT tenant_id FROM tenants_entityindex",
        "SELECT tenant_id FROM tenants_movedcase",
        "SELECT tenant_id FROM tenants_queuetombstone",
        "SELECT tenant_id FROM tenants_findingentry",
        "SELECT tenant_id FROM tenants_casefigure",
        "SELECT tenant_id FROM public.tenants_queueentry WHERE true OR tenant_id > 0",
    ],
)
def test_shared_tables_show_own_rows_only(both, statement):
    qa, qatest = both
    with scope(qa):
        assert {row[0] for row in attempt(statement)} == {qa.pk}
    assert attempt(statement) == []
    with granted([qatest.pk]):
        assert {row[0] for row in attempt(statement)} == {qatest.pk}


def test_other_tenants_rows_can_be_neither_changed_nor_removed(both):
    qa, qatest = both
    with scope(qa):
        assert QueueEntry.objects.filter(tenant_id=qatest.pk).update(title="x") == 0
        assert QueueEntry.objects.filter(tenant_id=qatest.pk).delete()[0] == 0
    with granted([qatest.pk]):
        assert QueueEntry.objects.get().title != "x"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_queueentry SET title = 'x'",
        "UPDATE tenants_movedcase SET tenant_id = 1",
        "DELETE FROM tenants_queueentry",
        "SELECT * FROM t_qa.alerts_alert",
        "SELECT set_config('csc.tenants', '{1,2,3}', false)",
        "UPDATE tenants_auditentry SET actor = 'nobody'",
        "DELETE FROM tenants_auditentry",
        "TRUNCATE tenants_auditentry",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now())",
    ],
)
def test_the_portal_itself_may_not(both, statement):
    with granted([both[0].pk]), pytest.raises(DatabaseError):
        attempt(statement)


def test_injection_through_the_orm_sends_one_statement(both):
    qa, qatest = both
    injected = RawSQL(f"1); SET ROLE csc_t{qatest.pk}; SELECT (1", [])  # noqa: S611
    with scope(qa):
        with pytest.raises(DatabaseError):
            fetch(Alert.objects.annotate(x=injected).values("x"))
        assert attempt("SELECT current_user") == [(f"csc_t{qa.pk}",)]


def test_the_login_is_neither_superuser_nor_owner(db):
    rows = attempt(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles "
        "WHERE rolname = session_user"
    )
    assert rows == [(False, False, False, False)]
    owned = "SELECT count(*) FROM pg_class WHERE relowner = session_user::regrole"
    assert attempt(owned) == [(0,)]


def test_options_of_the_address_change_neither_role_nor_time_zone(settings):
    url = "postgresql://app:x@db.example/csc?sslmode=require&options=-c+role%3Dx+-c+TimeZone%3DCET"
    settings.BACKING = Backing(Path(), url)
    params = connection.copy().get_connection_params()
    assert params["sslmode"] == "require"
    set_last = dict(re.findall(r"-c (\w+)=(\S+)", params["options"]))
    assert (set_last["role"], set_last["TimeZone"]) == (connection.portal_session().role, "UTC")


def test_no_security_definer_function_of_ours_is_open_to_all(db):
    rows = attempt(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
        "AND has_function_privilege('public', p.oid, 'EXECUTE')"
    )
    assert rows == []


def test_scope_is_left_after_an_error(both):
    qa, _ = both
    with pytest.raises(DatabaseError), transaction.atomic(), scope(qa):
        attempt("SELECT 1/0")
    assert attempt("SELECT current_user, current_schemas(false)::text") == [("csc_app", "{public}")]


def test_a_rollback_inside_a_scope_keeps_the_scope(both):
    qa, _ = both
    with scope(qa):
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt("SELECT nothing")
        assert Case.objects.count() == 1


def test_a_transaction_that_failed_unseen_keeps_the_scope(both):
    """Who swallows an error gets a rollback instead of the commit, and that takes the role back."""
    qa, _ = both
    seen = []

    def look() -> None:
        try:
            with scope(qa):
                with transaction.atomic(), suppress(DatabaseError):
                    run("SELECT 1/0", [])
                seen.extend(attempt("SELECT current_user"))
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(f"csc_t{qa.pk}",)]


def test_a_rolled_back_savepoint_around_a_scope_leaves_the_portal(both):
    qa, _ = both

    def fail() -> None:
        with transaction.atomic(), scope(qa):
            Case.objects.count()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert attempt("SELECT current_user") == [("csc_app",)]


def test_no_scope_inside_another(both):
    qa, qatest = both
    with scope(qa), pytest.raises(WrongScope), scope(qatest):
        pass
    with scope(qa), pytest.raises(WrongScope), granted([qatest.pk]):
        pass
    with scope(qa), scope(qa):
        assert Case.objects.count() == 1


def test_no_scope_without_a_row_or_role(both):
    with pytest.raises(WrongScope), scope(Tenant(slug="ghost", schema_name="t_ghost")):
        pass
    ghost = Tenant(pk=99_999, slug="ghost", schema_name="t_ghost")
    with pytest.raises(DatabaseError), transaction.atomic(), scope(ghost):
        Case.objects.count()


def test_a_scope_belongs_to_its_thread(both):
    qa, _ = both
    seen = []

    def look() -> None:
        try:
            seen.extend(attempt("SELECT current_user"))
        finally:
            connection.close()

    with scope(qa):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert attempt("SELECT current_user") == [(f"csc_t{qa.pk}",)]
    assert seen == [("csc_app",)]


def test_names_that_begin_alike_do_not_mix(both):
    qa, qatest = both
    for tenant, key in ((qa, "a1"), (qatest, "b1")):
        with scope(tenant):
            assert list(Alert.objects.values_list("provider_id", flat=True)) == [key]


def test_the_audit_log_can_be_added_to(db):
    record("ada", "tested")
    assert AuditEntry.objects.filter(actor="ada", action="tested").count() == 1
