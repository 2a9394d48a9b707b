"""For 72 hours after an odd sign-in the directory's audits are watched, cheaply and for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import decide as shell
from alerts.decide import decide
from alerts.judge import Settings
from alerts.models import Alert, Case, CaseEvent, Decision, Watch, WatchHit
from alerts.rejudge import judge_all_again
from alerts.triage import resolve
from alerts.watch import Watched, run_watches
from tenants.models import QueueEntry, Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import granted, scope
from tests.alerts.enrich_lab import AT, NOW, ROLES, Lab, audit, odd, request_of, sign_in

HOUR = timedelta(hours=1)
NO_RULES = Settings()


@pytest.fixture
def lab(qa: Tenant, simulator: Any, pseudonymiser: Pseudonymiser) -> Lab:
    return Lab(qa, simulator, pseudonymiser)


def odd_sign_ins(lab: Lab, *names: str) -> None:
    """Proven harmless sign-ins of these people, each with its alert; decided about."""
    lab.has("sign_ins", *(sign_in(f"r-{name}", name) for name in names))
    content = lab.take(*(odd(f"a-{name}", name, request_of(f"r-{name}")) for name in names))
    lab.enrich(content)
    decide(lab.tenant, NOW, NO_RULES)


def watch(lab: Lab, now: datetime, **more: Any) -> Watched:
    return run_watches(lab.tenant, more.get("graph", lab.graph), lab.pseudonymiser, now)


def case_of(lab: Lab, name: str) -> Case:
    with scope(lab.tenant):
        return Alert.objects.select_related("case").get(provider_id=f"a-{name}").case


def test_from_the_sign_in_to_the_closed_case_and_back(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    assert case_of(lab, "anna").closed_by == "proof"
    assert watch(lab, NOW).hits == 0
    lab.has("audits", audit("User registered security info", "anna", "anna", AT + HOUR / 4))
    found = watch(lab, NOW + HOUR)
    assert (found.hits, found.reopened) == (1, 1)
    case = case_of(lab, "anna")
    assert (case.status, case.closed_by, case.verdict) == (Case.Status.NEW, "", "")
    with scope(lab.tenant):
        kinds = dict(CaseEvent.objects.filter(case=case).values_list("kind", "facts"))
        assert kinds["reopened"]["by"] == "watch"
        assert kinds["watch_hit"] == {"operations": ["mfa_method_added"]}
    decide(lab.tenant, NOW + HOUR, NO_RULES)
    case = case_of(lab, "anna")
    assert case.status == Case.Status.NEW
    assert "watch" in {code for code, _, _ in case.terms}
    with scope(lab.tenant):
        assert Decision.objects.filter(case=case).latest("pk").outcome == "raised"
    with granted([lab.tenant.pk]):
        assert QueueEntry.objects.get().priority == case.priority


def test_a_case_that_a_person_closed_is_opened_too(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    with scope(lab.tenant):
        case = Case.objects.get()
        resolve(lab.tenant.pk, {case.pk: case.version}, actor_id=1, verdict="falsePositive")
    lab.has("audits", audit("Add member to role", "admin", "anna", AT + HOUR / 4))
    assert watch(lab, NOW).reopened == 1
    assert case_of(lab, "anna").is_open


def test_what_is_not_meant_is_no_hit(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    lab.has(
        "audits",
        audit("Add member to role", "admin", "ben", AT + HOUR / 4),
        audit("Update user", "admin", "anna", AT + HOUR / 4),
        audit("Add member to role", "admin", "anna", AT - HOUR),
        audit("Consent to application", "anna", "app", AT + 73 * HOUR),
    )
    assert watch(lab, NOW).hits == 0
    assert watch(lab, NOW + 80 * HOUR).hits == 0
    assert not case_of(lab, "anna").is_open


def test_all_people_of_a_tenant_cost_one_request(lab: Lab) -> None:
    odd_sign_ins(lab, *(f"u{number}" for number in range(6)))
    before = lab.requests()["auditLogs"]
    lab.has("audits", audit("Add member to role", "u1", "u2", AT + HOUR / 4))
    found = watch(lab, NOW)
    assert (found.watches, found.hits, found.reads) == (6, 2, 1)
    assert lab.requests()["auditLogs"] - before == 1
    assert watch(lab, NOW) == Watched()
    assert lab.requests()["auditLogs"] - before == 1


def test_a_busy_directory_is_asked_for_each_person(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    noise = [
        audit("Update user", f"x{number}", "y", AT + timedelta(seconds=number / 4))
        for number in range(2100)
    ]
    lab.has("audits", *noise, audit("Add member to role", "admin", "anna", AT + HOUR / 4))
    found = watch(lab, NOW)
    assert (found.hits, found.reads) == (1, 4)


def test_no_noise_of_the_person_hides_a_change(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    noise = [
        audit("Update user", "anna", f"x{number}", AT + HOUR / 3 + timedelta(microseconds=number))
        for number in range(2100)
    ]
    lab.has("audits", *noise, audit("Add member to role", "anna", "ben", AT + HOUR / 4))
    assert watch(lab, NOW).hits == 1


def test_a_hit_wins_over_a_decision_without_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    odd_sign_ins(lab, "anna")
    with scope(lab.tenant):
        before = {"judge_at": NOW, "changed_at": NOW - HOUR}
        Case.objects.update(status=0, closed_by="", verdict="", **before)
    lab.has("audits", audit("Add member to role", "admin", "anna", AT + HOUR / 4))
    think, found = shell.judge, list[Watched]()

    def slow(*given: Any) -> Any:
        judged = think(*given)
        if not found:
            found.append(watch(lab, NOW))
        return judged

    monkeypatch.setattr(shell, "judge", slow)
    decide(lab.tenant, NOW, NO_RULES)
    assert found[0].hits == 1
    assert case_of(lab, "anna").is_open


def test_it_ends_after_72_hours_and_a_late_log(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    for now, next_at in (
        (NOW, NOW + HOUR),
        (AT + 72.5 * HOUR, AT + 73.5 * HOUR),
        (AT + 73.5 * HOUR, None),
    ):
        assert watch(lab, now).reads == 1
        with scope(lab.tenant):
            assert Watch.objects.get().next_at == next_at
    assert watch(lab, AT + 90 * HOUR) == Watched()


def test_without_permission_it_tries_again_and_closes_nothing_more(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    bare = lab.graph_with([role for role in ROLES if role != "AuditLog.Read.All"])
    found = watch(lab, NOW, graph=bare)
    assert found.error
    with scope(lab.tenant):
        held = Watch.objects.get()
        assert (held.failures, held.problem) == (1, "Forbidden")
        assert NOW < held.next_at <= NOW + HOUR
        assert held.read_until == held.since
    lab.has("audits", audit("Add member to role", "admin", "anna", AT + HOUR / 4))
    assert watch(lab, NOW + HOUR).hits == 1


def test_killed_after_the_claim_it_goes_on(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    lab.has("audits", audit("Add member to role", "admin", "anna", AT + HOUR / 4))

    class Killed(BaseException):
        pass

    class Graph:
        def pages(self, *_: object, **__: object) -> object:
            raise Killed

    with pytest.raises(Killed):
        watch(lab, NOW, graph=Graph())
    assert watch(lab, NOW + timedelta(minutes=1)) == Watched()
    assert watch(lab, NOW + timedelta(minutes=11)).hits == 1
    with scope(lab.tenant):
        Watch.objects.update(next_at=NOW)
    assert watch(lab, NOW + HOUR).hits == 0
    with scope(lab.tenant):
        assert WatchHit.objects.count() == 1


def test_deciding_again_watches_once_and_only_what_is_recent(lab: Lab) -> None:
    odd_sign_ins(lab, "anna")
    lab.enrich(lab.take(odd("old", "ben", at=NOW - 80 * HOUR)))
    with scope(lab.tenant):
        judge_all_again()
    decide(lab.tenant, NOW, NO_RULES)
    with scope(lab.tenant):
        assert list(Watch.objects.values_list("alert__provider_id", flat=True)) == ["a-anna"]
        names = {field.name for field in Watch._meta.get_fields()}
        assert not names & {"user", "user_id", "upn", "name"}
