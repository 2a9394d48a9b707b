"""Merging, splitting and parting by hand: told, reversible, and obeyed by what comes later."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts import regroup
from alerts.ingest import Counts, store_page
from alerts.models import Alert, Apart, Case, CaseEvent, Entity
from alerts.prepare import prepare_page
from alerts.triage import Refused
from csc_portal.rebuild import compare, rebuild
from tenants.models import MovedCase, QueueEntry, Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import granted, scope
from tests.alerts.documents import alert, device, user
from tests.alerts.test_ingest import partition
from ticketing.models import Delivery, Ticket
from ticketing.plan import plan_deliveries

ME = 11
Take = Callable[..., Counts]


@pytest.fixture
def take(qa: Tenant, pseudonymiser: Pseudonymiser) -> Take:
    """Store a page; the test stays in the tenant's scope."""

    def _take(*documents: object) -> Counts:
        return store_page(qa.pk, prepare_page(documents, pseudonymiser), pseudonymiser.version)

    with scope(qa):
        yield _take  # type: ignore[misc]


def case_of(key: str) -> Case:
    return Case.objects.get(alerts__provider_id=key)


def seen(*keys: str) -> dict[int, int]:
    return {case.pk: case.version for case in map(case_of, keys)}


def ids(*keys: str) -> list[int]:
    return list(Alert.objects.filter(provider_id__in=keys).values_list("pk", flat=True))


def test_merging_many_cases_by_hand(qa, take):
    take(*(alert(f"a{n}", user(f"user{n}")) for n in range(4)))
    chosen, into = seen("a0", "a1", "a2"), case_of("a1").pk
    done = regroup.merge(qa.pk, chosen, into=into, actor_id=ME)
    assert done.case == into
    assert partition() == {frozenset({"a0", "a1", "a2"}), frozenset({"a3"})}
    case = Case.objects.get(pk=into)
    assert (case.alert_count, case.version, case.growth) == (3, 2, 2)
    events = CaseEvent.objects.filter(case=into, kind="merged")
    assert {event.actor_id for event in events} == {ME}
    assert {event.facts["because"]["by"] for event in events} == {"hand"}
    assert QueueEntry.objects.count() == 2
    assert not compare(qa)


def test_a_stale_version_or_a_merged_case_is_refused(qa, take):
    take(alert("a0", user("anna")), alert("a1", user("bert")))
    stale = {pk: version + 1 for pk, version in seen("a0", "a1").items()}
    with pytest.raises(Refused, match="meanwhile"):
        regroup.merge(qa.pk, stale, into=min(stale), actor_id=ME)
    good = seen("a0", "a1")
    regroup.merge(qa.pk, good, into=min(good), actor_id=ME)
    with pytest.raises(Refused, match="meanwhile"):
        regroup.merge(qa.pk, good, into=min(good), actor_id=ME)


def test_senseless_merges_are_refused_in_words(qa, take):
    take(alert("a0", user("anna")), alert("a1", user("bert")))
    chosen = seen("a0", "a1")
    with pytest.raises(Refused, match="two cases"):
        regroup.merge(qa.pk, seen("a0"), into=case_of("a0").pk, actor_id=ME)
    Case.objects.filter(pk=min(chosen)).update(status=Case.Status.RESOLVED)
    with pytest.raises(Refused, match="Reopen"):
        regroup.merge(qa.pk, chosen, into=min(chosen), actor_id=ME)
    assert len(partition()) == 2


def test_an_old_address_leads_on_also_through_several_merges(qa, take):
    take(*(alert(f"a{n}", user(f"user{n}")) for n in range(3)))
    first, second, third = (case_of(f"a{n}").public_id for n in range(3))
    regroup.merge(qa.pk, seen("a0", "a1"), into=case_of("a1").pk, actor_id=ME)
    regroup.merge(qa.pk, seen("a1", "a2"), into=case_of("a2").pk, actor_id=ME)
    assert dict(MovedCase.objects.values_list("public_id", "target")) == {
        first: third, second: third
    }  # fmt: skip
    assert not compare(qa)
    MovedCase.objects.all().delete()
    assert compare(qa).moves == 2
    rebuild(qa)
    assert not compare(qa)


def test_a_merge_is_taken_back_as_it_was(qa, take):
    take(alert("a0", user("anna")), alert("a1", user("anna")), alert("b0", user("bert")))
    loser = case_of("b0")
    Case.objects.filter(pk=loser.pk).update(status=Case.Status.IN_PROGRESS)
    into = case_of("a0").pk
    regroup.merge(qa.pk, seen("a0", "b0"), into=into, actor_id=ME)
    regroup.unmerge(qa.pk, loser.pk, Case.objects.get(pk=into).version, actor_id=ME)
    assert partition() == {frozenset({"a0", "a1"}), frozenset({"b0"})}
    back = case_of("b0")
    assert (back.pk, back.status, back.merged_into_id) == (loser.pk, 1, None)
    assert MovedCase.objects.count() == 0
    assert CaseEvent.objects.filter(kind="unmerged", actor_id=ME).count() == 2
    assert not compare(qa)
    with pytest.raises(Refused, match="not merged"):
        regroup.unmerge(qa.pk, loser.pk, 1, actor_id=ME)


def test_what_the_portal_merged_can_be_taken_back_too(qa, take):
    take(alert("a0", user("anna")))
    take(alert("b0", device("pc1"), hours=1))
    take(alert("c0", user("anna"), device("pc1"), hours=1.5))
    event = CaseEvent.objects.get(kind="merged")
    assert event.facts["because"]["by"] == "entities"
    regroup.unmerge(qa.pk, event.facts["case"], event.case.version, actor_id=ME)
    assert partition() == {frozenset({"a0", "c0"}), frozenset({"b0"})}
    # Nothing that comes ties the two again.
    take(alert("c0", user("anna"), device("pc1"), hours=1.5, updated_hours=5))
    take(alert("d0", user("anna"), device("pc1"), hours=3))
    assert case_of("a0") != case_of("b0")


def test_splitting_alerts_off(qa, take):
    take(*(alert(f"a{n}", user("anna")) for n in range(3)))
    old = case_of("a0")
    done = regroup.split(qa.pk, old.pk, old.version, ids("a1", "a2"), actor_id=ME)
    assert partition() == {frozenset({"a0"}), frozenset({"a1", "a2"})}
    assert done.case == case_of("a1").pk
    assert set(CaseEvent.objects.filter(actor_id=ME).values_list("kind", flat=True)) == {
        "split", "split_off"
    }  # fmt: skip
    assert Alert.objects.get(provider_id="a1").joined_by == "hand"
    # Updates and later alerts don't bring them together again.
    take(*(alert(f"a{n}", user("anna"), updated_hours=3, severity="high") for n in range(3)))
    take(alert("a9", user("anna"), hours=1))
    assert case_of("a0") != case_of("a1")
    assert QueueEntry.objects.count() == 2
    assert not compare(qa)


def test_splitting_into_another_case_and_back(qa, take):
    take(alert("a0", user("anna")), alert("a1", user("anna")), alert("b0", user("bert")))
    old, other = case_of("a0"), case_of("b0")
    regroup.split(
        qa.pk, old.pk, old.version, ids("a1"), actor_id=ME, into=(other.pk, other.version)
    )
    assert partition() == {frozenset({"a0"}), frozenset({"a1", "b0"})}
    regroup.merge(qa.pk, seen("a0", "b0"), into=old.pk, actor_id=ME)
    assert partition() == {frozenset({"a0", "a1", "b0"})}
    assert not Apart.objects.exists()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [([], "Choose alerts"), (["b0"], "Choose alerts"), (["a0", "a1"], "All alerts")],
)
def test_senseless_splits_are_refused_in_words(qa, take, keys, sentence):
    take(alert("a0", user("anna")), alert("a1", user("anna")), alert("b0", user("bert")))
    old = case_of("a0")
    with pytest.raises(Refused, match=sentence):
        regroup.split(qa.pk, old.pk, old.version, ids(*keys), actor_id=ME)


def test_alerts_that_are_never_to_be_tied(qa, take):
    take(alert("a0", user("anna")))
    take(alert("a1", user("anna"), hours=3))
    regroup.keep_apart("alerts", *ids("a0", "a1"), actor_id=ME)
    regroup.keep_apart("alerts", *reversed(ids("a0", "a1")), actor_id=ME)
    take(alert("a2", user("anna"), hours=1.5))
    assert case_of("a0") != case_of("a1")
    case = case_of("a0")
    (parted,) = regroup.apart_of(case.pk)
    with pytest.raises(Refused, match="not kept apart"):
        regroup.allow_again(case.pk + 1000, parted.pk)
    regroup.allow_again(case.pk, parted.pk)
    take(alert("a3", user("anna"), hours=1.6))
    assert case_of("a0") == case_of("a1")
    with pytest.raises(Refused, match="not kept apart"):
        regroup.allow_again(case.pk, parted.pk)


def test_entities_that_are_never_to_be_tied(qa, take):
    take(alert("x", user("anna"), hours=-90), alert("y", user("bert"), hours=-90))
    one, other = Entity.objects.filter(kind="user").values_list("pk", flat=True)
    regroup.keep_apart("entities", one, other, actor_id=ME)
    take(alert("a", user("anna"), device("pc1")), alert("b", user("bert"), device("pc1")))
    assert case_of("a") != case_of("b")


@pytest.mark.parametrize(
    ("kind", "pair", "sentence"),
    [("cases", (1, 2), "two alerts"), ("alerts", (1, 1), "different"), ("alerts", (1, 2), "there")],
)
def test_what_can_not_be_kept_apart(qa, take, kind, pair, sentence):
    with pytest.raises(Refused, match=sentence):
        regroup.keep_apart(kind, *pair, actor_id=ME)


def test_tickets_follow(qa, take):
    take(alert("a0", user("anna")), alert("a1", user("anna")), alert("b0", user("bert")))
    for case in Case.objects.all():
        Ticket.objects.create(
            case=case,
            system="x",
            reference=f"r{case.pk}",
            external_id=str(case.pk),
            covers_growth=1,
        )
        Delivery.objects.create(case=case, kind="create", growth=1, state="sent")
    merged, into = case_of("b0").pk, case_of("a0").pk
    regroup.merge(qa.pk, seen("a0", "b0"), into=into, actor_id=ME)
    plan_deliveries()
    waiting = Delivery.objects.filter(state="pending").order_by("pk")
    assert {(row.case_id, row.kind, row.growth) for row in waiting} == {
        (into, "note", 2), (merged, "note", 0)
    }  # fmt: skip
    case = Case.objects.get(pk=into)
    new = regroup.split(qa.pk, into, case.version, ids("a1"), actor_id=ME).case
    Case.objects.filter(pk=new).update(ticket_after=None)  # as if it was judged
    plan_deliveries()
    assert Delivery.objects.filter(case_id=new, kind="create", state="pending").count() == 1


def test_another_tenant_sees_no_moves(qa, qatest, take):
    take(alert("a0", user("anna")), alert("b0", user("bert")))
    regroup.merge(qa.pk, seen("a0", "b0"), into=case_of("a0").pk, actor_id=ME)
    assert MovedCase.objects.count() == 1


def test_moves_are_the_tenants_own(qa, qatest, pseudonymiser):
    with scope(qa):
        page = prepare_page([alert("a", user("anna")), alert("b", user("bert"))], pseudonymiser)
        store_page(qa.pk, page, pseudonymiser.version)
        regroup.merge(qa.pk, seen("a", "b"), into=case_of("a").pk, actor_id=ME)
    assert MovedCase.objects.count() == 0
    with scope(qatest):
        assert MovedCase.objects.count() == 0
        assert MovedCase.objects.filter(tenant_id=qa.pk).delete()[0] == 0
    with granted([qatest.pk]):
        assert MovedCase.objects.count() == 0
    with granted([qa.pk]):
        assert MovedCase.objects.get().tenant_id == qa.pk
