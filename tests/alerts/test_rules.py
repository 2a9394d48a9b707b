"""Rules of people: made, edited, ended, with versions and the audit log; seen by the right ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from alerts import rules as shell
from alerts.auto_closed import auto_closed
from alerts.decide import decide, settings_of
from alerts.judge import Settings
from alerts.models import Case, Decision
from alerts.policy import BadRule, read_definition
from alerts.rejudge import judge_all_again
from alerts.rows import run
from alerts.rules import Draft, Refused
from alerts.triage import resolve
from csc_portal.dry_run import dry_run
from enrichment.facts import AlertFacts, Known
from tenants.models import AuditEntry, Rule, RuleVersion, Tenant, TenantGroup
from tenants.onboarding import erase_tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import granted, scope
from tests.alerts.documents import alert, user
from tests.alerts.judgement_lab import NOW, PROVEN, know, take

CLOSING: dict[str, Any] = {
    "when": {"all": [{"field": "severity", "operator": "at_most", "value": "medium"}]},
    "then": {"action": "close", "verdict": "falsePositive"},
}
UNKNOWN = AlertFacts(0, PROVEN.user, 1, sign_in_known=Known.UNKNOWN)


def make(**more: Any) -> Rule:
    draft = Draft(**{"name": "Test", "reason": "For a test", "definition": CLOSING, **more})
    return shell.create_rule(draft, actor="ada", owner_id=1, now=NOW)


def names(tenant: Tenant) -> set[str]:
    return {rule.name for rule in shell.rules_for(tenant, NOW)}


def case_of(tenant: Tenant, pseudonymiser: Pseudonymiser, key: str = "a") -> Case:
    with scope(tenant):
        (case,) = take(tenant, pseudonymiser, alert(key, user(key)))
        know(key, UNKNOWN)
    return case


def test_the_rules_it_comes_with_can_be_read_and_hold(qa: Tenant) -> None:
    with granted([qa.pk]):
        given = list(Rule.objects.filter(owner_id=None))
    assert len(given) == 4
    for rule in given:
        read_definition(rule.definition)
        shell.check_text(rule.name, "name", 100)
        shell.check_text(rule.reason, "reason", 200)
    assert names(qa) == {rule.name for rule in given if rule.is_enabled}


def test_each_scope_reaches_its_tenants(qa: Tenant, qatest: Tenant, third: Tenant) -> None:
    group = TenantGroup.objects.create(slug="banks", name="Banks")
    group.tenants.add(qa, third)
    make(name="all")
    make(name="mine", tenant=qa)
    make(name="group", group=group)
    given = names(qa) - {"all", "mine", "group"}
    assert names(qa) - given == {"all", "mine", "group"}
    assert names(third) - given == {"all", "group"}
    assert names(qatest) - given == {"all"}
    assert {rule.name for rule in shell.listed([qatest.pk])} - given >= {"all"}
    assert "mine" not in {rule.name for rule in shell.listed([qatest.pk, third.pk])}


def test_no_other_tenant_can_read_or_change_a_rule(qa: Tenant, qatest: Tenant) -> None:
    mine = make(tenant=qa)
    with granted([qatest.pk]):
        assert not Rule.objects.filter(pk=mine.pk).exists()
        assert not RuleVersion.objects.filter(rule_id=mine.pk).exists()
        assert Rule.objects.filter(pk=mine.pk).update(name="x") == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            Rule.objects.create(tenant_id=qa.pk, name="x", definition={}, reason="x")
    for statement in ("SELECT * FROM tenants_rule", "SELECT * FROM public.tenants_ruleversion"):
        with scope(qa), pytest.raises(DatabaseError), transaction.atomic():
            run(statement, [])


def test_versions_can_be_added_and_not_changed(qa: Tenant) -> None:
    rule = make(tenant=qa)
    with granted([qa.pk]), pytest.raises(DatabaseError), transaction.atomic():
        RuleVersion.objects.filter(rule=rule).update(name="x")


def test_an_edit_is_a_new_version_and_old_decisions_still_explain_themselves(
    qa: Tenant, pseudonymiser: Pseudonymiser
) -> None:
    rule = make(name="First name")
    case = case_of(qa, pseudonymiser)
    assert decide(qa, NOW).closed == 1
    other = {**CLOSING, "then": {"action": "raise", "points": 5}}
    draft = Draft("Other name", "Other reason", other)
    newer = shell.edit_rule(rule, draft, actor="ada", owner_id=1, now=NOW)
    assert [one.version for one in shell.versions(newer)] == [2, 1]
    with scope(qa):
        decision = Decision.objects.get(case=case)
        assert (decision.rule, decision.rule_version) == (rule.public_id, 1)
        assert decision.facts["rule"] == {
            "name": "First name", "reason": "For a test", "when": "Severity is at most medium",
            "action": "close",
        }  # fmt: skip
        (entry,) = auto_closed(NOW - timedelta(1), NOW + timedelta(1))
        assert (entry.by, entry.rule["name"], entry.is_open) == ("rule", "First name", False)
    told = AuditEntry.objects.filter(action__startswith="rule_").order_by("pk")
    assert [row.action for row in told] == ["rule_created", "rule_edited"]


def test_of_two_edits_the_second_is_refused(qa: Tenant) -> None:
    rule = make()
    draft = Draft("Name", "Reason", CLOSING)
    shell.edit_rule(rule, draft, actor="ada", owner_id=1, now=NOW)
    with pytest.raises(Refused, match="meanwhile"):
        shell.edit_rule(rule, draft, actor="bob", owner_id=2, now=NOW)


@pytest.mark.parametrize("end", [shell.expire_rule, shell.delete_rule])
def test_ended_rules_hold_no_longer(qa: Tenant, end: Any) -> None:
    rule = make(name="ends")
    assert "ends" in names(qa)
    end(rule, actor="ada", now=NOW)
    assert "ends" not in names(qa)


@pytest.mark.parametrize(
    "more",
    [
        {"name": " "},
        {"reason": ""},
        {"reason": "Anna said so: anna@contoso.com"},
        {"name": "x" * 101},
        {"expires_at": NOW},
        {"definition": {"when": {"all": [
            {"field": "entities", "operator": "has", "value": ["x"]}]}, "then": CLOSING["then"]}},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(db: None, more: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        make(**more)


def test_what_is_no_rule_is_refused(db: None) -> None:
    with pytest.raises(BadRule):
        make(definition={"when": {}})


def test_a_new_rule_reaches_open_cases(qa: Tenant, pseudonymiser: Pseudonymiser) -> None:
    case = case_of(qa, pseudonymiser)
    assert decide(qa, NOW).raised == 1
    make(tenant=qa)
    assert decide(qa, NOW).judged == 0
    with scope(qa):
        judge_all_again()
    assert decide(qa, NOW).closed == 1
    with scope(qa):
        assert Case.objects.get(pk=case.pk).closed_by == "rule"


def test_dry_run_says_what_would_be_closed_and_what_of_it_was_real(
    qa: Tenant, qatest: Tenant, pseudonymiser: Pseudonymiser
) -> None:
    for key, verdict in (("a", "truePositive"), ("b", "falsePositive"), ("c", "")):
        case = case_of(qa, pseudonymiser, key)
        if verdict:
            with scope(qa):
                resolve(qa.pk, {case.pk: 1}, actor_id=1, verdict=verdict)
    case_of(qatest, pseudonymiser)
    with scope(qa):
        (high,) = take(qa, pseudonymiser, alert("h", user("h"), severity="high"))
        before = list(Case.objects.order_by("pk").values())
    found = dry_run(CLOSING, [qa, qatest], NOW)
    assert (found.looked_at, found.held, found.ended) == (5, 4, 4)
    assert (found.real, found.harmless, found.unjudged) == (1, 1, 2)
    assert [one.verdict for one in found.called_real] == ["truePositive"]
    assert found.by_tenant == {qa.pk: 3, qatest.pk: 1}
    assert high.pk not in {one.case_id for one in found.examples}
    with scope(qa):
        assert list(Case.objects.order_by("pk").values()) == before
        assert Decision.objects.count() == 0


def test_dry_run_looks_at_thirty_days(qa: Tenant, pseudonymiser: Pseudonymiser) -> None:
    case_of(qa, pseudonymiser)
    assert dry_run(CLOSING, [qa], NOW + timedelta(days=29)).ended == 1
    assert dry_run(CLOSING, [qa], NOW + timedelta(days=31)).looked_at == 0


def test_weights_of_a_tenant_count_and_bad_ones_do_not(
    qa: Tenant, pseudonymiser: Pseudonymiser
) -> None:
    qa.priority_weights = {"severity_medium": 33}
    assert settings_of(qa, NOW).weights == {"severity_medium": 33}
    case = case_of(qa, pseudonymiser)
    decide(qa, NOW)
    with scope(qa):
        assert Case.objects.get(pk=case.pk).priority == 33
    qa.priority_weights = {"severity_medium": "x"}
    assert settings_of(qa, NOW) == Settings("on", {}, shell.rules_for(qa, NOW), [])


def test_an_erased_tenants_rules_are_gone(third: Tenant) -> None:
    rule = make(tenant=third)
    key = third.pk
    erase_tenant(third)
    with granted([key]):
        assert not Rule.objects.filter(pk=rule.pk).exists()
