"""Alerts that are stored find their case: overlaps, hubs, full cases, reasons, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import overlap_classes
from alerts.correlate import RULES
from alerts.hubs import Frequency, is_hub, pin_hub
from alerts.ingest import Counts, store_page
from alerts.models import Alert, AlertEntity, Case, CaseEvent, Entity, Hub
from alerts.overlap import BadClass, as_body
from alerts.overlap_defaults import DEFAULTS
from alerts.prepare import prepare_page
from alerts.reasons import sentence
from tenants.models import AuditEntry, Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tests.alerts.documents import DAY, address, alert, device, user
from tests.alerts.test_ingest import partition

Take = Callable[..., Counts]
MDCA = {
    "serviceSource": "microsoftDefenderForCloudApps",
    "detectionSource": "cloudAppSecurity",
    "title": "Impossible travel activity",
}


@pytest.fixture
def take(qa: Tenant, pseudonymiser: Pseudonymiser) -> Take:
    def _take(*documents: object, rules=RULES) -> Counts:
        page = prepare_page(documents, pseudonymiser)
        return store_page(qa.pk, page, pseudonymiser.version, rules)

    with scope(qa):
        yield _take  # type: ignore[misc]


def one(key: str) -> Alert:
    return Alert.objects.select_related("case", "duplicate_of").get(provider_id=key)


def two_products(hours: float = 0, **more: object) -> list[dict[str, object]]:
    """One sign-in of anna, told by two products."""
    seen = [user("anna"), address("198.51.100.7")]
    return [
        alert("idp", *seen, hours=hours, incident="1"),
        alert("mdca", *seen, hours=hours, incident="2", createdDateTime="2026-11-20T09:00:00Z")
        | MDCA
        | more,
    ]


# --- overlap --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("idp", "mdca"), ("mdca", "idp")])
def test_the_later_report_of_one_event_is_marked_whoever_comes_first(qa, take, order):
    documents = {document["id"]: document for document in two_products()}
    first = take(documents[order[0]])
    second = take(documents[order[1]])
    assert (first.overlap, second.overlap, second.cases) == (0, 1, 0)
    assert one("mdca").duplicate_of == one("idp")
    assert one("idp").duplicate_of is None
    case = Case.objects.get()
    assert (case.alert_count, case.growth) == (2, 1), "no news for the ticket"
    facts = one(order[1]).join_facts
    assert (facts["by"], facts["class"]) == ("overlap", "odd_sign_in")
    assert "Odd sign-in" in sentence(facts)


def test_a_worse_report_of_the_same_is_news(qa, take):
    documents = two_products(severity="high")
    take(documents[0])
    take(documents[1])
    assert Case.objects.get().growth == 2
    assert one("mdca").duplicate_of == one("idp")


def test_an_alert_issued_again_and_one_under_two_ids(qa, take):
    number = "0123456789abcdef0123456789abcdef"
    take(alert(f"da{number}_1", device("pc1")))
    again = take(alert("da9f", device("pc1"), hours=0.2))
    other = take(alert(f"ra{number}_1", device("pc1"), serviceSource="microsoft365Defender"))
    assert (again.overlap, other.overlap) == (1, 1)
    hows = {key: one(key).join_facts["how"] for key in ("da9f", f"ra{number}_1")}
    assert hows == {"da9f": "reissued", f"ra{number}_1": "same_id"}


def test_one_id_with_another_product_is_an_update(qa, take):
    take(alert("x", user("anna")))
    counts = take(alert("x", user("anna"), updated_hours=1) | MDCA)
    assert (counts.new, counts.updated, counts.cases) == (0, 1, 0)
    assert Case.objects.get().alert_count == 1


def test_a_closed_case_is_told_again_without_a_new_one(qa, take):
    documents = two_products()
    take(documents[0])
    Case.objects.update(status=Case.Status.RESOLVED, verdict="falsePositive")
    counts = take(documents[1])
    assert (counts.cases, counts.overlap) == (0, 1)
    assert one("mdca").case == one("idp").case
    assert Case.objects.get().status == Case.Status.RESOLVED
    assert CaseEvent.objects.filter(kind="overlap").count() == 1


@pytest.mark.parametrize(
    ("more", "hours"),
    [
        ({"severity": "high"}, 0),
        ({"evidence": [user("anna")]}, 0),
        ({"evidence": [user("anna"), address("198.51.100.99")]}, 0),
        ({"title": "Mass download"}, 0),
    ],
    ids=["worse", "no proof that it is the same", "from elsewhere", "something else"],
)
def test_what_may_be_something_new_opens_a_case_beside_the_closed_one(qa, take, more, hours):
    documents = two_products(hours, **more)
    take(documents[0])
    Case.objects.update(status=Case.Status.RESOLVED)
    assert take(documents[1]).cases == 1


def test_a_hub_is_no_proof(qa, take):
    documents = two_products()
    take(documents[0])
    pin_hub(Entity.objects.get(kind="ip").pk, is_hub=True)
    Case.objects.update(status=Case.Status.RESOLVED)
    assert take(documents[1]).cases == 1


# --- the classes ----------------------------------------------------------------------------------


def body(**more: object) -> dict[str, object]:
    return as_body(DEFAULTS["odd_sign_in"]) | more


def test_the_provider_and_then_the_tenant_have_the_last_word(qa):
    edit = overlap_classes.edit_class
    edit("odd_sign_in", body(window_min=5), 0, tenant=None, actor="ada", actor_id=1)
    edit("odd_sign_in", body(is_active=False), 0, tenant=qa, actor="ada", actor_id=1)

    def shown(tenant: Tenant | None) -> tuple[str, int, bool]:
        found = {row.kind.name: row for row in overlap_classes.list_classes(tenant)}["odd_sign_in"]
        return found.origin, found.kind.window_min, found.kind.is_active

    assert shown(None) == ("provider", 5, True)
    assert shown(qa) == ("tenant", 120, False)
    with scope(qa):
        assert "odd_sign_in" not in overlap_classes.classifier().classes
    overlap_classes.reset_class("odd_sign_in", 1, tenant=qa, actor="ada")
    assert shown(qa) == ("provider", 5, True)
    with scope(qa):
        assert overlap_classes.classifier().classes["odd_sign_in"].window_min == 5
    overlap_classes.reset_class("odd_sign_in", 1, tenant=None, actor="ada")
    assert shown(qa) == ("default", 120, True)
    assert AuditEntry.objects.filter(subject="odd_sign_in").count() == 4


def test_a_class_is_changed_only_as_it_was_seen_and_only_to_what_can_be(qa):
    edit = overlap_classes.edit_class
    edit("mine", body(label="Mine"), 0, tenant=qa, actor="ada", actor_id=1)
    for version in (0, 2):
        with pytest.raises(BadClass, match="meanwhile"):
            edit("mine", body(), version, tenant=qa, actor="ada", actor_id=1)
        with pytest.raises(BadClass, match="meanwhile"):
            overlap_classes.reset_class("mine", version, tenant=qa, actor="ada")
    with pytest.raises(BadClass, match="minutes"):
        edit("mine", body(window_min=-1), 1, tenant=qa, actor="ada", actor_id=1)
    edit("mine", body(label="Ours"), 1, tenant=qa, actor="ada", actor_id=1)
    (mine,) = (row for row in overlap_classes.list_classes(qa) if row.kind.name == "mine")
    assert (mine.kind.label, mine.version, mine.origin) == ("Ours", 2, "tenant")


def test_a_stored_class_that_can_not_be_read_stops_nothing(qa, take):
    with scope(qa):
        overlap_classes.OverlapOverride.objects.create(name="odd_sign_in", body={"x": 1})
    for document in two_products():
        take(document)
    assert one("mdca").duplicate_of == one("idp"), "the default holds"


# --- hubs -----------------------------------------------------------------------------------------


STRONG = frozenset({"user", "device"})


@pytest.mark.parametrize(
    ("kind", "alerts", "days", "peers", "volume", "expected"),
    [
        ("ip", 12, 2, 4, 100, True),
        ("ip", 11, 9, 9, 100, False),
        ("ip", 200, 1, 90, 300, False),
        ("ip", 12, 5, 3, 100, False),
        ("ip", 30, 5, 9, 4000, False),
        ("ip", 40, 5, 9, 10**6, True),
        ("user", 12, 3, 6, 100, True),
        ("user", 12, 2, 6, 100, False),
        ("user", 90, 14, 5, 100, False),
    ],
)
def test_what_a_hub_is(kind, alerts, days, peers, volume, expected):
    assert is_hub(kind, Frequency(alerts, days, peers), volume, STRONG) is expected


def test_an_address_seen_with_everybody_ties_nobody(qa, take):
    office = address("203.0.113.7")
    for day in range(4):
        take(*(
            alert(f"d{day}-{n}", user(f"user{n}"), office, hours=24 * day - 100) for n in range(4)
        ))  # fmt: skip
    hub = Hub.objects.get(is_hub=True)
    assert (hub.alerts >= 12, hub.days >= 2, hub.peers) == (True, True, 4)
    take(alert("x", office, device("pc1")), alert("y", office, device("pc2")))
    assert one("x").case != one("y").case


def test_a_service_account_on_every_machine_ties_nothing(qa, take):
    for day in range(4):
        take(*(
            alert(f"d{day}-{n}", user("svc-scan"), device(f"pc{n}"), hours=24 * day - 100)
            for n in range(6)
        ))  # fmt: skip
    assert Entity.objects.get(pk=Hub.objects.get(is_hub=True).pk).kind == "user"
    take(alert("x", user("svc-scan"), device("a1")), alert("y", user("svc-scan"), device("a2")))
    assert one("x").case != one("y").case


def test_a_person_has_the_last_word_on_hubs(qa, take):
    take(alert("x", user("anna"), hours=-90))
    pin_hub(Entity.objects.get().pk, is_hub=True)
    take(alert("a", user("anna")), alert("b", user("anna"), title="Other"))
    assert one("a").case != one("b").case
    pin_hub(Entity.objects.get().pk, is_hub=None)
    take(alert("c", user("anna"), title="Third"))
    assert len(partition()) == 2


def test_a_private_address_is_no_lasting_tie_and_no_proof(qa, take):
    seen = [user("anna"), address("10.1.2.3")]
    take(alert("a", *seen), alert("b", *seen, hours=4, title="B"))
    assert one("a").case != one("b").case
    assert (
        AlertEntity.objects.get(alert=one("a"), entity__kind="ip").roles.split(",")[0] == "inside"
    )
    take(alert("c", user("bert"), address("10.1.2.3"), hours=9))
    Case.objects.update(status=Case.Status.RESOLVED)
    told = alert("d", user("bert"), address("10.1.2.3"), hours=9) | MDCA
    assert take(told).cases == 1, "a closed case takes what is proven to be the same only"


# --- reasons --------------------------------------------------------------------------------------


def test_every_alert_says_why_it_is_in_its_case(qa, take):
    take(alert("a", user("anna")))
    take(
        alert("b", user("anna"), device("pc1"), hours=1, title="B", category="Execution"),
        alert("c", device("pc9"), hours=1.5, incident="7"),
        alert("d", user("anna"), hours=1.6, incident="7", title="D"),
    )
    assert one("a").join_facts is None or one("a").join_facts["by"] == "first"
    told = {key: sentence(one(key).join_facts) for key in "abcd"}
    assert told["a"] == "First alert of the case."
    assert told["b"].startswith("Shares User ")
    assert told["b"].endswith("further along the attack.")
    assert told["c"] == "Microsoft put both into incident 7."
    event = CaseEvent.objects.get(kind="joined")
    assert event.facts["alerts"] == 3
    assert event.facts["because"]["by"]


# --- full cases -----------------------------------------------------------------------------------


def families() -> set[frozenset[str]]:
    """Which alerts are in one case or in cases that continue each other."""
    above = dict(Case.objects.values_list("pk", "continues_id"))

    def root(case: int) -> int:
        while above[case]:
            case = above[case]
        return case

    found: dict[int, set[str]] = {}
    for key, case in Alert.objects.values_list("provider_id", "case_id"):
        found.setdefault(root(case), set()).add(key)
    return {frozenset(keys) for keys in found.values()}


def test_a_full_case_is_continued_by_another(qa, take):
    small = replace(RULES, most_alerts=4)
    pages = [[alert(f"a{n}", user("anna"), hours=n / 10, title=f"T{n}") for n in range(6)]]
    pages += [[alert(f"b{n}", user("anna"), hours=1 + n / 10, title=f"U{n}")] for n in range(5)]
    for page in pages:
        take(*page, rules=small)
    sizes = sorted(Case.objects.values_list("alert_count", flat=True))
    assert (max(sizes), sum(sizes), len(sizes)) == (4, 11, 3)
    assert len(families()) == 1
    assert CaseEvent.objects.filter(kind="continues").count() == 2
    reasons = [a.join_facts for a in Alert.objects.filter(joined_by="first").order_by("pk")]
    assert [bool(facts.get("continues")) for facts in reasons] == [False, True, True]
    assert "continues" in sentence(reasons[1])


def test_an_alert_that_bridges_two_full_cases_links_them(qa, take):
    small = replace(RULES, most_alerts=3)
    take(*(alert(f"a{n}", user("anna"), title=f"T{n}") for n in range(3)), rules=small)
    take(*(alert(f"b{n}", device("pc1"), title=f"T{n}") for n in range(3)), rules=small)
    take(alert("c", user("anna"), device("pc1"), hours=1), rules=small)
    assert len(families()) == 1
    assert max(Case.objects.values_list("alert_count", flat=True)) == 3


def test_two_groups_that_lead_to_one_case_do_not_overfill_it(qa, take):
    small = replace(RULES, most_alerts=2)
    take(
        alert("a1", user("anna"), device("pc1")), alert("a2", user("anna"), device("pc1")),
        rules=small,
    )  # fmt: skip
    take(alert("a3", user("anna"), device("pc9"), hours=0.1, title="B"), rules=small)
    assert one("a3").case.continues == one("a1").case
    take(
        alert("x", device("pc1"), hours=0.2, title="C"),
        alert("y", device("pc9"), hours=0.2, title="D"),
        rules=small,
    )
    assert sorted(Case.objects.values_list("alert_count", flat=True)) == [1, 2, 2]
    assert len(families()) == 1


# --- any order ------------------------------------------------------------------------------------


names = st.sampled_from(["anna", "bert", "carl"])
addresses = st.sampled_from(["198.51.100.7", "2001:db8::1"])
evidence = st.lists(
    st.one_of(names.map(user), names.map(device), addresses.map(address)), max_size=3
)
kinds = st.sampled_from(
    [{}, MDCA, {"title": "Mass download", "category": "Exfiltration"}, {"severity": "high"}]
)
documents = st.lists(
    st.tuples(evidence, st.integers(0, 40), st.sampled_from([None, None, "1", "2"]), kinds),
    min_size=1,
    max_size=9,
).map(
    lambda rows: [
        alert(f"a{n}", *found, hours=hours / 2, incident=incident)
        | more
        | {"createdDateTime": (DAY + timedelta(hours=hours / 2 + n / 10)).isoformat()}
        for n, (found, hours, incident, more) in enumerate(rows)
    ]
)


def shuffled_into_pages(qa, pseudonymiser, found, seed, rules) -> None:
    order = random.Random(seed)
    left = order.sample(found, len(found))
    while left:
        size = order.randint(1, 4)
        page = prepare_page(left[:size], pseudonymiser)
        store_page(qa.pk, page, pseudonymiser.version, rules)
        left = left[size:]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(found=documents, seed=st.integers(0, 2**32), most=st.sampled_from([2, 3, 150]))
def test_the_order_of_arrival_matters_to_nothing(qa, pseudonymiser, found, seed, most):
    """Cases, or families of full cases, and which alert repeats which are the same at last."""
    outcomes = []
    rules = replace(RULES, most_alerts=most)
    for attempt in range(2):
        with scope(qa):
            for model in (AlertEntity, Alert, CaseEvent, Case):
                model.objects.all().delete()
            shuffled_into_pages(qa, pseudonymiser, found, seed + attempt, rules)
            duplicates = set(
                Alert.objects.exclude(duplicate_of=None).values_list(
                    "provider_id", "duplicate_of__provider_id"
                )
            )
            outcomes.append((families(), duplicates))
            assert max(Case.objects.exclude(status=3).values_list("alert_count", flat=True)) <= most
    assert outcomes[0] == outcomes[1]
