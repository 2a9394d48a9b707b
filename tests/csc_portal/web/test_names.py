"""'Show names': read live, put on one answer, recorded, kept nowhere; and search by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from alerts.ingest import store_page
from alerts.models import Case
from alerts.prepare import prepare_page
from simulator import Simulator
from tenants.directories import pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.documents import address, alert, device, user
from tests.lab import new_slug

ANNA = alert("n1", user("Anna Smith"), device("pc-anna"), address("203.0.113.77"))
BO = alert("n2", user("Bo Larsen"), severity="high")


@pytest.fixture
def contoso(simulator: Simulator, qa: Tenant) -> Tenant:
    """A tenant whose directory exists, with two alerts there and here."""
    given = simulator.control.add_directory(new_slug("names"), stories=False, populate=False)
    Tenant.objects.filter(pk=qa.pk).update(
        directory_id=given["directory"],
        client_id=given["client_id"],
        credential_secret=given["credential_secret"],
        state="active",
    )
    qa.refresh_from_db()
    simulator.control.add_alerts(given["slug"], [ANNA, BO])
    pseudonymiser = pseudonymiser_for(qa)
    with scope(qa):
        store_page(qa.pk, prepare_page([ANNA, BO], pseudonymiser), pseudonymiser.version)
    qa.slug_there = given["slug"]  # type: ignore[attr-defined]
    return qa


def cases(tenant: Tenant) -> list[Case]:
    with scope(tenant):
        return list(Case.objects.order_by("pk"))


def test_names_of_the_rows_are_shown_and_recorded(sign_in, contoso: Tenant) -> None:
    client = sign_in("analyst", contoso, name="viewer-of-names")
    rows = cases(contoso)
    answer = client.post("/names/", {"case": [str(case.public_id) for case in rows]})
    assert answer.headers["Cache-Control"] == "no-store"
    shown = answer.json()
    assert shown["problems"] == {}
    wanted = {pseudonym for case in rows for _, pseudonym in case.entities}
    assert set(shown["names"]) == wanted
    assert {"Anna Smith", "Bo Larsen"} <= set(shown["names"].values())
    entry = audited().get(action="names_shown")
    assert (entry.actor, entry.tenant_id, entry.subject) == ("viewer-of-names", contoso.pk, "queue")
    assert entry.facts == {"names": len(wanted), "cases": 2}


def test_a_case_shows_all_its_entities(sign_in, contoso: Tenant) -> None:
    case = cases(contoso)[0]
    client = sign_in("analyst", contoso)
    shown = client.post("/names/", {"case": str(case.public_id), "whole": "yes"}).json()["names"]
    assert len(shown) == case.entity_count == 3
    assert "203.0.113.77" in shown.values()
    assert audited().get(action="names_shown").subject == f"case {case.public_id}"


def test_an_entity_shows_its_name(sign_in, contoso: Tenant) -> None:
    pseudonym = cases(contoso)[0].entities[0][1]
    shown = sign_in("analyst", contoso).post("/names/", {"entity": pseudonym}).json()
    assert shown["names"][pseudonym] == "Anna Smith"
    assert len(shown["names"]) > 1, "what it was seen with is named, too"


def test_one_tenant_that_fails_leaves_the_others(
    sign_in, contoso: Tenant, world: World, simulator: Simulator
) -> None:
    other = world.cases["qatest"]
    ids = [str(cases(contoso)[0].public_id), str(other.public_id)]
    shown = sign_in("analyst").post("/names/", {"case": ids}).json()
    assert "Anna Smith" in shown["names"].values()
    assert list(shown["problems"]) == [str(other.public_id)]
    assert "no such directory" in shown["problems"][str(other.public_id)]


def test_an_alert_that_is_gone_has_no_names(sign_in, contoso: Tenant, simulator: Simulator) -> None:
    simulator.control.delete_alerts(contoso.slug_there)  # type: ignore[attr-defined]
    client = sign_in("analyst", contoso)
    shown = client.post("/names/", {"case": str(cases(contoso)[0].public_id)}).json()
    assert shown == {"names": {}, "problems": {}}
    assert not audited().filter(action="names_shown").exists()


def test_nothing_shown_is_kept(sign_in, contoso: Tenant) -> None:
    client = sign_in("analyst", contoso)
    client.post("/names/toggle/", {"on": "yes"})
    client.post("/names/", {"case": [str(case.public_id) for case in cases(contoso)]})
    client.get("/")
    kept = "".join(_everything(contoso)) + str(dict(client.session.items()))
    assert "Anna" not in kept
    assert client.session["show_names"] is True


def test_bad_ids_are_nothing(sign_in, contoso: Tenant) -> None:
    client = sign_in("analyst", contoso)
    shown = client.post("/names/", {"case": ["x", "", "0" * 32]}).json()
    assert shown == {"names": {}, "problems": {}}
    assert client.post("/names/", {"entity": "x"}).status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "Anna Smith",
        "anna  SMITH",
        "anna.smith@contoso.com",
        "pc-anna",
        "PC-ANNA.contoso.com",
        "203.0.113.77",
    ],
)
def test_search_finds_by_name(text: str, sign_in, contoso: Tenant) -> None:
    client = sign_in("analyst", contoso)
    shown = client.post("/search/", {"text": text}).content.decode()
    assert "/entities/" in shown, text
    entry = audited().get(action="searched")
    assert entry.facts == {"tenants": 1, "found": 1}
    assert text not in f"{entry.subject} {entry.facts}"


def test_search_finds_cases_and_tenants(sign_in, contoso: Tenant) -> None:
    client, case = sign_in("analyst", contoso), cases(contoso)[0]
    for text in (f"#{case.pk}", str(case.pk), case.reference, "suspicious sign"):
        assert str(case.public_id) in client.post("/search/", {"text": text}).content.decode()
    assert "/tenants/qa/" in client.post("/search/", {"text": "qa"}).content.decode()
    kelvins = "CSC-" + 12 * "\u212a"  # of no case, though "k" is of its own
    for text in ("", "x", "%", "\0\0", "CSC-!", "9" * 200, kelvins):
        assert client.post("/search/", {"text": text}).status_code == 200


def _everything(tenant: Tenant) -> list[str]:
    """All rows of all tables that the portal or the tenant may read, as text."""
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for table in ("tenants_auditentry", "django_session", "tenants_user"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            rows += [row[0] for row in cursor.fetchall()]
    with scope(tenant), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace",
            [tenant.schema_name],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{name}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return rows


def test_indicators_of_a_case_are_a_file_for_those_who_may_see_names(
    sign_in, contoso: Tenant
) -> None:
    case = cases(contoso)[0]
    at = f"/cases/{case.public_id}/"
    client = sign_in("analyst", contoso)
    assert f"{at}stix/" in client.get(at).content.decode()
    answer = client.post(f"{at}stix/")
    assert answer.headers["Cache-Control"] == "no-store"
    patterns = [one.get("pattern", "") for one in answer.json()["objects"]]
    assert "[ipv4-addr:value = '203.0.113.77']" in patterns
    entry = audited().get(action="names_shown")
    assert (entry.subject, entry.facts["format"]) == (f"case {case.public_id}", "stix")
    viewer = sign_in("viewer", contoso)
    assert f"{at}stix/" not in viewer.get(at).content.decode()
    assert viewer.post(f"{at}stix/").status_code == 404
