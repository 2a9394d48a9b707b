"""Rules: the grammar takes what is sound, unknown facts close nothing, the careful rule wins."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dossier import Dossier
from alerts.judge import Settings, Suppressed, judge
from alerts.policy import (
    ACTIONS,
    OPERATORS,
    BadRule,
    Rule,
    describe_group,
    evaluate,
    read_definition,
)
from alerts.policy_fields import FIELDS, facts_of
from enrichment.facts import AssetMark, Known
from tests.alerts.judgement_lab import FINE, NOW, PROVEN
from tests.alerts.test_proof import ALERT, CASE, USER

LOW = {"field": "severity", "operator": "at_most", "value": "low"}
CLOSE = {"action": "close", "verdict": "falsePositive"}


def rule(then: dict[str, Any], *conditions: dict[str, Any], word: str = "all", **more: Any) -> Rule:
    definition = read_definition({"when": {word: list(conditions or (LOW,))}, "then": then})
    return Rule(uuid.uuid4(), 1, str(then["action"]), "For a test", definition, **more)


def is_(field: str, operator: str, value: object) -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


UNPROVEN = replace(
    CASE, alerts=(replace(ALERT, facts=replace(PROVEN, sign_in_known=Known.UNKNOWN)),)
)


def outcome(dossier: Dossier, *rules: Rule, **more: Any) -> tuple[str, str]:
    found = judge(dossier, Settings(rules=rules, **more), NOW)
    assert found is not None
    return found.outcome, found.basis


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ([], "must be an object"),
        ({"when": {"all": [LOW]}}, "lacks then"),
        ({"when": {"all": [LOW]}, "then": CLOSE, "else": 1}, "something unknown: else"),
        ({"when": {"not": [LOW]}, "then": CLOSE}, "something unknown: not"),
        ({"when": {"all": []}, "then": CLOSE}, "at least one condition"),
        ({"when": {"all": [LOW], "any": [LOW]}, "then": CLOSE}, "either 'all' or 'any'"),
        ({"when": {"all": [is_("colour", "is", True)]}, "then": CLOSE}, "no fact 'colour'"),
        ({"when": {"all": [is_("severity", "has", "low")]}, "then": CLOSE}, "is compared by"),
        ({"when": {"all": [is_("severity", "equals", "huge")]}, "then": CLOSE}, "is one of"),
        ({"when": {"all": [is_("vip", "is", "no")]}, "then": CLOSE}, "true or false"),
        ({"when": {"all": [is_("alerts", "equals", True)]}, "then": CLOSE}, "whole number"),
        ({"when": {"all": [is_("mfa", "has", ["done"])]}, "then": CLOSE}, "is one of"),
        ({"when": {"all": [is_("mfa", "has", "claim")]}, "then": CLOSE}, "must be a list"),
        ({"when": {"all": [is_("mfa", "has", [[]])]}, "then": CLOSE}, "must be texts"),
        ({"when": {"all": [LOW] * 31}, "then": CLOSE}, "30 conditions at most"),
        (
            {"when": {"all": [{"all": [{"all": [{"all": [LOW]}]}]}]}, "then": CLOSE},
            "stands too deep",
        ),
        ({"when": {"all": [LOW]}, "then": {"action": "erase"}}, "'then.action' is one of"),
        ({"when": {"all": [LOW]}, "then": {"action": "close"}}, "needs 'verdict'"),
        ({"when": {"all": [LOW]}, "then": {**CLOSE, "verdict": "maybe"}}, "is one of"),
        ({"when": {"all": [LOW]}, "then": {**CLOSE, "hours": 3}}, "nothing else"),
        ({"when": {"all": [LOW]}, "then": {"action": "snooze", "hours": 0}}, "from 1 to 720"),
        ({"when": {"all": [LOW]}, "then": {"action": "ticket", "points": 1}}, "nothing else"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_sentence(definition: object, words: str) -> None:
    with pytest.raises(BadRule) as caught:
        read_definition(definition)
    assert words in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["when", "then", "all", "any", "field", "operator", "value", "action"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_nothing_else_is_ever_raised(given_: object) -> None:
    with suppress(BadRule):
        read_definition(given_)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("word", ["all", "any"])
def test_an_unknown_fact_meets_no_condition(name: str, word: str) -> None:
    field = FIELDS[name]
    values: dict[str, list[object]] = {
        "flag": [True, False], "number": [0, 10**6], "rank": ["unknown", "high"],
        "words": [["x"] if not field.choices else [field.choices[0]]],
    }  # fmt: skip
    for operator in OPERATORS[field.kind]:
        for value in values[field.kind]:
            found = rule(CLOSE, is_(name, operator, value), word=word)
            assert not found.definition.when.holds({name: None})
            assert not found.definition.when.holds({})


def test_facts_of_several_alerts_are_known_of_all_or_not_at_all() -> None:
    other = replace(ALERT, facts=replace(PROVEN, sign_in_known=Known.FAILED, risk_known=Known.YES))
    facts = facts_of(replace(CASE, alerts=(ALERT, other)))
    assert facts["mfa"] is None
    assert facts["countries"] is None
    assert facts["user_risk"] == frozenset({"low"})
    assert facts["managed_device"] is None
    assert facts_of(CASE)["mfa"] == frozenset({"performed"})


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("has", ["azureadidentityPROTECTION", "x"], True),
        ("only", ["azureAdIdentityProtection"], True),
        ("only", ["x"], False),
        ("lacks", ["x"], True),
        ("lacks", ["azureAdIdentityProtection"], False),
    ],
)
def test_words_are_compared_without_case(operator: str, value: list[str], holds: bool) -> None:
    found = rule(CLOSE, is_("sources", operator, value))
    assert found.definition.when.holds(facts_of(CASE)) is holds


def test_nothing_is_not_only_something() -> None:
    found = rule(CLOSE, is_("countries", "only", ["CH"]))
    assert not found.definition.when.holds({"countries": frozenset()})


def test_what_one_alert_does_not_say_is_neither_only_nor_lacking() -> None:
    unsaid = replace(ALERT, category="", facts=replace(PROVEN, sign_in=replace(FINE, country="")))
    facts = facts_of(replace(CASE, alerts=(ALERT, unsaid)))
    for name, value in (("countries", "CH"), ("categories", "InitialAccess")):
        holds = {
            operator: rule(CLOSE, is_(name, operator, [value])).definition.when.holds(facts)
            for operator in ("has", "only")
        }
        assert holds == {"has": True, "only": False}
        lacks = rule(CLOSE, is_(name, "lacks", ["XX"])).definition.when
        assert not lacks.holds(facts)
        assert lacks.holds(facts_of(CASE))


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [("at_most", "low", False), ("at_most", "unknown", True), ("equals", "unknown", True)],
)
def test_an_unknown_severity_is_not_a_low_one(operator: str, value: str, holds: bool) -> None:
    found = rule(CLOSE, is_("severity", operator, value)).definition.when
    assert found.holds(facts_of(replace(CASE, severity=0))) is holds


def test_a_sign_in_that_may_still_change_holds_for_no_rule() -> None:
    pending = replace(PROVEN, sign_in_known=Known.PENDING)
    facts = facts_of(replace(CASE, alerts=(replace(ALERT, facts=pending),)))
    assert [facts[name] for name in ("signed_in", "phishing_resistant", "methods")] == [None] * 3


def test_a_rule_closes_and_says_why() -> None:
    found = judge(UNPROVEN, Settings(rules=[rule(CLOSE)]), NOW)
    assert found is not None
    assert (found.outcome, found.basis, found.verdict) == ("closed", "rule", "falsePositive")
    assert [reason.words for reason in found.reasons] == ["Severity is at most low."]
    assert found.facts()["rule"] == {
        "name": "close", "reason": "For a test", "when": "Severity is at most low",
        "action": "close",
    }  # fmt: skip
    json.dumps(found.facts())


def test_a_required_ticket_wins_over_everything() -> None:
    ticket = rule({"action": "ticket"})
    assert outcome(CASE) == ("closed", "proof")
    assert outcome(CASE, ticket) == ("raised", "rule")
    assert outcome(UNPROVEN, rule(CLOSE, rank=0), ticket) == ("raised", "rule")


@pytest.mark.parametrize(
    "dossier",
    [
        replace(UNPROVEN, was_touched=True),
        replace(UNPROVEN, was_reopened=True),
        replace(UNPROVEN, has_ticket=True),
        replace(UNPROVEN, marks=(AssetMark(USER, "vip", "Board"),)),
    ],
)
def test_no_rule_closes_what_people_must_see(dossier: Dossier) -> None:
    assert outcome(dossier, rule(CLOSE))[0] == "raised"


def test_an_expired_rule_and_a_switched_off_tenant_close_nothing() -> None:
    assert outcome(UNPROVEN, rule(CLOSE, expires_at=NOW))[0] == "raised"
    assert outcome(UNPROVEN, rule(CLOSE), mode="off")[0] == "raised"
    assert outcome(UNPROVEN, rule(CLOSE), mode="dry")[0] == "would_close"
    assert outcome(UNPROVEN, rule(CLOSE, expires_at=NOW + timedelta(1)))[0] == "closed"


@pytest.mark.parametrize("mode", ["on", "dry", "off"])
def test_a_suppression_holds_in_every_mode_but_not_against_a_required_ticket(mode: str) -> None:
    held = Suppressed(
        uuid.uuid4(), ALERT.source, ALERT.detection, None, 2, "For a test", NOW + timedelta(1)
    )
    assert outcome(UNPROVEN, suppressions=[held], mode=mode) == ("suppressed", "suppression")
    ticket = rule({"action": "ticket"})
    assert outcome(UNPROVEN, ticket, suppressions=[held], mode=mode)[0] == "raised"


def test_a_rule_snoozes_a_case_once() -> None:
    snooze = rule({"action": "snooze", "hours": 3})
    found = judge(UNPROVEN, Settings(rules=[snooze]), NOW)
    assert found is not None
    assert found.snoozed_until == NOW + timedelta(hours=3)
    assert outcome(replace(UNPROVEN, held_growth=1), snooze)[0] == "raised"


def test_the_priority_is_raised_and_set_in_terms() -> None:
    raised = judge(UNPROVEN, Settings(rules=[rule({"action": "raise", "points": 7})]), NOW)
    both = [rule({"action": "raise", "points": 7}), rule({"action": "set_priority", "points": 12})]
    set_ = judge(UNPROVEN, Settings(rules=both), NOW)
    assert raised is not None
    assert set_ is not None
    assert raised.score.points == 37
    assert set_.score.points == 12 == sum(term.points for term in set_.score.terms)


@given(st.permutations([0, 1, 2, 3, 4]))
def test_the_order_of_the_rules_does_not_matter(order: list[int]) -> None:
    rules = [RULES[index] for index in order]
    assert evaluate(facts_of(UNPROVEN), rules, NOW) == evaluate(facts_of(UNPROVEN), RULES, NOW)


RULES = [
    rule(CLOSE, rank=2),
    rule(CLOSE, rank=1),
    rule({"action": "suppress"}, rank=1),
    rule({"action": "raise", "points": 3}),
    rule({"action": "set_priority", "points": 3}),
]


def test_the_nearer_rule_goes_first_then_the_milder() -> None:
    ending = evaluate(facts_of(UNPROVEN), RULES, NOW).ending
    assert ending is not None
    assert ending.rule is RULES[2]


def test_conditions_read_as_sentences() -> None:
    found = rule(CLOSE, LOW, {"any": [is_("vip", "is", False), is_("countries", "has", ["CH"])]})
    assert describe_group(found.definition.when) == (
        "Severity is at most low and (Not so: a VIP is concerned or "
        "Countries of the sign-ins has one of CH)"
    )
    assert set(ACTIONS) == {"close", "suppress", "snooze", "raise", "set_priority", "ticket"}
