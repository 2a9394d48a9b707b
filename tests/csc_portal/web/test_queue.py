"""Pages of the queue: all rows once, in order; filters; exports; what live pages are told."""

from __future__ import annotations

import csv
import io
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.http import QueryDict

from alerts import triage
from alerts.ingest import store_page
from alerts.models import Case
from alerts.prepare import prepare_page
from alerts.refresh import publish
from csc_portal import queue
from csc_portal.filters import Filter, parse
from csc_portal.spreadsheet import no_formula
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant, erase_tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.documents import START, address, alert, user

ANYTHING = Filter(status=("any",), severity=("any",))
ME = 1


def store(tenant: Tenant, *documents: dict[str, object]) -> None:
    pseudonymiser = Pseudonymiser([("test", b"k" * 32)])
    with scope(tenant):
        page = prepare_page(documents, pseudonymiser)
        store_page(tenant.pk, page, pseudonymiser.version)


@pytest.fixture
def filled(qa: Tenant, qatest: Tenant) -> list[int]:
    """Eleven cases of each; four at a time happened in the same moment."""
    for tenant in (qa, qatest):
        store(
            tenant,
            *(
                alert(f"{n}", address(f"203.0.113.{n}"), at=START + timedelta(minutes=n // 4))
                for n in range(11)
            ),
        )
    return [qa.pk, qatest.pk]


def test_pages_hold_every_row_once_and_in_order(filled: list[int]) -> None:
    seen, after, before = [], "", []
    while True:
        found = queue.page(ANYTHING, filled, ME, after=after, limit=5)
        seen += found.rows
        before.append((found.before, [row.id for row in found.rows]))
        after = found.after
        if not after:
            break
    assert len({row.id for row in seen}) == len(seen) == 22
    keys = [(row.last_activity_at, row.id) for row in seen]
    assert keys == sorted(keys, reverse=True)
    assert before[0][0] == ""
    for (cursor, _), (_, previous) in zip(before[1:], before, strict=False):
        back = queue.page(ANYTHING, filled, ME, before=cursor, limit=5)
        assert [row.id for row in back.rows] == previous


def test_a_filter_that_no_index_serves_goes_on_later(
    filled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "SCANS", 6)
    wanted, seen, after, cuts = Filter(severity=("medium",), q="sign"), [], "", 0
    while True:
        found = queue.page(wanted, filled, ME, after=after, limit=4)
        seen += [row.id for row in found.rows]
        cuts += found.is_cut
        after = found.after
        if not after:
            break
    assert len(set(seen)) == len(seen) == 22
    rare = queue.page(Filter(source=("microsoftSentinel",)), filled, ME)
    assert (rare.rows, rare.is_cut) == ([], True)
    assert rare.after


def test_only_granted_tenants_are_read(filled: list[int], third: Tenant) -> None:
    assert len(queue.page(ANYTHING, filled[:1], ME).rows) == 11
    assert queue.page(ANYTHING, [], ME).rows == []
    assert queue.page(ANYTHING, [third.pk], ME).rows == []
    assert queue.counts(filled).all_open == 22
    assert queue.counts([]).all_open == 0


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("status=resolved&severity=any", 1),
        ("severity=any", 5),
        ("severity=high", 2),
        ("severity=any&pillar=identity", 2),
        ("severity=any&pillar=infrastructure&pillar=identity", 5),
        ("severity=any&source=microsoftSentinel", 1),
        ("q=MIMI", 1),
        ("q=%25", 1),
        ("q=100%25_sure", 1),
        ("q=nowhere", 0),
        ("assignee=me", 1),
        ("assignee=none", 3),
        ("assignee=anyone", 1),
        ("verdict=none", 4),
        ("verdict=falsePositive&status=any", 1),
        ("closed_by=proof", 1),
        ("closed_by=rule&closed_by=suppressed", 0),
        ("closed_by=proof&status=new", 0),
        ("ticket=yes", 0),
        ("ticket=no", 4),
        ("since=2026-11-20T09:00:00Z&severity=any", 1),
        ("until=2026-11-20T09:00:00Z&severity=any", 4),
    ],
)
def test_filters(query: str, count: int, qa: Tenant) -> None:
    store(
        qa,
        alert("1", user("Anna"), severity="high", title="Mimikatz"),
        alert("2", user("Bo"), severity="high"),
        alert("3", address("203.0.113.3"), severity="informational"),
        alert("4", address("203.0.113.4"), severity="low", source="microsoftSentinel"),
        alert("5", address("203.0.113.5"), title="100%_sure", at=START + timedelta(hours=2)),
        alert("6", address("203.0.113.6")),
    )
    with scope(qa):
        numbers = dict(Case.objects.values_list("alerts__provider_id", "pk"))
        triage.assign(qa.pk, {numbers["1"]: 1}, actor_id=ME, assignee_id=ME)
        triage.resolve(qa.pk, {numbers["6"]: 1}, actor_id=ME, verdict="falsePositive")
        Case.objects.filter(pk=numbers["6"]).update(closed_by="proof")
        publish(qa.pk, [numbers["6"]])
    assert len(queue.page(parse(QueryDict(query)), [qa.pk], ME).rows) == count


def test_a_problem_shows_nothing(sign_in, world: World) -> None:
    shown = sign_in("admin").get("/?status=opn").content.decode()
    assert "&#x27;opn&#x27; is no status" in shown
    assert "case-row" not in shown


@pytest.mark.parametrize("text", ["%00", "%F0%28%8C%28", "'%22%3Cx%3E", "9" * 40, "%E2%80%AE"])
def test_no_address_breaks_a_page(text: str, sign_in, world: World) -> None:
    client = sign_in("admin")
    names = ("status", "severity", "source", "q", "entity", "since", "tenant", "after", "before")
    for name in (*names, "seen", "action", "page", "state", "tab", "find"):
        for place in ("/", "/queue/hours/", "/tenants/", "/health/", "/audit/", "/scope/options/"):
            assert client.get(f"{place}?{name}={text}").status_code == 200, (place, name)


def test_the_links_of_a_row_are_a_picture(sign_in, qa: Tenant) -> None:
    store(qa, alert("1", address("203.0.113.1")))
    body = sign_in("analyst", qa).get("/").content.decode()
    assert '<svg class="chain-icons"' in body
    assert 'aria-label="Touches infrastructure"' in body


def test_hostile_titles_stay_text(sign_in, qa: Tenant, simulator) -> None:
    store(qa, alert("1", title="<script>alert(1)</script><img src=x onerror=alert(2)>"))
    client = sign_in("admin")
    for address_ in ("/", f"/cases/{_only_case(qa).public_id}/"):
        shown = client.get(address_).content.decode()
        assert "<script>alert" not in shown
        assert "<img" not in shown


def test_an_export_holds_no_formula(sign_in, qa: Tenant, simulator) -> None:
    store(qa, alert("1", title="=cmd|'/c calc'!A1"), alert("2", title="+1", severity="high"))
    client = sign_in("viewer", qa)
    answer = client.get("/queue/export.csv?severity=any")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert len(rows) == 2
    assert all(not value.startswith(tuple("=+-@\t\r")) for row in rows for value in row.values())
    shown = json.loads(client.get("/queue/export.json").getvalue())
    assert [row["severity"] for row in shown] == ["high", "medium"]
    assert audited().filter(action="exported").count() == 2


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", " =1", "\uff1d1", "\uff20x"]
)
def test_no_formula(text: str) -> None:
    assert no_formula(text) == "'" + text
    assert no_formula("a" + text) == "a" + text


def test_changes_want_a_snapshot(sign_in, world: World) -> None:
    client = sign_in("admin")
    wrong = ("", "1", "1:2", "x:1:", "1:1:1,", "1" * 30 + ":1:", "0:0:", "9:1:", "1:9:9", "1:9:3,2")
    for seen in (*wrong, "\u0661:\u0661:"):
        assert client.get("/queue/changes/", {"seen": seen}).status_code == 400
    answer = client.get("/queue/changes/", {"seen": "1:1:"})
    assert answer.headers["X-Queue-Seen"]
    assert answer.content.decode().count('class="case-row') == 9


def _only_case(tenant: Tenant) -> Case:
    with scope(tenant):
        return Case.objects.order_by("pk")[0]


# --- live, over two connections -------------------------------------------------------------------


@pytest.fixture
def live(committed) -> Iterator[list[Tenant]]:
    """Two committed tenants with two cases each. Writers of one tenant wait for each other."""
    tenants = []
    for slug in ("live-one", "live-two"):
        new = NewTenant(slug, slug, uuid.uuid4(), uuid.uuid4(), "csc-app-credential")
        tenants.append(create_tenant(new))
        store(tenants[-1], alert("1", address("203.0.113.1")), alert("2", address("203.0.113.2")))
    yield tenants
    for tenant in tenants:
        erase_tenant(tenant)


def test_what_commits_late_is_not_missed_and_comes_once(live: list[Tenant]) -> None:
    one, two = live
    ids = [one.pk, two.pk]
    early, late = _only_case(one).pk, _only_case(two).pk
    written, may_commit = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with scope(two), transaction.atomic():
            triage.start(two.pk, {late: 1}, actor_id=ME)
            written.set()
            may_commit.wait(20)
        connection.close()

    seen = queue.page(ANYTHING, ids, ME).seen
    writer = threading.Thread(target=slow_writer)
    writer.start()
    assert written.wait(20)
    try:
        first = queue.changes(ANYTHING, ids, ME, seen)
        assert first.rows == []
        with scope(one):
            triage.start(one.pk, {early: 1}, actor_id=ME)
        second = queue.changes(ANYTHING, ids, ME, first.seen)
        assert [(row.tenant_id, row.case_id) for row, _ in second.rows] == [(one.pk, early)]
    finally:
        may_commit.set()
        writer.join(20)
    third = queue.changes(ANYTHING, ids, ME, second.seen)
    assert [(row.tenant_id, row.case_id) for row, _ in third.rows] == [(two.pk, late)]
    assert queue.changes(ANYTHING, ids, ME, third.seen).rows == []


def test_changes_say_what_meets_the_filter(live: list[Tenant]) -> None:
    tenant = live[0]
    wanted = Filter(status=("in_progress",), severity=("any",))
    started = _only_case(tenant).pk
    with scope(tenant):
        triage.start(tenant.pk, {started: 1}, actor_id=ME)
    found = queue.changes(wanted, [tenant.pk], ME, "1:1:")
    assert sorted((row.case_id == started, met) for row, met in found.rows) == [
        (False, False),
        (True, True),
    ]
