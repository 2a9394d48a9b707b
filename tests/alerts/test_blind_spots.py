"""What the feed can't show is said in plain words, and what can't be known is said as such."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.blind_spots import (
    CONSEQUENCES,
    NEVER_CHECKED,
    PRODUCTS,
    Finding,
    blind_spots,
    check_sources,
    describe,
    is_check_due,
    note_abilities,
    state_of,
)
from alerts.ingest import store_page
from alerts.models import SourceAbility
from alerts.prepare import prepare_page
from clients.errors import ApiError, Forbidden, Unauthorized, Unavailable
from clients.http import Http, Policy
from clients.microsoft.graph import Graph
from clients.microsoft.security import probe
from tenants.scope import scope
from tests.alerts.documents import alert, stamp
from tests.alerts.test_ledger import Token

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PREMIUM = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
ALL_PRODUCTS = {*PRODUCTS, "microsoftSentinel", "azureAdIdentityProtection"}


def findings(**states: str) -> list[Finding]:
    """All sources are there but those named (with _ for -)."""
    given = {source: states.get(source.replace("-", "_"), "there") for source in CONSEQUENCES}
    return [Finding(source, state, "It was too slow.", NOW) for source, state in given.items()]


def said(*words: str, seen=ALL_PRODUCTS, **states: str) -> list[str]:
    """The sentences that hold all of these words."""
    sentences = describe(findings(**states), seen, NOW)
    return [one for one in sentences if all(word in one for word in words)]


def test_where_all_can_be_read_only_what_nobody_can_know_is_said():
    sentences = describe(findings(), ALL_PRODUCTS, NOW)
    assert len(sentences) == 3
    assert said("tuning", "nothing here can tell")
    assert said("Sentinel", "at least one workspace", "can't be seen from here")
    assert said("Intune", "never come")


@pytest.mark.parametrize("source", sorted(CONSEQUENCES))
def test_a_missing_permission_says_what_follows_and_what_to_do(source):
    permission, consequence = CONSEQUENCES[source]
    (sentence,) = said(consequence, **{source.replace("-", "_"): "no_permission"})
    assert permission in sentence
    assert "consent again" in sentence


def test_a_missing_licence_is_no_missing_permission():
    (sentence,) = said("P1 or P2", "Sign ins", sign_ins="no_licence")
    assert "MFA" in sentence
    assert "consent" not in sentence
    seen = ALL_PRODUCTS - {"azureAdIdentityProtection"}
    assert said("ID Protection", "no such licence", sign_ins="no_licence", seen=seen)
    assert said("ID Protection", "can't be told from here", seen=seen)


def test_an_unfinished_probe_says_so():
    assert said("Audits", "not known", "too slow", audits="unknown")
    assert describe([], ALL_PRODUCTS, NOW)[0] == NEVER_CHECKED


def test_an_old_probe_says_so():
    sentences = describe(findings(), ALL_PRODUCTS, NOW + timedelta(days=15))
    assert any("20 November 2026" in one for one in sentences)


def test_products_that_were_not_seen_are_named_but_not_judged():
    (sentence,) = said("Defender for Endpoint, ", "look the same", seen={"microsoftSentinel"})
    assert "Defender for Office 365" in sentence
    seen = ALL_PRODUCTS - {"microsoftDefenderForCloud"}
    assert said("in 30 days of Defender for Cloud.", seen=seen)
    assert said("Sentinel in 30 days", "Connect it", seen=set())


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "there"),
        (Forbidden("403", status=403, code=PREMIUM), "no_licence"),
        (Forbidden("403", status=403, code="Forbidden"), "no_permission"),
        (Unavailable("503", status=503), "unknown"),
        (Unauthorized("401", status=401), "unknown"),
    ],
)
def test_only_a_403_proves_that_something_is_missing(error: ApiError | None, state: str):
    assert state_of(error) == state


def states(qa) -> dict[str, str]:
    with scope(qa):
        return dict(SourceAbility.objects.values_list("source", "state"))


def test_a_fault_of_the_moment_replaces_nothing(qa):
    note_abilities(qa, [("alerts", None), ("audits", Forbidden("403", status=403))], NOW)
    fault = Unavailable("Microsoft Graph could not be reached.")
    note_abilities(qa, [("alerts", fault), ("users", fault)], NOW + timedelta(hours=1))
    assert states(qa) == {"alerts": "there", "audits": "no_permission", "users": "unknown"}
    note_abilities(qa, [("audits", None), ("users", None)], NOW + timedelta(hours=2))
    assert states(qa) == {"alerts": "there", "audits": "there", "users": "there"}


def test_a_check_is_due_every_week(qa, qatest):
    assert is_check_due(qa, NOW)
    note_abilities(qa, [("incidents", None)], NOW)
    assert is_check_due(qa, NOW), "one source is no complete check"
    note_abilities(qa, [(source, None) for source in CONSEQUENCES], NOW)
    assert not is_check_due(qa, NOW + timedelta(days=6))
    note_abilities(qa, [("incidents", None)], NOW + timedelta(days=6))
    assert is_check_due(qa, NOW + timedelta(days=8))
    assert is_check_due(qatest, NOW), "what is known of one tenant says nothing of another"


def test_every_source_that_is_described_is_probed(qa, simulator):
    directory = simulator.control.add_directory(populate=False)["directory"]
    token = simulator.control.token(directory=directory, roles=["User.Read.All"])
    graph = Graph(Http(simulator.url, policy=Policy(attempts=1)), Token(token))
    assert set(CONSEQUENCES) - {"weaknesses"} <= {ability.source for ability in probe(graph)}
    check_sources(qa, graph, NOW)
    assert states(qa)["users"] == "there"
    assert states(qa)["alerts"] == "no_permission"


def test_the_directory_without_licence(qa, simulator, pseudonymiser):
    directory = simulator.control.add_directory(populate=False)["directory"]
    simulator.control.configure(directory, licences={"entra_id_p1": False, "entra_id_p2": False})
    token = simulator.control.token(directory=directory, roles=["AuditLog.Read.All"])
    graph = Graph(Http(simulator.url, policy=Policy(attempts=1)), Token(token))
    check_sources(qa, graph, datetime.now(UTC))
    assert states(qa)["sign-ins"] == "no_licence"
    fresh = {"lastUpdateDateTime": stamp(datetime.now(UTC))}
    old = {"lastUpdateDateTime": stamp(datetime.now(UTC) - timedelta(days=40))}
    page = prepare_page(
        [
            alert("a1", serviceSource="microsoftSentinel") | fresh,
            alert("a2", serviceSource="microsoftDefenderForEndpoint") | old,
        ],
        pseudonymiser,
    )
    with scope(qa):
        store_page(qa.pk, page, pseudonymiser.version)
    sentences = " ".join(blind_spots(qa))
    assert "no Entra ID P1 or P2 licence" in sentences
    assert "at least one workspace is connected" in sentences
    assert "Defender for Endpoint, " in sentences
