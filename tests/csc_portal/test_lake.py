"""The lake against the database that it is written from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from alerts.entities import _merge
from alerts.models import Alert, AlertEntity, AlertFact, Case, CaseEvent, Decision
from alerts.rows import run
from alerts.triage import assign, resolve, start
from csc_portal import lake_due, lake_feed, offboard
from csc_portal.figures import STEPS_MIN, count_figures
from csc_portal.lake_due import lake_tenant, run_lake, start_lakes
from csc_portal.lake_run import (
    LakeOfAnotherLife,
    begin_anew,
    export,
    lake_store,
    orphans,
    verify,
    write_again,
)
from csc_portal.offboard import erase
from csc_portal.turns import LAKE
from lake.manifest import folder_of, last_window, publish, windows_of
from lake.reader import Lake
from lake.schema import TABLES
from lake.store import Store
from posture.models import InventoryRead, ScoreDay
from tenants.models import CaseFigure, Tenant
from tenants.onboarding import OnboardingError
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import granted, scope
from tests.alerts.documents import alert, device, user
from tests.alerts.judgement_lab import know, take

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def tenant(committed: None, _tenants: dict[str, Tenant]) -> Iterator[Tenant]:
    """One of the session's, whose rows are committed here and removed again."""
    pk = _tenants["third"].pk
    Tenant.objects.filter(pk=pk).update(state="active")
    yield Tenant.objects.get(pk=pk)
    with scope(_tenants["third"]):
        for table in EMPTIED:
            run(f"DELETE FROM {table}", [])
    Tenant.objects.filter(pk=pk).update(
        state="onboarding", next_lake_at=None, lake_until=None, lake_days=400
    )


EMPTIED = (
    "alerts_alertfact", "alerts_alertentity", "alerts_entitykey", "alerts_entity", "alerts_alert",
    "alerts_decision", "alerts_caseevent", "alerts_case", "tenants_queueentry",
    "tenants_entityindex", "tenants_casefigure", "posture_scoreday", "posture_inventoryread",
)  # fmt: skip


@pytest.fixture
def store(tmp_path, settings: Any) -> Store:
    settings.LAKE_URL = str(tmp_path / "lake")
    return lake_store()


def fill(tenant: Tenant) -> list[Case]:
    """Something in every table of the lake."""
    pseudonymiser = Pseudonymiser([("test", derive_key(b"m" * 32, tenant.public_id))])
    now = timezone.now()
    with scope(tenant):
        cases = take(
            tenant, pseudonymiser, alert("a", user("anna"), device("pc")), alert("b", user("bob"))
        )
        know("a")
        Decision.objects.create(
            case=cases[0], outcome="raised", basis="default", priority=50,
            reasons=[["vip", "A VIP."], ["new", "New."]],
        )  # fmt: skip
        ScoreDay.objects.create(
            day="2026-11-01", current=5, most=10, averages={"AllTenants": 40.5, "Total": 3},
            controls={"AdminMFA": [1, None]}, read_at=now,
        )  # fmt: skip
        InventoryRead.objects.create(
            is_full=True, began_at=now, ended_at=now, states={"watched": 3}
        )
    return cases


def held(tenant: Tenant, store: Store) -> dict[str, int]:
    """Newest rows in the lake, by table."""
    with Lake(store, {str(tenant.public_id): tenant.slug}) as lake:
        return {
            name: lake.query(f"SELECT count(*) FROM {name}").rows[0][0]  # type: ignore[misc]
            for name in TABLES
        }


def in_database(tenant: Tenant) -> dict[str, int]:
    models = (Alert, Case, CaseEvent, Decision, AlertFact, ScoreDay, InventoryRead)
    with scope(tenant):
        return {name: one.objects.count() for name, one in zip(TABLES, models, strict=True)}


def check(tenant: Tenant, store: Store) -> None:
    """The lake equals the database, in numbers and checksums of each window and table."""
    assert export(tenant, store).is_behind is False
    assert held(tenant, store) == in_database(tenant)
    found = verify(tenant, store)
    assert found.differences == ()
    assert found.windows == len(windows_of(store, str(tenant.public_id)))


def test_what_is_new_and_what_changed_is_written_once(tenant: Tenant, store: Store) -> None:
    case, other = fill(tenant)
    assert export(tenant, store).rows == 10
    check(tenant, store)
    assert min(in_database(tenant).values()) >= 1
    before = sorted(store.files(""))
    assert export(tenant, store).rows == 0
    assert sorted(store.files("")) == before
    with scope(tenant):
        resolve(
            tenant.pk,
            {case.pk: case.version},
            actor_id=7,
            verdict="falsePositive",
            reason="unstated",
        )
        AlertFact.objects.update(facts={"sign_in_known": "unknown"})
    assert export(tenant, store).rows == 3  # the case, its event, the facts
    check(tenant, store)
    with Lake(store, {str(tenant.public_id): tenant.slug}) as lake:
        rows = lake.query("SELECT case_id, status, verdict FROM cases ORDER BY case_id").rows
        assert rows == [(case.pk, "resolved", "falsePositive"), (other.pk, "new", "")]
        told = lake.query("SELECT verdict, verdict_reason, actor FROM verdicts").rows
        assert told == [("falsePositive", "unstated", 7)]
        assert lake.query("SELECT sign_in_known FROM sign_ins").rows == [("unknown",)]
        assert lake.query("SELECT reasons FROM decisions").rows == [(["vip", "new"],)]


def test_what_commits_late_is_not_missed(tenant: Tenant, store: Store) -> None:
    """A transaction that began before a window and ends after it; its times lie in the window."""
    fill(tenant)
    with psycopg.connect(settings.BACKING.database_url) as late:
        late.execute(f"SET ROLE csc_t{tenant.pk}")
        late.execute(f"SET search_path = {tenant.schema_name}")
        late.execute("UPDATE alerts_case SET title = 'late'")
        with scope(tenant):
            CaseEvent.objects.create(case=Case.objects.first(), kind="grew")
        assert export(tenant, store).rows < 10 + 1  # what came after it waits as well
        late.commit()
    check(tenant, store)
    with Lake(store, {str(tenant.public_id): tenant.slug}) as lake:
        assert lake.query("SELECT DISTINCT title FROM cases").rows == [("late",)]


def test_entities_that_turn_out_to_be_one_are_told_again(tenant: Tenant, store: Store) -> None:
    fill(tenant)
    export(tenant, store)
    with scope(tenant):
        ids = list(AlertEntity.objects.order_by("entity_id").values_list("entity_id", flat=True))
        _merge(ids[-1], into=ids[0], tenant_id=tenant.pk)
    assert export(tenant, store).rows == 1
    check(tenant, store)


def test_a_large_beginning_comes_in_parts(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_feed, "MOST_ROWS", 1)
    monkeypatch.setattr(lake_feed, "PAGE", 1)
    case, _ = fill(tenant)
    with scope(tenant):
        for _ in range(3):
            CaseEvent.objects.create(case=case, kind="grew")
    parts = 0
    while export(tenant, store).is_behind:
        parts += 1
        assert Tenant.objects.get(pk=tenant.pk).lake_until is None  # it does not reach so far
    assert parts > 2
    assert Tenant.objects.get(pk=tenant.pk).lake_until is not None
    check(tenant, store)


def test_a_database_that_was_restored_is_noticed(tenant: Tenant, store: Store) -> None:
    fill(tenant)
    export(tenant, store)
    name = str(tenant.public_id)
    last = last_window(store, name)
    assert last is not None
    publish(store, name, type(last)(2, 2, last.until_change, 2**60, last.until, last.until))
    with pytest.raises(LakeOfAnotherLife, match="--anew"):
        export(tenant, store)
    begin_anew(tenant, store)
    check(tenant, store)


def test_windows_are_written_again_as_the_database_has_them(tenant: Tenant, store: Store) -> None:
    case, _ = fill(tenant)
    export(tenant, store)
    with scope(tenant):
        start(tenant.pk, {case.pk: case.version}, actor_id=7)
    export(tenant, store)
    name = str(tenant.public_id)
    store.write(windows_of(store, name)[0].parts["cases"].path, b"broken")
    assert [one.problem for one in verify(tenant, store).differences] == ["the file can't be read"]
    assert write_again(tenant, store, lambda window: window.first == 1) == (1, 9)
    check(tenant, store)


def test_a_new_day_joins_the_last_and_forgets_the_old(tenant: Tenant, store: Store) -> None:
    case, other = fill(tenant)
    export(tenant, store)
    name = str(tenant.public_id)
    with scope(tenant):
        assign(tenant.pk, {case.pk: case.version}, actor_id=7, assignee_id=7)
    export(tenant, store)
    back = timedelta(days=1)
    for window in windows_of(store, name):  # as if it had been yesterday
        publish(store, name, _moved(window, back))
    with scope(tenant):
        assign(tenant.pk, {other.pk: other.version}, actor_id=7, assignee_id=7)
    assert export(tenant, store).is_new_day
    assert [(one.first, one.last) for one in windows_of(store, name)] == [(1, 2), (3, 3)]
    check(tenant, store)
    Tenant.objects.filter(pk=tenant.pk).update(lake_days=30)
    tenant.refresh_from_db()
    publish(store, name, _moved(windows_of(store, name)[0], timedelta(days=40)))
    publish(store, name, _moved(windows_of(store, name)[1], back))
    export(tenant, store)
    assert [one.first for one in windows_of(store, name)] == [3]
    assert verify(tenant, store).differences == ()
    assert held(tenant, store)["cases"] == 1


def _moved(window: Any, back: timedelta) -> Any:
    return replace(window, until=window.until - back)


# --- the end --------------------------------------------------------------------------------------


def test_erasing_a_tenant_takes_its_lake_first_and_no_other(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/csc_portal/commands erases the rest as well."""
    fill(tenant)
    export(tenant, store)
    store.write("tenant=another/windows/x.json", b"1")
    folder = folder_of(str(tenant.public_id))
    monkeypatch.setattr(offboard, "APART_S", 0)
    left: list[str] = []
    monkeypatch.setattr(offboard, "erase_tenant", lambda one: left.extend(store.files(folder)))
    with turn_of_another(tenant), pytest.raises(OnboardingError, match="being written"):
        erase(tenant, "test")
    assert list(store.files(folder))
    erase(tenant, "test")
    assert left == []
    assert list(store.files("")) == ["tenant=another/windows/x.json"]
    assert orphans(store) == ["another"]


def test_a_lake_that_cant_be_reached_stops_the_erase(
    tenant: Tenant, store: Store, settings: Any
) -> None:
    settings.LAKE_URL = "s3://elsewhere"
    with pytest.raises(OnboardingError, match="Nothing was erased"):
        erase(tenant, "test")
    assert Tenant.objects.filter(pk=tenant.pk).exists()


class turn_of_another:
    """Another worker writes this tenant's lake just now."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def __enter__(self) -> None:
        self._other = psycopg.connect(settings.BACKING.database_url)
        self._other.execute("SELECT pg_advisory_lock(%s, %s)", [LAKE, self._tenant.pk])

    def __exit__(self, *_: object) -> None:
        self._other.close()


# --- when -----------------------------------------------------------------------------------------


def test_each_tenant_has_its_turn_within_the_hour(tenant: Tenant, store: Store) -> None:
    fill(tenant)
    now = timezone.now()
    run_lake(tenant, now)
    tenant.refresh_from_db()
    assert now + timedelta(minutes=30) <= tenant.next_lake_at <= now + timedelta(minutes=90)
    assert tenant.lake_until >= now
    with granted([tenant.pk]):
        assert CaseFigure.objects.filter(topic="detection", days=90).count() == 1


def test_a_fault_is_tried_again_soon_and_stops_nobody_else(
    tenant: Tenant, store: Store, settings: Any
) -> None:
    settings.LAKE_URL = "/proc/nowhere"
    now = timezone.now()
    fill(tenant)
    lake_tenant(tenant.pk)
    tenant.refresh_from_db()
    assert (tenant.lake_until, tenant.next_lake_at > now) == (None, True)
    assert tenant.next_lake_at < now + timedelta(minutes=15)


def test_what_is_due_is_asked_for_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        lake_due.lake_tenant, "apply_async", lambda args, queue: asked.append(args[0])
    )
    start_lakes()
    start_lakes()
    assert asked.count(tenant.pk) == 1
    Tenant.objects.filter(pk=tenant.pk).update(state="paused", next_lake_at=None)
    start_lakes()
    assert asked.count(tenant.pk) == 1


# --- figures --------------------------------------------------------------------------------------


def test_figures_equal_a_direct_count(tenant: Tenant, store: Store) -> None:
    """Two cases: one judged wrong by a person after 20 minutes, one closed by the portal."""
    case, other = fill(tenant)
    with scope(tenant):
        start(tenant.pk, {case.pk: case.version}, actor_id=7)
        resolve(
            tenant.pk, {case.pk: case.version + 1}, actor_id=7, verdict="falsePositive",
            reason="unstated",
        )  # fmt: skip
        Case.objects.filter(pk=other.pk).update(status=2, closed_by="proof")
        run("UPDATE alerts_caseevent SET at = at + interval '12 min' WHERE kind = 'started'", [])
        run("UPDATE alerts_caseevent SET at = at + interval '20 min' WHERE kind = 'resolved'", [])
    until = export(tenant, store).until
    count_figures(tenant, store, until)
    with granted([tenant.pk]):
        rows = {(one.topic, one.days): one for one in CaseFigure.objects.filter(days=7)}
        found = rows["detection", 7]
        assert (found.cases, found.alerts, found.open) == (2, 2, 0)
        assert (found.true_positive, found.expected, found.false_positive) == (0, 0, 1)
        assert (found.by_portal, found.triaged, found.resolved) == (1, 1, 1)
        assert (found.triage_s, found.resolve_s) == (720, 1200)
        assert rows["analyst", 7].key == "7"
        steps = {t: STEPS_MIN[int(rows[t, 7].key)] for t in ("triage", "resolve")}
        assert steps == {"triage": 15, "resolve": 30}
        assert rows["source", 7].cases == 2
        assert ("entity", 7) not in rows  # nothing is named twice


def test_figures_forget_what_is_older_than_the_period(tenant: Tenant, store: Store) -> None:
    fill(tenant)
    with scope(tenant):
        Case.objects.update(opened_at=timezone.now() - timedelta(days=20))
    until = export(tenant, store).until
    count_figures(tenant, store, until)
    count_figures(tenant, store, until)
    with granted([tenant.pk]):
        found = CaseFigure.objects.filter(topic="source").values_list("days", "cases")
        assert sorted(found) == [(30, 2), (90, 2)]
