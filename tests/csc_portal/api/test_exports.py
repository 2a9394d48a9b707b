"""Streams of cases and alerts: complete, in each format, for the key's tenants alone."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from csc_portal.api import exports
from csc_portal.api.exports import KeyLost
from csc_portal.api.formats.plain import csv_lines, ndjson
from csc_portal.api.keys import NewKey, create_key, revoke_key
from tenants.models import ApiKey, Grant, Tenant, User
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.api.test_formats import check_ecs, check_ocsf
from tests.csc_portal.web.conftest import SECRET, fill

ANY = "status=any&severity=any"


@pytest.fixture
def program(qa: Tenant, qatest: Tenant) -> User:
    person = User.objects.create_user("exporter")
    for tenant in (qa, qatest):
        Grant.objects.create(user=person, tenant=tenant, role="analyst")
    return person


def key_of(owner: User, *scopes: str, **more: Any) -> tuple[ApiKey, dict[str, str]]:
    now = timezone.now()
    key, text = create_key(owner, NewKey("Export", scopes, **more), actor="ada", now=now)
    return key, {"Authorization": f"Bearer {text}"}


@pytest.fixture
def key(program: User) -> dict[str, str]:
    return key_of(program, "export", "cases:read")[1]


@pytest.fixture
def filled(simulator, qa: Tenant, qatest: Tenant, third: Tenant) -> None:
    for tenant in (qa, qatest, third):
        Tenant.objects.filter(pk=tenant.pk).update(state="active")
        fill(tenant, 7, title=SECRET if tenant.slug == "third" else "Suspicious sign-in")


def get(client: Client, path: str, headers: dict[str, str]) -> str:
    answer = client.get(f"/api/v1/{path}", headers=headers)
    assert answer.status_code == 200, answer.getvalue()
    return answer.getvalue().decode()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("what", "tenant_of"), [
    ("cases", lambda one: one["tenant"]), ("alerts", lambda one: one["tenant"]),
])  # fmt: skip
def test_all_batches_come_once(
    client: Client, filled, key, monkeypatch, what: str, tenant_of: Any
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    query = ANY if what == "cases" else ""
    found = lines(get(client, f"{what}/export?{query}", key))
    assert len(found) == 14
    assert len({one.get("id") or one["tenant"] + one["source_ref"] for one in found}) == 14
    assert {tenant_of(one) for one in found} == {"qa", "qatest"}


@pytest.mark.parametrize("what", ["cases", "alerts"])
def test_open_schemas(client: Client, filled, key, what: str) -> None:
    query = ANY if what == "cases" else ""
    events = lines(get(client, f"{what}/export?{query}&format=ocsf", key))
    assert len(events) == 14
    for event in events:
        check_ocsf(event)
    assert {event["class_uid"] for event in events} == {2005 if what == "cases" else 2004}
    documents = lines(get(client, f"{what}/export?{query}&format=ecs", key))
    assert len(documents) == 14
    for document in documents:
        check_ecs(document)


@pytest.mark.parametrize("what", ["cases", "alerts"])
def test_csv_holds_what_ndjson_holds(client: Client, filled, key, what: str) -> None:
    query = ANY if what == "cases" else ""
    table = list(csv.DictReader(io.StringIO(get(client, f"{what}/export?{query}&format=csv", key))))
    found = lines(get(client, f"{what}/export?{query}", key))
    name = "id" if what == "cases" else "source_ref"
    assert [row[name] for row in table] == [one[name] for one in found]
    assert [json.loads(row["entities"]) for row in table] == [one["entities"] for one in found]
    assert list(table[0]) == list(found[0])


def test_nothing_personal_and_nothing_of_others(client: Client, filled, key) -> None:
    for what in ("cases", "alerts"):
        for kind in ("ndjson", "csv", "ocsf", "ecs"):
            query = ANY if what == "cases" else "tenant=qa&tenant=qatest"
            text = get(client, f"{what}/export?{query}&format={kind}", key)
            for word in ("Person 0", "person.0", "pc-0", "203.0.113", SECRET, "third"):
                assert word not in text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("cases/export?format=xml", 400),
        ("cases/export?format=csv&format=csv", 400),
        ("cases/export?tenant=third", 404),
        ("cases/export?nonsense=1", 400),
        ("alerts/export?tenant=third", 404),
        ("alerts/export?since=yesterday", 400),
        ("alerts/export?since=2026-13-01T00:00:00Z", 400),
    ],
)
def test_wrong_questions(client: Client, filled, key, query: str, status: int) -> None:
    answer = client.get(f"/api/v1/{query}", headers=key)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_it_takes_both_scopes(client: Client, filled, program: User) -> None:
    for scopes in (("cases:read",), ("tenants:read",)):
        _, headers = key_of(program, *scopes)
        assert client.get("/api/v1/cases/export", headers=headers).status_code == 404
    _, headers = key_of(program, "export")
    assert get(client, f"cases/export?{ANY}", headers) == ""
    assert client.get("/api/v1/cases/export").status_code == 401


def test_a_key_for_one_tenant(client: Client, filled, program: User, qatest: Tenant) -> None:
    _, headers = key_of(program, "export", "cases:read", tenants=[qatest])
    found = lines(get(client, f"cases/export?{ANY}", headers))
    assert {one["tenant"] for one in found} == {"qatest"}


@pytest.mark.parametrize("what", ["cases", "alerts"])
def test_a_revoked_key_breaks_the_stream_off(
    client: Client, filled, program: User, monkeypatch, what: str
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 1)
    monkeypatch.setattr(exports, "LOOKED_AT_EVERY", 2)
    monkeypatch.setattr(exports, "gathered", iter)  # each row at once, not in larger pieces
    key, headers = key_of(program, "export", "cases:read")
    query = ANY if what == "cases" else ""
    answer = client.get(f"/api/v1/{what}/export?{query}", headers=headers)
    stream = iter(answer.streaming_content)
    next(stream)
    revoke_key(key, actor="ada", now=timezone.now())
    with pytest.raises(KeyLost):
        list(stream)


def test_alerts_since_a_time(client: Client, filled, key, qa: Tenant) -> None:
    from alerts.models import Alert

    with scope(qa):
        newest = Alert.objects.order_by("-updated_at", "-pk")[0]
        later = newest.updated_at + timedelta(days=1)
        Alert.objects.filter(pk=newest.pk).update(updated_at=later)
    since = later.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = lines(get(client, f"alerts/export?since={since}", key))
    assert [one["source_ref"] for one in found] == [newest.provider_id]


def test_each_export_is_in_the_audit_log(client: Client, filled, key) -> None:
    get(client, f"cases/export?{ANY}&format=ocsf", key)
    entry = audited().get(action="exported")
    assert entry.actor == "exporter"
    assert entry.facts == {"format": "ocsf", "what": "cases", "tenants": 2}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_runs_nothing(start: str) -> None:
    text = b"".join(csv_lines(["title", "count"], [{"title": f"{start}cmd|x", "count": -3}]))
    rows = list(csv.reader(io.StringIO(text.decode(), newline="")))
    assert rows == [["title", "count"], [f"'{start}cmd|x", "-3"]]


def test_memory_stays_as_it_is() -> None:
    """Twenty times the rows, the same peak."""
    document = {"id": 1, "title": "x" * 200, "entities": [{"kind": "user"}]}

    def peak(rows: int) -> int:
        tracemalloc.start()
        for write in (ndjson, lambda found: csv_lines(document, found)):
            for _ in write(document for _ in range(rows)):
                pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)
    assert peak(20_000) < 2 * peak(1_000)
