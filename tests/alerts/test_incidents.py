"""Merges of Microsoft's incidents are followed, in whatever order they become known."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.feed import read_alerts
from alerts.incidents import (
    AT_REST,
    SOURCE,
    follow_merges,
    is_due,
    read_incidents,
    read_page,
    take_incidents,
)
from alerts.ingest import store_page
from alerts.ledger import unread_count
from alerts.models import Alert, Case, Cursor, Poll, Redirect, SourceAbility
from alerts.prepare import prepare_page
from alerts.redirects import Redirection, final_targets
from clients.errors import ApiError, Forbidden
from clients.http import Http, Policy
from clients.microsoft.graph import Graph
from csc_portal.rebuild import compare
from tenants.models import QueueEntry
from tenants.scope import granted, scope
from tests.alerts.documents import DAY, alert, device, stamp, user
from tests.alerts.test_ledger import Token, age

READ = ["SecurityAlert.Read.All", "SecurityIncident.Read.All"]


def incident(key: str, target: str | None = None, *, hours: float = 0, **more: object) -> dict:
    """An incident that changed `hours` after DAY; with a target one that was merged into it."""
    return {
        "id": key,
        "status": "redirected" if target else "active",
        "redirectIncidentId": target,
        "createdDateTime": stamp(DAY),
        "lastUpdateDateTime": stamp(DAY + timedelta(hours=hours)),
        "displayName": "Multi-stage incident involving anna@contoso.com",
        **more,
    }


@pytest.fixture
def take(qa, pseudonymiser):
    def _take(*documents):
        with scope(qa):
            return store_page(qa.pk, prepare_page(documents, pseudonymiser), pseudonymiser.version)

    return _take


@pytest.fixture
def merge(qa):
    def _merge(*documents):
        return take_incidents(qa, list(documents))[0]

    return _merge


def partition(qa) -> set[frozenset[str]]:
    """Which alerts share a case, by provider id."""
    cases: dict[int, set[str]] = {}
    with scope(qa):
        for key, case in Alert.objects.values_list("provider_id", "case_id"):
            cases.setdefault(case, set()).add(key)
    return {frozenset(keys) for keys in cases.values()}


def incidents_of(qa) -> dict[str, str]:
    with scope(qa):
        return dict(Alert.objects.values_list("provider_id", "incident_id"))


# --- pure -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "finals"),
    [
        ({}, {}),
        ({"1": "2"}, {"1": "2"}),
        ({"1": "2", "2": "3", "3": "4"}, {"1": "4", "2": "4", "3": "4"}),
        ({"3": "4", "2": "3", "1": "2"}, {"1": "4", "2": "4", "3": "4"}),
        ({"1": "2", "2": "1"}, {"1": "1", "2": "1"}),
        ({"10": "9", "9": "10", "7": "10"}, {"10": "9", "9": "9", "7": "9"}),
        ({"1": "3", "2": "3"}, {"1": "3", "2": "3"}),
    ],
)
def test_where_chains_end(targets, finals):
    assert final_targets(targets) == finals


@given(st.dictionaries(st.integers(0, 12).map(str), st.integers(0, 12).map(str)))
def test_ends_of_chains_do_not_depend_on_order(targets):
    finals = final_targets(targets)
    assert finals == final_targets(dict(reversed(targets.items())))
    for source, target in targets.items():
        assert finals[source] == finals.get(target, target)
    assert all(finals.get(end, end) == end for end in finals.values())


def test_a_long_chain_takes_linear_time():
    targets = {str(n): str(n + 1) for n in range(100_000)}
    assert set(final_targets(targets).values()) == {"100000"}


@pytest.mark.parametrize(
    "document",
    [
        None, 7, "x", [], {},
        {"id": "1"}, {"id": "1", "lastUpdateDateTime": "no date"},
        incident("", "2"), incident("anna@contoso.com", "2"), incident("1", "../2"),
        incident("1", "x" * 65), incident("1", "1"),
    ],
)  # fmt: skip
def test_an_incident_that_cannot_be_read_stops_no_other(document):
    page = read_page([document, incident("5", "6", hours=2)])
    assert [(one.source, one.target) for one in page.redirections] == [("5", "6")]
    assert page.newest == DAY + timedelta(hours=2)
    assert page.unread == 1


def test_only_merged_incidents_are_redirections():
    documents = [
        incident("1"),
        incident("2", "3", status="resolved"),
        incident("4", "5", status="Redirected"),
        incident("6", "7", status="unknownFutureValue"),
        incident("8", status=None),
    ]
    page = read_page(documents)
    assert [one.source for one in page.redirections] == ["4", "6"]
    assert page.unread == 0


# --- cases ----------------------------------------------------------------------------------------


def test_cases_of_merged_incidents_become_one(qa, take, merge):
    take(alert("a1", user("anna"), incident="1"), alert("a2", device("pc1"), incident="2"))
    assert len(partition(qa)) == 2
    counts = merge(incident("1", "2"), incident("2"))
    assert (counts.fetched, counts.updated) == (2, 1)
    assert partition(qa) == {frozenset({"a1", "a2"})}
    assert incidents_of(qa) == {"a1": "2", "a2": "2"}
    with scope(qa):
        merged = Case.objects.get(status=Case.Status.MERGED)
        kept = Case.objects.exclude(status=Case.Status.MERGED).get()
    assert merged.merged_into_id == kept.pk
    assert kept.alert_count == 2
    with granted([qa.pk]):
        assert [row.case_id for row in QueueEntry.objects.all()] == [kept.pk]
    assert not compare(qa)
    assert merge(incident("1", "2")).updated == 0, "the second time changes nothing"


def test_what_comes_after_the_merge_joins_as_well(qa, take, merge):
    merge(incident("1", "2"))
    take(alert("a2", device("pc1"), incident="2"))
    take(alert("a1", user("anna"), incident="1", hours=90))
    assert partition(qa) == {frozenset({"a1", "a2"})}
    take(alert("a1", user("anna"), incident="1", hours=90, updated_hours=95))
    assert incidents_of(qa)["a1"] == "2"


def test_an_older_version_of_an_incident_changes_nothing(qa, take, merge):
    take(alert("a1", incident="1"), alert("a2", incident="2"), alert("a3", incident="3"))
    merge(incident("1", "2", hours=5))
    merge(incident("1", "3", hours=1))
    assert partition(qa) == {frozenset({"a1", "a2"}), frozenset({"a3"})}


def test_alerts_of_a_closed_case_stay_there(qa, take, merge):
    take(alert("a1", incident="1", status="resolved"), alert("a2", incident="2"))
    merge(incident("1", "2"))
    assert len(partition(qa)) == 2


def test_another_tenant_sees_nothing(qa, qatest, take, merge):
    take(alert("a1", incident="1"))
    merge(incident("1", "2"))
    with scope(qatest):
        assert not Redirect.objects.exists()


def test_nothing_of_an_incident_is_kept_but_numbers(qa, merge):
    merge(incident("1", "2"))
    with scope(qa):
        assert Redirect.objects.values_list("source", "target", "final").get() == ("1", "2", "2")


PAIRS = [("1", "2"), ("2", "3"), ("4", "3"), ("5", "6"), ("6", "5"), ("7", "5")]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations([*range(8), *range(-len(PAIRS), 0)]))
def test_the_order_of_alerts_and_merges_makes_no_difference(qa, take, merge, order):
    with scope(qa):
        for model in (Alert, Case, Redirect):
            model.objects.all().delete()
    for step in order:
        if step < 0:
            source, target = PAIRS[step]
            merge(incident(source, target))
        else:
            take(alert(f"a{step}", incident=str(step)))
    expected = [{"a1", "a2", "a3", "a4"}, {"a5", "a6", "a7"}, {"a0"}]
    assert partition(qa) == {frozenset(keys) for keys in expected}


# --- reading --------------------------------------------------------------------------------------


@pytest.fixture
def directory(simulator):
    simulator.control.clear_faults()
    yield simulator.control.add_directory(populate=False)["directory"]
    simulator.control.clear_faults()


def graph_with(simulator, directory, roles) -> Graph:
    token = simulator.control.token(directory=directory, roles=roles)
    return Graph(Http(simulator.url, policy=Policy(attempts=1, backoff_s=0)), Token(token))


def test_a_merge_is_read_over_the_wire(qa, simulator, directory, take):
    graph = graph_with(simulator, directory, READ)
    take(alert("a1", incident="1"), alert("a2", incident="2"))
    assert read_incidents(qa, graph).fetched == 0
    age(qa)
    fresh = {"lastUpdateDateTime": stamp(datetime.now(UTC))}
    rows = [incident(str(n)) | fresh for n in range(100, 160)] + [incident("1", "2") | fresh]
    simulator.control.add_rows(directory, "incidents", rows)
    counts = read_incidents(qa, graph)
    assert (counts.fetched, counts.updated) == (61, 1)
    assert partition(qa) == {frozenset({"a1", "a2"})}
    with scope(qa):
        windows = list(Poll.objects.filter(source=SOURCE).order_by("since"))
        assert [window.state for window in windows] == ["fetched", "fetched"]
        assert all(one.until == two.since for one, two in itertools.pairwise(windows))
        assert Cursor.objects.get(source=SOURCE).watermark == windows[-1].until
        assert Cursor.objects.get(source="alerts_v2").watermark is None


@pytest.fixture
def alerts_read(qa) -> None:
    """The alerts were read for the first time, three hours ago."""
    with scope(qa):
        at = datetime.now(UTC) - timedelta(hours=3)
        Poll.objects.create(source="alerts_v2", since=at, until=at, state="fetched", started_at=at)


@pytest.mark.usefixtures("alerts_read")
def test_a_missing_permission_is_noted_only(qa, simulator, directory, take):
    take(alert("a1", incident="1"))
    graph = graph_with(simulator, directory, ["SecurityAlert.Read.All"])
    now = datetime.now(UTC)
    with scope(qa):
        assert is_due(now, changed=True)
    with pytest.raises(Forbidden):
        read_incidents(qa, graph)
    with scope(qa):
        assert unread_count() == 0
        assert SourceAbility.objects.get(source=SOURCE).state == "no_permission"
        assert not is_due(now, changed=True)
        assert is_due(now + timedelta(hours=25), changed=True)
    read_incidents(qa, graph_with(simulator, directory, READ))
    with scope(qa):
        assert SourceAbility.objects.get(source=SOURCE).state == "there"


def test_a_fault_keeps_the_window(qa, simulator, directory):
    graph = graph_with(simulator, directory, READ)
    simulator.control.fault("status", status=503, path="incidents", directory=directory)
    with pytest.raises(ApiError):
        read_incidents(qa, graph)
    with scope(qa):
        assert unread_count() == 1
        assert not SourceAbility.objects.exists()
    read_incidents(qa, graph)
    with scope(qa):
        assert unread_count() == 0


def test_the_first_look_can_wait(qa, take):
    take(alert("a1", incident="1"))
    now = datetime.now(UTC)
    with scope(qa):
        assert not is_due(now, changed=True)
        Poll.objects.create(source="alerts_v2", since=now, started_at=now)
        assert not is_due(now + timedelta(minutes=9), changed=True)
        assert is_due(now + timedelta(minutes=11), changed=True)


@pytest.mark.usefixtures("alerts_read")
def test_incidents_are_read_when_it_is_worth_it(qa, simulator, directory, take):
    now = datetime.now(UTC)
    with scope(qa):
        assert not is_due(now, changed=True), "there is nothing that could be merged"
    take(alert("a1"))
    with scope(qa):
        assert not is_due(now, changed=True)
    take(alert("a2", incident="1"))
    with scope(qa):
        assert is_due(now, changed=True)
    read_incidents(qa, graph_with(simulator, directory, READ))
    now = datetime.now(UTC)
    with scope(qa):
        assert not is_due(now, changed=True)
        assert is_due(now + timedelta(minutes=11), changed=True)
        assert not is_due(now + timedelta(minutes=11), changed=False)
        assert is_due(now + AT_REST + timedelta(minutes=1), changed=False)
        Case.objects.update(status=Case.Status.RESOLVED)
        assert not is_due(now + AT_REST + timedelta(minutes=1), changed=False)


def test_following_twice_at_once_waits_for_the_lock(qa, take):
    take(alert("a1", incident="1"), alert("a2", incident="2"))
    news = [Redirection("1", "2", DAY), Redirection("1", "2", DAY)]
    with scope(qa):
        assert follow_merges(qa.pk, news) == 1
        assert follow_merges(qa.pk, news) == 0


def test_alerts_read_later_than_the_merge(qa, simulator, directory, pseudonymiser, merge):
    merge(incident("31", "32"))
    now = stamp(datetime.now(UTC) - timedelta(minutes=5))
    fresh = {"createdDateTime": now, "lastUpdateDateTime": now}
    for key, number in (("b1", "31"), ("b2", "32")):
        simulator.control.add_alert(directory, alert(key, incident=number) | fresh)
    read_alerts(qa, graph_with(simulator, directory, READ), pseudonymiser)
    assert partition(qa) == {frozenset({"b1", "b2"})}
