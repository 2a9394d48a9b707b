"""Pages of documents become rows, once, whatever comes twice, late or broken."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.ingest import Counts, store_page
from alerts.models import Alert, AlertEntity, Case, Entity, Quarantined
from alerts.prepare import prepare_page
from alerts.triage import reopen
from csc_portal.rebuild import compare, rebuild
from tenants.models import QueueEntry, QueueRollup, Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import granted, scope
from tests.alerts.documents import address, alert, device, user

Take = Callable[..., Counts]


@pytest.fixture
def take(qa: Tenant, pseudonymiser: Pseudonymiser) -> Take:
    def _take(*documents: object) -> Counts:
        with scope(qa):
            return store_page(qa.pk, prepare_page(documents, pseudonymiser), pseudonymiser.version)

    return _take


def partition() -> set[frozenset[str]]:
    """Which alerts share a case, by provider id."""
    cases: dict[int, set[str]] = {}
    for key, case in Alert.objects.values_list("provider_id", "case_id"):
        cases.setdefault(case, set()).add(key)
    return {frozenset(keys) for keys in cases.values()}


def test_a_page_taken_twice_changes_nothing(qa, take):
    page = [alert("a1", user("anna"), device("pc1")), alert("a2", user("bert"), hours=1)]
    first = take(*page)
    with scope(qa):
        before = [list(m.objects.values()) for m in (Alert, Entity, AlertEntity, Case)]
    second = take(*page)
    with scope(qa):
        after = [list(m.objects.values()) for m in (Alert, Entity, AlertEntity, Case)]
    assert (first.new, first.cases) == (2, 2)
    assert (second.new, second.updated, second.duplicate, second.cases) == (0, 0, 2, 0)
    assert before == after


def test_an_older_update_never_overwrites_a_newer(qa, take):
    take(alert("a1", user("anna"), updated_hours=5, status="inProgress"))
    late = take(alert("a1", user("anna"), updated_hours=2, status="new"))
    with scope(qa):
        assert Alert.objects.get().status == "inProgress"
    assert late.duplicate == 1


def test_two_documents_with_one_id_on_a_page(qa, take):
    counts = take(
        alert("a1", user("anna"), updated_hours=3, severity="high"),
        alert("a1", user("anna"), updated_hours=1, severity="low"),
    )
    with scope(qa):
        assert Alert.objects.get().severity == 4
    assert (counts.fetched, counts.new, counts.duplicate) == (2, 1, 1)


def test_of_two_with_one_time_the_same_one_counts_in_any_order(qa, pseudonymiser):
    pair = [alert("a1", user("anna")), alert("a1", user("anna"), severity="high")]
    one, other = (prepare_page(page, pseudonymiser).alerts for page in (pair, pair[::-1]))
    assert len(one) == 1
    assert one == other


def test_a_document_without_end_is_set_aside(qa, take):
    deep: object = "x"
    for _ in range(1010):  # orjson reads 1,024
        deep = [deep]
    counts = take(alert("a1", user("anna")), {"id": None, "evidence": deep})
    assert (counts.new, counts.quarantined) == (1, 1)


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "text", 7, {}, {"id": ""}, {"id": None}, {"id": "a9"}, {"id": 12},
        {"id": "a9", "createdDateTime": "no date", "lastUpdateDateTime": None},
        {"id": "anna@contoso.com", "createdDateTime": "2026-11-20T08:00:00Z"},
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_read_is_set_aside_alone(qa, take, broken):
    counts = take(alert("a1", user("anna")), broken, alert("a2", user("bert")))
    again = take(broken)
    with scope(qa):
        assert Alert.objects.count() == 2
        row = Quarantined.objects.get()
    assert (counts.new, counts.quarantined, again.quarantined) == (2, 1, 1)
    assert row.attempts == 2
    assert "anna" not in row.reference


def test_a_mended_document_leaves_the_quarantine(qa, take):
    broken = alert("a1") | {"createdDateTime": "?", "lastUpdateDateTime": "?"}
    take(broken)
    take(alert("a1"))
    with scope(qa):
        assert Quarantined.objects.get().resolved_at is not None


def test_same_incident_is_one_case(qa, take):
    take(
        alert("a1", user("anna"), incident="7"), alert("a2", device("pc9"), incident="7", hours=90)
    )
    with scope(qa):
        assert partition() == {frozenset({"a1", "a2"})}


def test_an_address_ties_no_strangers(qa, take):
    office = address("203.0.113.7")
    take(alert("a1", user("anna"), office), alert("a2", user("bert"), office))
    with scope(qa):
        assert len(partition()) == 2


def test_a_late_alert_bridges_two_cases(qa, take):
    take(alert("a1", user("anna")))
    take(alert("a2", device("pc1"), hours=1))
    counts = take(alert("a3", user("anna"), device("pc1"), hours=1.5))
    with scope(qa):
        assert partition() == {frozenset({"a1", "a2", "a3"})}
        assert Case.objects.filter(status=Case.Status.MERGED).count() == 1
        kept = Case.objects.exclude(status=Case.Status.MERGED).get()
        assert (kept.alert_count, kept.entity_count) == (3, 2)
        assert QueueEntry.objects.count() == 1
    assert counts.cases == 0


def test_outside_the_window_a_shared_user_is_no_tie(qa, take):
    take(alert("a1", user("anna")), alert("a2", user("anna"), hours=25))
    with scope(qa):
        assert len(partition()) == 2


def test_a_closed_case_takes_no_new_alert(qa, take):
    take(alert("a1", user("anna")))
    with scope(qa):
        Case.objects.update(status=Case.Status.RESOLVED)
    assert take(alert("a2", user("anna"), hours=1)).cases == 1


def test_resolved_at_microsoft_closes_the_case(qa, take):
    take(alert("a1", user("anna")))
    counts = take(
        alert(
            "a1", user("anna"), updated_hours=4, status="resolved", classification="falsePositive"
        )
    )
    with scope(qa):
        case = Case.objects.get()
    assert (case.status, case.verdict, counts.closed) == (2, "falsePositive", 1)


def test_a_case_that_a_person_reopened_stays_open(qa, take):
    resolved = {"status": "resolved", "classification": "falsePositive"}
    take(alert("a1", user("anna"), **resolved))
    with scope(qa):
        case = Case.objects.get()
        assert reopen(qa.pk, {case.pk: case.version}, actor_id=1).changed
    take(alert("a1", user("anna"), updated_hours=9, severity="high", **resolved))
    with scope(qa):
        assert Case.objects.get().is_open


def test_two_names_of_one_user_become_one_entity(qa, take):
    by_upn = user("anna")
    by_id = {
        "@odata.type": by_upn["@odata.type"],
        "userAccount": {"azureAdUserId": "0f0e0d0c-1111-4222-8333-444455556666"},
    }
    both = user("anna")
    both["userAccount"]["azureAdUserId"] = "0F0E0D0C-1111-4222-8333-444455556666"
    take(alert("a1", by_upn))
    take(alert("a2", by_id, hours=1))
    with scope(qa):
        assert Entity.objects.filter(kind="user").count() == 2
    take(alert("a3", both, hours=40))
    with scope(qa):
        assert Entity.objects.filter(kind="user").count() == 1
        assert frozenset({"a1", "a2"}) in partition()


def test_the_queue_follows_the_schema_and_can_be_rebuilt(qa, take):
    take(*(alert(f"a{n}", user(f"user{n % 5}"), hours=n % 3) for n in range(30)))
    assert not compare(qa)
    with scope(qa):
        QueueEntry.objects.filter(severity=3).update(title="tampered")
        QueueRollup.objects.update(open_high=77)
    assert compare(qa)
    rebuild(qa)
    assert not compare(qa)


def test_the_portal_sees_rows_of_granted_tenants_only(qa, qatest, take):
    take(alert("a1", user("anna")))
    assert QueueEntry.objects.count() == 0
    with granted([qatest.pk]):
        assert QueueEntry.objects.count() == 0
    with granted([qatest.pk, qa.pk]):
        assert QueueEntry.objects.get().tenant_id == qa.pk


names = st.sampled_from(["anna", "bert", "carl", "dora"])
evidence = st.lists(
    st.one_of(names.map(user), names.map(device), st.just(address("203.0.113.7"))), max_size=3
)
documents = st.lists(
    st.tuples(evidence, st.integers(0, 120), st.sampled_from([None, None, "1", "2"])),
    min_size=1,
    max_size=10,
).map(
    lambda rows: [
        alert(f"a{n}", *found, hours=hours, incident=incident)
        for n, (found, hours, incident) in enumerate(rows)
    ]
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(page=documents, times=st.integers(2, 6), cut=st.integers(0, 10))
def test_any_number_of_polls_of_one_page_make_each_alert_once(qa, pseudonymiser, page, times, cut):
    with scope(qa):
        for model in (AlertEntity, Alert):
            model.objects.all().delete()
        for number in range(times):
            # Pages shift while they are read: some documents come twice, some in another order.
            again = page[cut % len(page) :] + page if number % 2 else list(reversed(page))
            prepared = prepare_page(again, pseudonymiser)
            store_page(qa.pk, prepared, pseudonymiser.version)
        stored = list(Alert.objects.values_list("provider_id", flat=True))
    assert sorted(stored) == sorted(document["id"] for document in page)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pages=documents, seed=st.integers(0, 2**32))
def test_the_order_of_arrival_does_not_matter(qa, pseudonymiser, pages, seed):
    outcomes = []
    for attempt in range(2):
        order = random.Random(seed + attempt)
        shuffled = pages if not attempt else order.sample(pages, len(pages))
        with scope(qa):
            for model in (AlertEntity, Alert):
                model.objects.all().delete()
            start = 0
            while start < len(shuffled):
                size = order.randint(1, 4)
                page = prepare_page(shuffled[start : start + size], pseudonymiser)
                store_page(qa.pk, page, pseudonymiser.version)
                start += size
            outcomes.append(partition())
    assert outcomes[0] == outcomes[1]
