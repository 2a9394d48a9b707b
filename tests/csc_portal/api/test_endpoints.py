"""What each endpoint answers, and what it does."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import Case, CaseEvent
from csc_portal.api.bulk_run import carry_out
from csc_portal.api.keys import BadKey, NewKey, create_key, revoke_key
from csc_portal.api.schema import as_yaml, document
from csc_portal.hints import connect
from tenants.models import ApiKey, ApiTask, User
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World, fill

KIND = "urn:csc-portal:problem:"


def problem(answer, status: int, kind: str) -> dict:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (KIND + kind, status)
    assert body["title"]
    assert body["detail"]
    return body


def test_lists_go_on_and_tell_what_is_wrong(key_of, world: World) -> None:
    caller = key_of()
    for tenant in world.tenants.values():
        fill(tenant, 9)
    everything, cursor = [], ""
    while True:
        answer = caller.get(f"cases?status=any&severity=any&limit=4{cursor}").json()
        everything += [case["id"] for case in answer["items"]]
        if not answer["next"]:
            break
        cursor = f"&cursor={answer['next']}"
    assert len(everything) == len(set(everything)) == 27
    count = caller.get("cases/count?status=any&severity=any").json()
    assert count == {"count": 27, "is_exact": True}
    for query, field in (
        ("colour=red", "colour"), ("status=old", "status"), ("limit=0", "limit"),
        ("limit=999", "limit"), ("cursor=zzz", "cursor"), (cursor[1:], "cursor"),
        ("entity=anna", "entity"), ("since=yesterday", "since"), ("sla=never", "sla"),
        ("sort=", ""),
    ):  # fmt: skip
        answer = caller.get(f"cases?{query}")
        if not field:
            assert answer.status_code == 200
            continue
        errors = problem(answer, 400, "validation")["errors"]
        assert [one["field"] for one in errors] == [field], query
    problem(caller.get("cases?group=nobody"), 404, "not-found")
    found = caller.get(f"cases?entity={world.entities['qa']}&status=any&severity=any").json()
    assert [case["id"] for case in found["items"]] == [str(world.cases["qa"].public_id)]


def test_every_error_has_the_one_shape(key_of, stranger, world: World, settings) -> None:
    caller = key_of()
    auth = {"Authorization": f"Bearer {caller.secret}"}
    client = Client(headers=auth, raise_request_exception=False)
    problem(stranger.get("cases"), 401, "unauthorized")
    problem(caller.get("nothing/here"), 404, "not-found")
    problem(caller.get(""), 404, "not-found")
    problem(caller.get("cases/"), 404, "not-found")
    problem(caller.get("cases%0Ax"), 404, "not-found")
    problem(caller.get("cases/not-an-id"), 404, "not-found")
    refused = caller.post("cases")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "GET, HEAD"
    problem(client.delete("/api/v1/cases"), 405, "method-not-allowed")
    problem(client.options("/api/v1/cases"), 405, "method-not-allowed")
    problem(caller.get("cases", Accept="text/html"), 406, "not-acceptable")
    path = f"/api/v1/cases/{world.cases['qa'].public_id}/actions"
    problem(client.post(path, "<x/>", content_type="text/xml"), 415, "unsupported-media-type")
    odd = ("{", "[]", "null", '"x"', "\x00", "[" * 100_000, '{"do": "\\ud800"}', '{"do": NaN}')
    for body in (*odd, '{"do": "assign", "assignee_id": ' + "9" * 5_000 + "}"):
        assert client.post(path, body, content_type="application/json").status_code == 400
    large = "x" * (2 * 1024 * 1024 + 1)
    problem(client.post(path, large, content_type="application/json"), 413, "too-large")
    errors = problem(caller.post(path[8:], {"do": "resolve", "odd": 1}), 400, "validation")
    assert {one["field"] for one in errors["errors"]} == {"odd"}
    settings.API_REQUESTS_PER_MINUTE = 1
    late = caller.get("cases")
    problem(late, 429, "rate-limited")
    assert 1 <= int(late.headers["Retry-After"]) <= 60
    assert late.headers["RateLimit-Remaining"] == "0"


def test_an_unforeseen_fault_is_a_problem_too(key_of, world: World, settings) -> None:
    caller = key_of()
    settings.API_REQUESTS_PER_MINUTE = None  # what nobody would set
    client = Client(
        headers={"Authorization": f"Bearer {caller.secret}"}, raise_request_exception=False
    )
    body = problem(client.get("/api/v1/cases"), 500, "error")
    assert "None" not in str(body)
    assert "text/html" in client.get("/nothing").headers["Content-Type"]


def test_actions_hold_to_the_version(key_of, world: World) -> None:
    caller, case = key_of("analyst", [world.tenants["qa"]]), world.cases["qa"]
    path = f"cases/{case.public_id}"
    first = caller.get(path)
    assert (first.headers["ETag"], first.json()["version"]) == ('"v1"', 1)
    started = caller.post(f"{path}/actions", {"do": "start"}, **{"If-Match": '"v7", "v1"'})
    assert (started.status_code, started.headers["ETag"]) == (200, '"v2"')
    assert started.json()["assignee"]["id"] == caller.key.owner_id
    again = caller.post(f"{path}/actions", {"do": "reopen"}, **{"If-Match": '"v1"'})
    problem(again, 412, "precondition-failed")
    for body in (
        {"do": "judge", "verdict": "falsePositive", "determination": "phishing"},
        {"do": "assign", "assignee_id": 2**30},
        {"do": "severity", "severity": "low", "reason": "known_activity"},
        {"do": "snooze", "until": "2001-01-01T00:00:00Z", "reason": "Later"},
    ):
        problem(caller.post(f"{path}/actions", body), 422, "refused")
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    for body, field in (
        ({"do": "severity", "severity": "low", "reason": "contained"}, ("severity", "low")),
        ({"do": "snooze", "until": tomorrow, "reason": "Later"}, ("status", "in_progress")),
        ({"do": "wake"}, ("snoozed_until", None)),
        ({"do": "unassign"}, ("assignee", None)),
        (
            {"do": "resolve", "verdict": "falsePositive", "reason": "trusted_address"},
            ("status", "resolved"),
        ),
        ({"do": "reopen"}, ("verdict", "")),
    ):  # fmt: skip
        done = caller.post(f"{path}/actions", body)
        assert done.status_code == 200, done.content
        assert done.json()[field[0]] == field[1]
    told = audited().filter(action="api_action", subject=f"case {case.public_id}")
    assert told.count() == 7
    assert told.first().facts["key"] == caller.key.prefix
    named = {"do": "snooze", "until": tomorrow, "reason": "Ask anna@contoso.com"}
    errors = problem(caller.post(f"{path}/actions", named), 400, "validation")
    assert "anna" not in str(errors)


def test_an_idempotency_key_does_it_once(key_of, world: World) -> None:
    caller, case = key_of("analyst", [world.tenants["qa"]]), world.cases["qa"]
    path, once = f"cases/{case.public_id}/actions", {"Idempotency-Key": "the-first"}
    first = caller.post(path, {"do": "start"}, **once)
    second = caller.post(path, {"do": "start"}, **once)
    assert (first.json(), "Idempotency-Replayed" in first.headers) == (second.json(), False)
    assert second.headers["Idempotency-Replayed"] == "true"
    with scope(world.tenants["qa"]):
        assert CaseEvent.objects.filter(case=case, kind="started").count() == 1
    problem(caller.post(path, {"do": "unassign"}, **once), 422, "refused")
    problem(caller.post(path, {"do": "start"}, **{"Idempotency-Key": "x" * 101}), 400, "validation")
    wrong = {"Idempotency-Key": "refused first"}
    problem(caller.post(path, {"do": "assign", "assignee_id": 1}, **wrong), 400, "validation")
    of_other = key_of("analyst", [world.tenants["qa"]])
    assert of_other.post(path, {"do": "unassign"}, **once).status_code == 200
    kept = [connect().get(name) for name in connect().scan_iter("csc:api:once:*")]
    assert not [text for text in kept if "start" in text or str(case.public_id) in text]


def test_many_cases_are_a_task(key_of, world: World) -> None:
    caller = key_of("analyst", [world.tenants["qa"], world.tenants["qatest"]])
    fill(world.tenants["qa"], 9)
    with scope(world.tenants["qa"]):
        own = [str(one) for one in Case.objects.values_list("public_id", flat=True)]
    others = str(world.cases["third"].public_id)
    body = {"do": "start", "cases": [*own, others, str(uuid.uuid4()), own[0]]}
    answer = caller.post("cases/bulk", body, **{"Idempotency-Key": "b1"})
    assert answer.status_code == 202
    again = caller.post("cases/bulk", body, **{"Idempotency-Key": "b1"})
    assert again.json()["id"] == answer.json()["id"]
    task = ApiTask.objects.get()
    assert answer.headers["Location"] == f"/api/v1/tasks/{task.public_id}"
    assert answer.json()["state"] == "pending"
    carry_out(task.pk)
    carry_out(task.pk)  # a message that came twice
    done = caller.get(f"tasks/{task.public_id}").json()
    assert (done["state"], done["total"], done["done"]) == ("done", 11, 11)
    assert done["changed"] == len(own) == 9
    items, cursor = [], ""
    while True:
        found = caller.get(f"tasks/{task.public_id}/items?limit=4{cursor}").json()
        items += found["items"]
        if not found["next"]:
            break
        cursor = f"&cursor={found['next']}"
    assert [one["case"] for one in items] == list(dict.fromkeys(body["cases"]))
    assert [one["outcome"] for one in items] == ["changed"] * 9 + ["refused"] * 2
    assert items[-1]["message"] == items[-2]["message"]
    with scope(world.tenants["qa"]):
        assert set(Case.objects.values_list("version", flat=True)) == {2}
    caller.post("cases/bulk", {"do": "reopen", "cases": own})
    revoke_key(caller.key, actor="test", now=timezone.now())
    carry_out(ApiTask.objects.latest("pk").pk)
    assert {told[0] for told in ApiTask.objects.latest("pk").results} == {"refused"}


def test_a_killed_task_goes_on(key_of, world: World) -> None:
    caller, case = key_of("analyst", [world.tenants["qa"]]), world.cases["qa"]
    long_ago = timezone.now() - timedelta(minutes=3)
    task = ApiTask.objects.create(
        key=caller.key, order={"do": "start", "fields": {}}, state="running", moved_at=long_ago,
        cases=[uuid.uuid4(), case.public_id], results=[["refused", "Earlier"]],
    )  # fmt: skip
    carry_out(task.pk)
    task.refresh_from_db()
    assert (task.state, task.results) == ("done", [["refused", "Earlier"], ["changed", ""]])


def test_alerts_by_their_id_at_microsoft(key_of, world: World) -> None:
    caller, case = key_of(), world.cases["qa"]
    [alert] = caller.get("alerts?tenant=qa&source_ref=qa-0").json()["items"]
    assert (alert["source_ref"], alert["case"]) == ("qa-0", str(case.public_id))
    assert {one["kind"] for one in alert["entities"]} >= {"user", "device", "ip"}
    assert caller.get("alerts?tenant=qa&source_ref=qa-").json()["items"] == []
    assert caller.get(f"alerts?case={case.public_id}").json()["items"] == [alert]
    problem(caller.get(f"alerts?tenant=qatest&case={case.public_id}"), 404, "not-found")
    for query in ("", "?case=x", "?source_ref=qa-0", f"?case={case.public_id}&source_ref=x"):
        problem(caller.get(f"alerts{query}"), 400, "validation")


def test_names_only_by_a_recorded_post(key_of, world: World) -> None:
    caller = key_of("analyst", [world.tenants["qa"]])
    found = caller.post("entities/lookup", {"text": "person.0@qa.example"})
    assert found.status_code == 200
    [person] = found.json()["items"]
    assert person["tenant"] == "qa"
    entry = audited().get(action="searched")
    assert (entry.actor, entry.facts["tenants"]) == (caller.key.owner.username, ["qa"])
    assert "person" not in str(entry.facts)
    seen = caller.get(f"entities/{person['id']}").json()
    assert (seen["kind"], seen["alert_count"]) == ("user", 1)
    assert seen["cases"] == [str(world.cases["qa"].public_id)]
    shown = caller.post(f"entities/{person['id']}/name")
    assert set(shown.json()) == {"id", "name", "problem"}


def test_tenants_records_rules_and_audit(key_of, world: World) -> None:
    caller = key_of()
    slugs = [one["slug"] for one in caller.get("tenants?limit=2").json()["items"]]
    assert slugs == ["qa", "qatest"]
    one = caller.get("tenants/qa").json()
    assert one["open_cases"] == {"unknown": 0, "informational": 0, "low": 1, "medium": 1, "high": 1}
    assert one["deliveries"] == {"failed": 1}
    failed = caller.get("deliveries?tenant=qa&state=failed").json()["items"]
    assert [item["case"] for item in failed] == [str(world.cases["qa"].public_id)]
    problem(caller.get("deliveries?tenant=qa&state=lost"), 400, "validation")
    problem(caller.get("deliveries"), 400, "validation")
    for path in ("tickets?tenant=qa", "decisions?tenant=qa", "reports/auto-closed?tenant=qa"):
        assert caller.get(path).json() == {"items": [], "next": None}
    assert {rule["applies_to"] for rule in caller.get("rules").json()["items"]} == {"all"}
    listed = caller.get("audit?action=api_key_made&limit=1").json()["items"]
    assert listed[0]["subject"] == f"key {caller.key.prefix}"
    problem(caller.get("audit?since=x"), 400, "validation")
    for early in ("until=0001-01-01T00:00:00%2B05:00", "until=1999-01-01"):
        assert caller.get(f"reports/auto-closed?tenant=qa&{early}").json()["items"] == []
    late = "since=9999-12-31T23:00:00-05:00&until=9999-12-31T23:59:00-05:00"
    assert caller.get(f"reports/auto-closed?tenant=qa&{late}").json()["items"] == []
    workers = key_of("analyst", [world.tenants["qa"]]).get("tenants/qa/workers").json()["items"]
    assert len(workers) == 2


PINNED = {
    "key": 2,
    "cases": 5,
    "cases?tenant=qa&sort=due": 5,
    "cases/count": 3,
    "cases/changes": 3,
    "cases/{case}": 6,
    "alerts?case={case}": 7,
    "alerts?tenant=qa&source_ref=qa-0": 5,
    "entities/{entity}": 12,
    "tenants": 4,
    "tenants/qa": 13,
    "tenants/qa/workers": 4,
    "tickets?tenant=qa": 4,
    "deliveries?tenant=qa": 4,
    "decisions?tenant=qa": 4,
    "reports?tenant=qa": 4,
    "reports/auto-closed?tenant=qa": 4,
    "rules": 3,
    "audit": 4,
}


def test_queries_are_few_and_do_not_grow(key_of, world: World) -> None:
    caller = key_of()
    caller.post(f"cases/{world.cases['qa'].public_id}/actions", {"do": "start"})

    def counts() -> dict[str, int]:
        found = {}
        for pattern in PINNED:
            path = pattern.format(case=world.cases["qa"].public_id, entity=world.entities["qa"])
            with CaptureQueriesContext(connection) as captured:
                assert caller.get(path).status_code == 200, path
            found[pattern] = len(captured)
        return found

    few = counts()
    for tenant in world.tenants.values():
        fill(tenant, 12)
    assert (few, counts()) == (PINNED, PINNED)


def test_keys_are_bounded(db, world: World) -> None:
    now, nobody = timezone.now(), User.objects.create_user("nobody")
    for new in (
        NewKey("x", ["cases:read"]),
        NewKey("x", []),
        NewKey("x", ["odd"]),
        NewKey(" ", []),
    ):
        with pytest.raises(BadKey):
            create_key(nobody, new, actor="test", now=now)
    robot = User.objects.create_user("robot", is_service=True)
    with pytest.raises(BadKey, match="1 to 365"):
        create_key(robot, NewKey("x", ["cases:read"], days=366), actor="test", now=now)
    of_qa = NewKey("x", ["cases:read"], tenants=[world.tenants["qa"]])
    with pytest.raises(BadKey, match="may not use the API for: qa"):
        create_key(robot, of_qa, actor="test", now=now)
    key, whole = create_key(robot, NewKey("x", ["cases:read"]), actor="test", now=now)
    assert whole.startswith(key.prefix)
    assert whole not in str(ApiKey.objects.values())
    assert revoke_key(key, actor="test", now=now)
    assert not revoke_key(key, actor="test", now=now)


def test_the_document_is_the_one_in_docs() -> None:
    """After a change: manage.py openapi > docs/openapi.yaml"""
    with open("docs/openapi.yaml") as file:
        assert file.read() == as_yaml()


def test_the_document_is_served_to_anybody(client) -> None:
    answer = client.get("/api/v1/schema")
    assert answer.json() == document()
    assert answer.json()["openapi"].startswith("3.1")
    assert client.get("/api/v1/schema?format=yaml").content.decode() == as_yaml()
    assert client.post("/api/v1/schema").status_code == 405
