"""Microsoft is asked about users of alerts, politely, and again where logs are late."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from alerts.enrich import READ_AGAIN, next_due
from alerts.fact_rows import awaited, claim, take_in
from alerts.facts_of import facts_of
from alerts.models import Alert, AlertFact, Case, LinkSource, SignInTrace, SourceAbility
from enrichment.facts import Known, MatchedBy, Mfa, UserRisk
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import scope
from tests.alerts.documents import PREFIX, address, alert, stamp
from tests.alerts.enrich_lab import (
    AT,
    IP,
    NOW,
    ROLES,
    Empty,
    Lab,
    audit,
    known,
    odd,
    oid,
    person,
    request_of,
    sign_in,
)
from tests.enrichment.records import CLAIM, DENIED, PASSWORD, SILENT

YES, PENDING, UNKNOWN, FAILED = Known.YES, Known.PENDING, Known.UNKNOWN, Known.FAILED


@pytest.fixture
def lab(qa: Tenant, simulator: Any, pseudonymiser: Pseudonymiser) -> Lab:
    return Lab(qa, simulator, pseudonymiser)


def test_everything_that_can_be_known_is_found(lab: Lab) -> None:
    denied = {"error": 500121, "steps": [PASSWORD, DENIED]}
    lab.has(
        "sign_ins",
        sign_in("r1", "anna"),
        sign_in("r2", "anna", AT - timedelta(minutes=2), **denied),
        sign_in("r3", "anna", AT - timedelta(minutes=3), error=500121, steps=[PASSWORD, SILENT]),
        sign_in("r4", "ben", AT - timedelta(minutes=3), **denied),
    )
    lab.has(
        "audits",
        audit("User registered security info", "anna", "anna"),
        audit("Add member to role", "admin", "anna", AT + timedelta(minutes=9)),
        audit("Add member to role", "admin", "ben"),
        audit("Reset user password", "anna", "ben", AT - timedelta(hours=30)),
    )
    lab.has("risky_users", {"id": oid("anna"), "riskLevel": "high", "riskState": "atRisk"})
    detection = {"id": "d", "userId": oid("anna"), "riskEventType": "anomalousToken"}
    lab.has("risk_detections", {**detection, "detectedDateTime": stamp(AT)})
    result = lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    facts = lab.facts("a")
    assert known(facts) == (YES, YES, YES)
    assert facts.sign_in is not None
    assert (facts.sign_in.mfa, facts.sign_in.matched_by) == (Mfa.PERFORMED, MatchedBy.REQUEST)
    assert (facts.prompts.denied, facts.prompts.unanswered) == (1, 1)
    assert facts.risk == UserRisk("high", "atRisk", ("anomalousToken",))
    assert [one.operation for one in facts.audits] == ["mfa_method_added", "role_given"]
    with scope(lab.tenant):
        assert facts.user == Alert.objects.get().links.get(entity__kind="user").entity.pseudonym
        assert result.cases == {Alert.objects.get().case_id}
    assert (result.asked, result.settled, result.left, lab.due()) == (1, 1, 0, None)


def test_the_requests_of_one_alert_are_counted(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"))
    content = lab.take(odd("a", "anna", request_of("r1")))
    lab.control.forget_requests()
    lab.enrich(content)
    # Sign-ins; audits by and of the user; detections and the user's risk. The alert is in memory.
    assert lab.requests() == {"auditLogs": 3, "identityProtection": 2}
    lab.enrich(content)
    lab.enrich(now=NOW + timedelta(days=2))
    assert lab.requests() == {"auditLogs": 3, "identityProtection": 2}, "all of it is final"


def test_the_alerts_of_a_user_are_read_together(lab: Lab) -> None:
    lab.has("sign_ins", *(sign_in(f"r{n}", "anna", AT - timedelta(hours=n)) for n in range(10)))
    documents = [
        odd(f"a{n}", "anna", request_of(f"r{n}"), at=AT - timedelta(hours=n)) for n in range(10)
    ]
    content = lab.take(*documents, odd("b", "ben"))
    lab.control.forget_requests()
    assert lab.enrich(content).asked == 11
    assert lab.requests() == {"auditLogs": 6, "identityProtection": 4}, "two users"
    assert {known(lab.facts(f"a{n}")) for n in range(10)} == {(YES, YES, YES)}


def test_a_late_log_is_asked_again_and_then_is_unknown(lab: Lab) -> None:
    content = lab.take(odd("a", "anna", request_of("r1"), at=NOW - timedelta(minutes=3)))
    lab.enrich(content)
    assert known(lab.facts("a")) == (PENDING, PENDING, PENDING)
    assert lab.due() == NOW + timedelta(minutes=5)
    lab.enrich(now=NOW + timedelta(minutes=4))
    assert lab.facts("a").sign_in_known is PENDING
    for _ in range(8):
        if (due := lab.due()) is not None:
            lab.enrich(now=due)
    assert known(lab.facts("a")) == (UNKNOWN, YES, YES)
    assert lab.due() is None
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.enrich(now=NOW + timedelta(days=1))
    assert lab.facts("a").sign_in_known is UNKNOWN, "what is final stays"


def test_a_record_that_comes_late_is_found_by_ids_alone(lab: Lab) -> None:
    at = NOW - timedelta(minutes=3)
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"), at=at)))
    lab.has("sign_ins", sign_in("r1", "anna", at, steps=[CLAIM]))
    due = lab.due()
    assert due is not None
    lab.control.forget_requests()
    lab.enrich(now=due)
    facts = lab.facts("a")
    assert facts.sign_in is not None
    assert (facts.sign_in.mfa, facts.sign_in_known) == (Mfa.CLAIM, YES)
    # The alert again by its id; the log and the risk. Audits can't be there yet.
    assert lab.requests() == {"alerts": 1, "auditLogs": 1, "identityProtection": 2}


def test_a_silent_sign_in_is_read_by_its_id(lab: Lab) -> None:
    silent = sign_in("r1", "anna", isInteractive=False, signInEventTypes=["nonInteractiveUser"])
    lab.has("sign_ins", silent)
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    facts = lab.facts("a")
    assert facts.sign_in is not None
    assert (facts.sign_in.is_interactive, facts.sign_in.mfa) == (False, Mfa.CLAIM)


def test_a_sign_in_of_somebody_else_proves_nothing(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "ben"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    assert lab.facts("a").sign_in is None
    assert lab.facts("a").sign_in_known is PENDING


def test_detections_beyond_what_is_read_could_be_worse(lab: Lab) -> None:
    flood = [
        {"id": f"d{n}", "userId": oid("anna"), "riskEventType": "unfamiliarFeatures",
         "detectedDateTime": stamp(AT)}
        for n in range(101)
    ]  # fmt: skip
    lab.has("risk_detections", *flood)
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    assert known(lab.facts("a")) == (YES, UNKNOWN, YES)


@pytest.mark.parametrize(
    ("document", "count"),
    [
        (alert("a", address(IP)), 0),
        (odd("a", "anna", person("ben")), 2),
        (odd("a", "anna", at=NOW - timedelta(days=40)), 0),
    ],
)
def test_where_there_is_nothing_to_ask_nobody_is_asked(
    lab: Lab, document: dict, count: int
) -> None:
    content = lab.take(document)
    lab.control.forget_requests()
    lab.enrich(content)
    facts = lab.facts("a")
    assert set(known(facts)) == {Known.NOT_ASKED}
    assert facts.user_count == count
    assert not lab.requests()


def test_an_account_that_the_directory_does_not_know_is_not_asked_about(lab: Lab) -> None:
    account = {"@odata.type": PREFIX + "userEvidence", "userAccount": {"accountName": "svc"}}
    lab.enrich(lab.take({**odd("a", "x"), "evidence": [account, address(IP)]}))
    facts = lab.facts("a")
    assert (set(known(facts)), facts.user_count) == ({Known.NOT_ASKED}, 1)


def test_a_device_alert_asks_for_no_sign_in(lab: Lab) -> None:
    source = "microsoftDefenderForEndpoint"
    lab.enrich(lab.take(odd("a", "anna", serviceSource=source, category="Malware")))
    assert known(lab.facts("a")) == (Known.NOT_ASKED, YES, Known.NOT_ASKED)


# --- what is missing or broken --------------------------------------------------------------------


def test_no_licence_is_said_and_tried_again_after_a_day(lab: Lab) -> None:
    lab.control.configure(lab.directory, licences={"entra_id_p1": False, "entra_id_p2": False})
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    facts = lab.facts("a")
    assert known(facts) == (Known.NO_LICENCE, Known.NO_LICENCE, YES)
    assert (facts.risk, facts.sign_in, lab.due()) == (None, None, None)
    with scope(lab.tenant):
        states = dict(SourceAbility.objects.values_list("source", "state"))
    assert states == {"sign-ins": "no_licence", "risks": "no_licence"}
    content = lab.take(odd("b", "ben", request_of("r2")))
    lab.control.forget_requests()
    lab.enrich(content)
    assert lab.requests() == {"auditLogs": 2}, "only what can be read"
    assert known(lab.facts("b")) == (Known.NO_LICENCE, Known.NO_LICENCE, YES)
    lab.control.configure(lab.directory, licences={"entra_id_p1": True, "entra_id_p2": True})
    lab.has("sign_ins", sign_in("r3", "carl"))
    lab.enrich(lab.take(odd("c", "carl", request_of("r3"))), NOW + timedelta(hours=25))
    assert known(lab.facts("c")) == (YES, YES, YES)
    with scope(lab.tenant):
        assert SourceAbility.objects.get(source="sign-ins").state == "there"


def test_p1_alone_shows_detections_but_no_risk(lab: Lab) -> None:
    lab.control.configure(lab.directory, licences={"entra_id_p2": False})
    lab.enrich(lab.take(odd("a", "anna"), odd("b", "ben")))
    assert {lab.facts(key).risk_known for key in "ab"} == {Known.NO_LICENCE}
    with scope(lab.tenant):
        assert SourceAbility.objects.get().source == "risky-users"


def test_no_permission_is_said(lab: Lab) -> None:
    graph = lab.graph_with(["SecurityAlert.Read.All"])
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))), graph=graph)
    assert set(known(lab.facts("a"))) == {Known.NO_PERMISSION}


def test_a_source_that_is_down_is_asked_again(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"))
    content = lab.take(odd("a", "anna", request_of("r1")), odd("b", "ben", request_of("r2")))
    for path in ("auditLogs", "identityProtection"):
        lab.control.fault("status", directory=lab.directory, path=path, status=503, count=-1)
    result = lab.enrich(content)
    lab.control.clear_faults()
    assert set(known(lab.facts("a"))) == {FAILED}
    assert (result.asked, result.failed, result.left) == (1, 1, 1), "the rest waits"
    due = lab.due()
    assert due is not None
    assert due > NOW
    lab.enrich(now=due)
    assert known(lab.facts("a")) == (YES, YES, YES)


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, [], "x", None])
def test_an_answer_without_a_list_is_not_an_empty_one(lab: Lab, body: Any) -> None:
    content = lab.take(odd("a", "anna", request_of("r1")))
    for path in ("auditLogs", "riskDetections"):
        lab.control.fault(
            "status", directory=lab.directory, path=path, status=200, body=body, count=-1
        )
    lab.enrich(content)
    lab.control.clear_faults()
    assert YES not in known(lab.facts("a"))
    assert lab.facts("a").sign_in is None


def test_pages_shorter_than_asked_for_are_read_on(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.control.fault("empty_page", directory=lab.directory, path="signIns", count=2)
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    assert lab.facts("a").sign_in_known is YES
    assert lab.facts("a").sign_in is not None


def test_a_page_that_is_not_all_proves_nothing(lab: Lab) -> None:
    flood = [sign_in(f"x{n}", "anna", AT - timedelta(seconds=n)) for n in range(1001)]
    lab.has("sign_ins", *flood, sign_in("r1", "anna"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    assert lab.facts("a").sign_in_known is UNKNOWN


def test_what_patience_does_not_reach_stays_due(lab: Lab) -> None:
    content = lab.take(*(odd(str(n), f"u{n}") for n in range(3)))
    result = lab.enrich(content, patience_s=0)
    assert (result.asked, result.left) == (0, 3)
    assert lab.due() == NOW
    assert lab.enrich(content).asked == 3


def test_no_more_is_read_again_than_can_be_asked_about(lab: Lab) -> None:
    content = lab.take(*(odd(str(n), f"u{n}") for n in range(23)))
    assert lab.enrich(content, patience_s=0).left == 23, "what is in memory costs nothing"
    assert lab.enrich(patience_s=0).left == READ_AGAIN
    assert lab.requests()["alerts"] == READ_AGAIN
    assert lab.due() == NOW


def test_our_own_limit_is_no_failure(lab: Lab) -> None:
    """Nothing is counted as tried, and it is due as soon as there is room."""
    content = lab.take(odd("a", "anna"), odd("b", "ben"))
    graph = lab.graph_with(ROLES)
    graph.http.governor = Empty()
    result = lab.enrich(content, graph=graph)
    assert (result.failed, result.left) == (0, 1)
    assert lab.due() == NOW + timedelta(seconds=11)
    with scope(lab.tenant):
        assert set(AlertFact.objects.values_list("attempts", flat=True)) == {0}
    lab.enrich(now=NOW + timedelta(seconds=11))
    assert lab.facts("a").risk is not None


def test_a_worker_that_died_lets_go(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    with scope(lab.tenant):
        take_in((), NOW)
        assert len(claim(NOW, 10)) == 1
        assert claim(NOW, 10) == [], "nobody else gets it"
    assert lab.enrich().asked == 0
    assert lab.enrich(now=NOW + timedelta(minutes=11)).asked == 1


def test_what_a_ticket_waits_for_is_asked_first(lab: Lab) -> None:
    lab.take(odd("a", "anna"), odd("b", "ben"))
    with scope(lab.tenant):
        take_in((), NOW)
        later = NOW + timedelta(minutes=20)
        Case.objects.filter(alerts__provider_id="b").update(ticket_after=later, terms=[["x", 1]])
        assert awaited(NOW)
        assert [one.provider_id for one in claim(NOW, 10)] == ["b", "a"]
        assert not awaited(NOW)


def test_an_alert_that_microsoft_forgot_is_unknown(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    lab.control.delete_alerts(lab.directory)
    lab.enrich()
    assert set(known(lab.facts("a"))) == {UNKNOWN}


def test_alerts_that_cannot_be_read_now_wait(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    lab.control.fault("status", directory=lab.directory, path="alerts_v2", status=503, count=-1)
    assert lab.enrich().left == 1
    lab.control.clear_faults()
    assert lab.due() == NOW + timedelta(minutes=1)


# --- what is kept ---------------------------------------------------------------------------------


def test_traces_are_kept_under_every_key(lab: Lab, qa: Tenant) -> None:
    keys = [("2", derive_key(b"n" * 32, qa.public_id)), ("1", derive_key(b"m" * 32, qa.public_id))]
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    lab.pseudonymiser = Pseudonymiser(keys)
    lab.has("sign_ins", sign_in("r2", "ben", uniqueTokenIdentifier="T-r1"))
    lab.enrich(lab.take(odd("b", "ben", request_of("r2"))))
    with scope(qa):
        first, second = Alert.objects.order_by("provider_id")
        kinds = Counter(SignInTrace.objects.filter(alert=second).values_list("kind", flat=True))
        assert kinds == {"token": 2, "session": 2, "device": 2, "address": 2}
        shared = facts_of([second.case_id])[second.case_id].shared_elsewhere
    assert {(one.kind.value, one.case_id) for one in shared} >= {("token", first.case_id)}


def test_nothing_personal_is_stored(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.has("audits", audit("Add user", "anna", "ben"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"))))
    with scope(lab.tenant):
        stored = repr(
            [
                list(model.objects.values())
                for model in (AlertFact, SignInTrace, LinkSource, SourceAbility)
            ]
        )
    for secret in (oid("anna"), oid("ben"), oid("pc"), "anna", "r1", "T-r1", IP, "Directory_"):
        assert secret not in stored


def test_the_other_tenant_sees_nothing(lab: Lab, qatest: Tenant) -> None:
    lab.enrich(lab.take(odd("a", "anna")))
    with scope(qatest):
        assert not AlertFact.objects.exists()
        assert next_due() is None
