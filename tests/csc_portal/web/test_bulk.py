"""Many cases at once: over tenants, each with its result, again for those that failed."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from alerts import triage
from alerts.models import Case, CaseEvent
from csc_portal.web import bulk
from tenants.models import Grant, QueueEntry, Tenant, User
from tenants.scope import granted, scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World, fill
from ticketing.models import Delivery


def rows(*tenants: Tenant) -> list[QueueEntry]:
    ids = [tenant.pk for tenant in tenants]
    with granted(ids):
        return list(QueueEntry.objects.filter(tenant_id__in=ids).order_by("tenant_id", "case_id"))


def seen(entries: list[QueueEntry]) -> list[str]:
    return [f"{e.public_id}~{e.status}.{e.assignee_id or ''}.{e.verdict}" for e in entries]


def send(client, entries: list[QueueEntry], do: str, **fields: object) -> str:
    return client.post("/queue/bulk/", {"case": seen(entries), "do": do, **fields}).content.decode()


def cases(tenant: Tenant) -> list[Case]:
    with scope(tenant):
        return list(Case.objects.order_by("pk"))


@pytest.fixture
def both(world: World) -> list[Tenant]:
    return [world.tenants["qa"], world.tenants["qatest"]]


def test_one_verdict_for_cases_of_two_tenants(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    told = send(
        client, rows(*both), "resolve", verdict="falsePositive", determination="notMalicious",
        reason="admin_work",
    )  # fmt: skip
    assert "6 of 6 cases changed" in told
    for tenant in both:
        for case in cases(tenant):
            found = (case.status, case.verdict, case.determination, case.verdict_reason)
            assert found == (2, "falsePositive", "notMalicious", "admin_work")
        assert Tenant.objects.get(pk=tenant.pk).next_outcome_at is not None


def test_what_failed_can_be_tried_again_alone(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    entries = rows(*both)
    with scope(both[0]):
        other = Case.objects.get(pk=entries[0].case_id)
        triage.assign(both[0].pk, {other.pk: other.version}, actor_id=7, assignee_id=7)
    told = send(client, entries, "start")
    assert "5 of 6 cases changed" in told
    assert triage.STALE in told
    again = re.findall(r'name="case" value="([^"]+)"', told)
    assert [item.partition("~")[0] for item in again] == [str(entries[0].public_id)]
    assert "1 of 1 cases changed" in client.post(
        "/queue/bulk/", {"case": again, "do": "start"}
    ).content.decode()  # fmt: skip
    assert {case.status for case in cases(both[0])} == {1}


def test_a_viewer_of_one_changes_only_the_other(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", both[0])
    Grant.objects.create(user=client.person, tenant=both[1], role="viewer")
    told = send(client, rows(*both), "assign")
    assert "3 of 6 cases changed" in told
    assert "You may only look at cases of this tenant." in told
    assert 'name="case"' not in told  # another try makes no sense
    assert {case.assignee_id for case in cases(both[1])} == {None}


def test_only_who_may_work_there_is_assigned(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    colleague = User.objects.create_user("colleague")
    Grant.objects.create(user=colleague, tenant=both[0], role="analyst")
    told = send(client, rows(*both), "assign", assignee=str(colleague.pk))
    assert "3 of 6 cases changed" in told
    assert {case.assignee_id for case in cases(both[0])} == {colleague.pk}
    assert {case.assignee_id for case in cases(both[1])} == {None}


@pytest.mark.parametrize(
    ("spelt", "fields"),
    [
        (str.upper, {"do": "start"}),
        (str, {"do": "assign", "assignee": "9" * 5000}),
        (str, {"do": "assign", "assignee": "\u0667"}),
        (str, {"do": "snooze", "at": "9999-12-31T23:59:59", "snooze_reason": "Later"}),
        (str, {"do": "snooze", "at": "0001-01-01T00:00", "snooze_reason": "Later"}),
        (str, {"do": "merge", "into": "\u00b2"}),
    ],
)
def test_what_no_page_sends_changes_nothing(sign_in, both, spelt, fields) -> None:
    client = sign_in("analyst", both[0])
    client.person.preferences["time_zone"] = "Pacific/Kiritimati"
    client.person.save(update_fields=["preferences"])
    chosen = [spelt(item) for item in seen(rows(both[0]))]
    answer = client.post("/queue/bulk/", {"case": chosen, **fields})
    assert answer.status_code == 200
    assert {(case.status, case.assignee_id) for case in cases(both[0])} == {(0, None)}


def test_a_severity_wants_a_reason(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    entries = rows(both[0])
    told = send(client, entries, "severity", severity="high")
    assert "Choose a reason" in told
    send(client, entries, "severity", severity="high", severity_reason="asset_matters")
    assert {case.severity for case in cases(both[0])} == {4}


def test_a_snoozed_case_leaves_the_queue_and_comes_back(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    until = (timezone.now() + timedelta(hours=4)).isoformat()
    told = send(client, rows(both[0]), "snooze", until=until, snooze_reason="Patch on Monday")
    assert "3 of 3 cases changed" in told
    count = 'class="case-row'
    assert client.get("/?tenant=qa").content.decode().count(count) == 0
    assert client.get("/?tenant=qa&snoozed=yes").content.decode().count(count) == 3
    assert Tenant.objects.get(pk=both[0].pk).next_judgement_at is not None
    send(client, rows(both[0]), "wake")
    assert client.get("/?tenant=qa").content.decode().count(count) == 3


def test_an_hour_of_snooze_is_an_hour_when_clocks_change() -> None:
    before = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    offered = dict(bulk.snooze_times(before))
    assert [offered[name].timestamp() - before.timestamp() for name in ("1 hour", "4 hours")] == [
        3600, 14400
    ]  # fmt: skip
    assert f"{offered['Tomorrow, 08:00']:%d %H:%M}" == "26 08:00"


@pytest.mark.parametrize("fields", [{}, {"until": "soon"}, {"at": "2020-01-01T08:00"}])
def test_a_snooze_needs_a_time_to_come(fields, sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    told = send(client, rows(both[0]), "snooze", snooze_reason="x", **fields)
    assert "Nothing was changed" in told


def test_a_ticket_is_asked_for_once(sign_in, both: list[Tenant]) -> None:
    from tenants.models import TicketConnection

    TicketConnection.objects.create(
        tenant=both[0], system="freshservice", url="https://x.example", secret_name="k"
    )
    client = sign_in("analyst", *both)
    Tenant.objects.filter(pk=both[0].pk).update(next_delivery_at=None)
    with scope(both[0]):
        Case.objects.update(ticket_after=timezone.now() + timedelta(hours=1))
    told = send(client, rows(*both), "ticket")
    assert "3 of 6 cases changed" in told
    assert "no ticket system" in told
    with scope(both[0]):
        assert Delivery.objects.filter(kind="create").count() == 3
        assert CaseEvent.objects.filter(kind="ticket_asked").count() == 3
    assert Tenant.objects.get(pk=both[0].pk).next_delivery_at is not None
    send(client, rows(both[0]), "ticket")
    with scope(both[0]):
        assert Delivery.objects.filter(kind="create").count() == 3


def test_all_that_match(sign_in, both: list[Tenant], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 4)
    for tenant in both:
        fill(tenant, 12)
    client = sign_in("analyst", *both)
    assert client.get("/queue/bulk/matching/?severity=high").json() == {
        "count": 8,
        "is_cut": False,
    }
    fields = {"all": "yes", "query": "severity=high", "do": "start"}
    told = client.post("/queue/bulk/", fields).content.decode()
    assert "8 of 8 cases changed" in told
    for tenant in both:
        assert {case.severity for case in cases(tenant) if case.status == 1} == {4}


@pytest.mark.parametrize(
    ("query", "changed"),
    [("tenant=qa", {"qa"}), ("tenant=all", {"qa", "qatest"}), ("", {"qatest"}),
     ("tenant=third", set()), ("tenant=nobody&tenant=qa", {"qa"})],
)  # fmt: skip
def test_all_that_match_are_of_the_tenants_that_the_page_showed(
    query: str, changed: set[str], sign_in, both: list[Tenant]
) -> None:
    client = sign_in("analyst", *both)
    client.post("/scope/", {"slug": "qatest", "next": "/"})
    client.post("/queue/bulk/", {"all": "yes", "query": query, "do": "start"})
    started = {tenant.slug for tenant in both if {one.status for one in cases(tenant)} == {1}}
    untouched = {tenant.slug for tenant in both if {one.status for one in cases(tenant)} == {0}}
    assert (started, untouched) == (changed, {"qa", "qatest"} - changed)


def test_all_that_match_ends_somewhere(sign_in, both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_MATCHING", 4)
    client = sign_in("analyst", *both)
    assert client.get("/queue/bulk/matching/").json() == {"count": 4, "is_cut": True}
    told = client.post("/queue/bulk/", {"all": "yes", "do": "start"}).content.decode()
    assert "4 of 4 cases changed" in told


def test_a_wrong_filter_matches_nothing(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    told = client.post("/queue/bulk/", {"all": "yes", "query": "status=x", "do": "start"})
    assert "Choose cases" in told.content.decode()
    assert {case.status for case in cases(both[0])} == {0}


@pytest.mark.parametrize("do", bulk.ASKED)
def test_every_question_can_be_asked(do: str, sign_in, both: list[Tenant]) -> None:
    answer = sign_in("analyst", *both).get(f"/queue/bulk/ask/?do={do}")
    assert f'value="{do}"' in answer.content.decode()
    assert sign_in("viewer", *both).get(f"/queue/bulk/ask/?do={do}").status_code == 404


def test_the_selection_is_exported_alone(sign_in, world: World, both: list[Tenant]) -> None:
    client = sign_in("viewer", both[0])
    entries = rows(*both, world.tenants["third"])
    answer = client.post("/queue/export.json", {"case": seen(entries)})
    found = json.loads(answer.getvalue())
    assert {row["tenant"] for row in found} == {"qa"}
    assert len(found) == 3
    assert audited().get(action="exported").facts == {"format": "json", "rows": 9}


def test_cases_are_merged_tenant_by_tenant(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    told = send(client, [*rows(both[0]), rows(both[1])[0]], "merge")
    assert "3 of 4 cases changed" in told
    assert "Choose at least two cases" in told
    assert sorted(case.status for case in cases(both[0])) == [0, 3, 3]


def test_cases_are_merged_into_one_that_is_named(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", both[0])
    one, two, three = rows(both[0])
    assert "Write the number" in send(client, [one], "merge", into="x")
    assert "has no case of this number" in send(client, [one], "merge", into="99999999")
    send(client, [one, two], "merge", into=f"#{three.case_id}")
    found = {case.pk: case.merged_into_id for case in cases(both[0])}
    assert found == {one.case_id: three.case_id, two.case_id: three.case_id, three.case_id: None}


def test_a_comment_is_kept_nowhere(sign_in, both: list[Tenant]) -> None:
    client = sign_in("analyst", *both)
    fields = {"comment": "Anna Canary called", "nonce": "a" * 12}
    told = send(client, rows(*both), "comment", **fields)
    assert "0 of 6 cases changed" in told
    assert "The tenant has no ticket system." in told
    assert "Canary" not in told
    many = [f"{n}~0.." for n in range(21)]
    answer = client.post("/queue/bulk/", {"case": many, "do": "comment", **fields})
    assert "at most 20 cases" in answer.content.decode()
