"""What is known about a case: facts of its alerts, marks, past verdicts, shared traces."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.facts_of import facts_of
from alerts.ingest import store_page
from alerts.marks import marks_of
from alerts.models import (
    Alert,
    AlertFact,
    AssetClass,
    AssetMember,
    Case,
    Cursor,
    SignInTrace,
)
from alerts.past import similar_cases
from alerts.prepare import prepare_page
from enrichment.facts import (
    AlertFacts,
    AssetMark,
    AuditFact,
    Known,
    MatchedBy,
    Mfa,
    Prompts,
    SharedTrace,
    SignInFacts,
    TraceKind,
    UserRisk,
    Verdicts,
)
from enrichment.stored import from_json, to_json
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tests.alerts.documents import address, alert, device, user

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
ID = uuid.UUID(int=7)
FULL = AlertFacts(
    alert_id=3,
    user=ID,
    user_count=1,
    sign_in=SignInFacts(
        at=AT, request=ID, matched_by=MatchedBy.REQUEST, error_code=0, mfa=Mfa.PERFORMED,
        method="fido2", is_phishing_resistant=True, is_interactive=True, address=ID, device=ID,
        is_managed_device=False, session=ID, token=ID, app=ID, country="DE", risk="low",
    ),
    sign_in_known=Known.YES,
    prompts=Prompts(2, 1),
    risk=UserRisk("high", "atRisk", ("anomalousToken",)),
    risk_known=Known.NO_LICENCE,
    audits=(AuditFact("role_given", AT, False, ID),),
    audits_known=Known.FAILED,
)  # fmt: skip


def test_facts_survive_the_database() -> None:
    assert from_json(3, to_json(FULL)) == FULL
    assert from_json(3, to_json(AlertFacts(3))) == AlertFacts(3)


def test_a_word_of_another_version_is_unknown() -> None:
    stored = {"sign_in_known": "perhaps", "sign_in": {"at": AT.isoformat(), "mfa": "telepathy"}}
    found = from_json(3, stored)
    assert found.sign_in_known is Known.UNKNOWN
    assert found.sign_in == SignInFacts(at=AT)


@pytest.fixture
def store(qa: Tenant, pseudonymiser: Pseudonymiser):  # type: ignore[no-untyped-def]
    """Stores documents and gives the case of each; inside the scope."""

    def take(*documents: dict[str, object]) -> list[int]:
        page = prepare_page(documents, pseudonymiser)
        store_page(qa.pk, page, pseudonymiser.version)
        found = dict(Alert.objects.values_list("provider_id", "case_id"))
        return [found[str(one["id"])] for one in documents]

    with scope(qa):
        yield take


def test_an_alert_is_pending_until_it_was_looked_at(store) -> None:  # type: ignore[no-untyped-def]
    (case,) = store(alert("a", user("anna")))
    (facts,) = facts_of([case])[case].alerts
    assert facts == AlertFacts(facts.alert_id)
    Cursor.objects.update_or_create(source="facts", defaults={"position": facts.alert_id})
    (facts,) = facts_of([case])[case].alerts
    assert facts.sign_in_known is facts.risk_known is facts.audits_known is Known.NOT_ASKED
    assert facts.sign_in_known.is_final


def test_stored_facts_are_returned_by_case(store) -> None:  # type: ignore[no-untyped-def]
    first, second = store(alert("a", user("anna")), alert("b", user("ben"), hours=1))
    pk = Alert.objects.get(provider_id="b").pk
    AlertFact.objects.create(alert_id=pk, facts=to_json(FULL))
    found = facts_of([second, first, second])
    assert list(found) == sorted([first, second])
    assert found[second].alerts[0].sign_in == FULL.sign_in
    assert found[second].alerts[0].alert_id == pk
    assert found[first].alerts[0].sign_in is None


def test_marks_follow_every_name_of_an_entity(store, pseudonymiser) -> None:  # type: ignore[no-untyped-def]
    vip, plain = store(alert("a", user("anna")), alert("b", device("pc"), hours=1))
    board = AssetClass.objects.create(name="Board", kind="vip", holds="people")
    key = pseudonymiser.pseudonym("user", "upn:Anna@contoso.com")
    AssetMember.objects.create(asset_class=board, pseudonym=key, member=key)
    entity = Alert.objects.get(provider_id="a").links.get().entity.pseudonym
    assert marks_of([vip, plain]) == {vip: (AssetMark(entity, "vip", "Board"),)}
    assert facts_of([plain])[plain].marks == ()


def closed(case_id: int, verdict: str, by: str = "") -> None:
    Case.objects.filter(pk=case_id).update(status=2, verdict=verdict, closed_by=by)


def test_past_verdicts_are_of_the_same_detection(store) -> None:  # type: ignore[no-untyped-def]
    cases = store(
        alert("1", user("anna"), detectorId="d1"),
        alert("2", user("ben"), detectorId="d1", hours=30),
        alert("3", user("carl"), detectorId="d1", hours=60),
        alert("4", user("anna"), detectorId="d2", hours=90),
        alert("5", user("dora"), detectorId="d1", hours=120),
        alert("6", user("anna"), detectorId="d1", hours=150),
    )
    closed(cases[0], "falsePositive")
    closed(cases[1], "truePositive")
    closed(cases[2], "falsePositive", by="proof")
    closed(cases[3], "falsePositive")
    past = facts_of([cases[5]])[cases[5]].past
    assert (past.true_positive, past.false_positive, past.expected) == (1, 1, 0)
    assert past.same_entity == Verdicts(false_positive=1)
    similar = similar_cases(cases[5])
    assert [one.is_same_entity for one in similar] == [True, False, False, False]
    assert {one.closed_by for one in similar} == {"", "proof"}


def test_without_a_detector_the_title_tells(store) -> None:  # type: ignore[no-untyped-def]
    first, _, third = store(
        alert("1", user("anna"), title="Odd travel"),
        alert("2", user("ben"), title="Leaked credentials", hours=30),
        alert("3", user("carl"), title="Odd travel", hours=60),
    )
    closed(first, "informationalExpectedActivity")
    assert facts_of([third])[third].past.expected == 1
    assert facts_of([]) == {}


def test_traces_are_met_in_other_open_cases_only(store, pseudonymiser) -> None:  # type: ignore[no-untyped-def]
    mine, signed, named, over = store(
        alert("1", user("anna")),
        alert("2", user("ben"), hours=1),
        alert("3", user("carl"), address("198.51.100.7"), hours=2),
        alert("4", user("dora"), hours=3),
    )
    pks = dict(Alert.objects.values_list("provider_id", "pk"))
    token = pseudonymiser.pseudonym("token", "t")
    at = pseudonymiser.pseudonym("ip", "198.51.100.7")
    for key in ("1", "2", "4"):
        SignInTrace.objects.create(alert_id=pks[key], pseudonym=token, kind="token")
    SignInTrace.objects.create(alert_id=pks["1"], pseudonym=at, kind="address")
    closed(over, "truePositive")
    assert facts_of([mine])[mine].shared_elsewhere == (
        SharedTrace(pks["1"], TraceKind.ADDRESS, named),
        SharedTrace(pks["1"], TraceKind.TOKEN, signed),
    )


def test_four_queries_however_many_cases(store) -> None:  # type: ignore[no-untyped-def]
    cases = store(*(alert(str(n), user(f"u{n}"), hours=n) for n in range(12)))
    with CaptureQueriesContext(connection) as queries:
        found = facts_of(cases)
    assert len(found) == len(set(cases)) == 12
    assert len(queries) == 4
