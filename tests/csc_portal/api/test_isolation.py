"""Every endpoint x every kind of key: nothing of another tenant, and 404 where something is named.

An endpoint without a rule fails `test_every_endpoint_has_a_rule`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from alerts.models import Case
from csc_portal.api.bulk_run import carry_out
from csc_portal.api.keys import revoke_key
from csc_portal.api.scopes import APP_ROLES, Scope
from csc_portal.api.urls import urlpatterns
from posture.models import AzureResource, AzureSubscription, Finding
from reports.models import Report
from tenants.models import ApiKey, ApiTask, Grant, User
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.api.conftest import ALL_SCOPES, Caller, group_of
from tests.csc_portal.api.posture_lab import make_posture
from tests.csc_portal.web.conftest import SECRET, World

Call = tuple[str, str, object]


@dataclass(frozen=True, slots=True)
class Rule:
    """`open`: calls that name nothing. `named`: calls that name something of a tenant, by slug.
    `done`: what they answer where they may.
    """

    scope: Scope | None
    open: tuple[Call, ...] = ()
    named: Callable[[World, str], Iterable[Call]] = lambda world, slug: ()
    done: tuple[int, ...] = (200, 202)


def case(tail: str = "", *bodies: object) -> Callable[[World, str], Iterable[Call]]:
    def calls(world: World, slug: str) -> Iterable[Call]:
        path = f"cases/{world.cases[slug].public_id}{tail}"
        return [("post", path, body) for body in bodies] or [("get", path, None)]

    return calls


def entity(tail: str = "", method: str = "get") -> Callable[[World, str], Iterable[Call]]:
    return lambda world, slug: [(method, f"entities/{world.entities[slug]}{tail}", None)]


def narrowed(path: str) -> Callable[[World, str], Iterable[Call]]:
    return lambda world, slug: [("get", f"{path}?tenant={slug}", None)]


def report_of(world: World, slug: str) -> uuid.UUID:
    """Of September."""
    with scope(world.tenants[slug]):
        found, _ = Report.objects.get_or_create(
            since=datetime(2026, 9, 1, tzinfo=UTC),
            until=datetime(2026, 10, 1, tzinfo=UTC),
            defaults={"figures": {}, "made_at": datetime(2026, 10, 2, tzinfo=UTC)},
        )
    return found.public_id


def task_of_another(world: World, slug: str) -> uuid.UUID:
    key = ApiKey.objects.create(
        prefix=f"csc_{uuid.uuid4().hex[:8]}",
        digest=b"x",
        name="Theirs",
        owner=User.objects.create_user(f"other-{uuid.uuid4().hex[:8]}"),
        expires_at=timezone.now(),
    )
    task = ApiTask.objects.create(
        key=key, order={"do": "start"}, cases=[world.cases[slug].public_id]
    )
    return task.public_id


def finding_of(world: World, slug: str) -> uuid.UUID:
    with scope(world.tenants[slug]):
        return Finding.objects.values_list("public_id", flat=True)[0]


FORMATS = ("ndjson", "csv", "ocsf", "ecs")
READ, WRITE, POSTURE = Scope.CASES_READ, Scope.CASES_WRITE, Scope.POSTURE_READ


def of_tenant(tail: str) -> Callable[[World, str], Iterable[Call]]:
    return lambda world, slug: [("get", f"tenants/{slug}/{tail}", None)]


RULES: dict[str, Rule] = {
    "api-key": Rule(None, (("get", "key", None),)),
    "api-cases": Rule(
        READ,
        (
            ("get", "cases", None),
            ("get", "cases?status=any&severity=any&snoozed=any&limit=200", None),
            ("get", f"cases?q={SECRET}&status=any&severity=any", None),
        ),
        narrowed("cases"),
    ),
    "api-case-count": Rule(READ, (("get", "cases/count", None),), narrowed("cases/count")),
    "api-case-changes": Rule(READ, (("get", "cases/changes", None),), narrowed("cases/changes")),
    "api-case-facets": Rule(READ, (("get", "cases/facets", None),), narrowed("cases/facets")),
    "api-case-file": Rule(READ, (), case("/file")),
    "api-case-stix": Rule(Scope.NAMES_READ, (), case("/stix", {})),
    "api-alert-search": Rule(READ, (), narrowed("alerts/search")),
    "api-case-export": Rule(
        Scope.EXPORT,
        tuple(("get", f"cases/export?format={kind}", None) for kind in FORMATS),
        narrowed("cases/export"),
    ),
    "api-alert-export": Rule(
        Scope.EXPORT,
        tuple(("get", f"alerts/export?format={kind}", None) for kind in FORMATS),
        narrowed("alerts/export"),
    ),
    "api-bulk": Rule(WRITE, (("post", "cases/bulk", {"do": "start", "cases": ["{third}"]}),)),
    "api-case": Rule(READ, (), case()),
    "api-case-actions": Rule(
        WRITE, (), case("/actions", {"do": "assign"}, {"do": "start"}, {"do": "nonsense"})
    ),
    "api-case-comments": Rule(WRITE, (), case("/comments", {"text": "Hello"})),
    "api-task": Rule(
        WRITE, (), lambda world, slug: [("get", f"tasks/{task_of_another(world, slug)}", None)]
    ),
    "api-task-items": Rule(
        WRITE,
        (),
        lambda world, slug: [("get", f"tasks/{task_of_another(world, slug)}/items", None)],
    ),
    "api-alerts": Rule(
        READ,
        (),
        lambda world, slug: [
            ("get", f"alerts?case={world.cases[slug].public_id}", None),
            ("get", f"alerts?tenant={slug}&source_ref={slug}-0", None),
        ],
    ),
    "api-entity-lookup": Rule(
        Scope.NAMES_READ,
        (("post", "entities/lookup", {"text": "person.0@third.example"}),),
        lambda world, slug: [
            ("post", "entities/lookup", {"text": "person.0@third.example", "tenants": [slug]})
        ],
    ),
    "api-entity": Rule(READ, (), entity()),
    "api-entity-name": Rule(Scope.NAMES_READ, (), entity("/name", "post")),
    "api-tenants": Rule(Scope.TENANTS_READ, (("get", "tenants", None),)),
    "api-tenant": Rule(
        Scope.TENANTS_READ, (), lambda world, slug: [("get", f"tenants/{slug}", None)]
    ),
    "api-workers": Rule(WRITE, (), lambda world, slug: [("get", f"tenants/{slug}/workers", None)]),
    "api-score": Rule(POSTURE, (), of_tenant("score")),
    "api-score-days": Rule(POSTURE, (), of_tenant("score/days")),
    "api-score-controls": Rule(POSTURE, (), of_tenant("score/controls")),
    "api-coverage": Rule(POSTURE, (), of_tenant("coverage")),
    "api-resources": Rule(POSTURE, (), of_tenant("resources")),
    "api-weaknesses": Rule(POSTURE, (), of_tenant("weaknesses")),
    "api-weakness-counts": Rule(POSTURE, (("get", "weaknesses", None),), narrowed("weaknesses")),
    # test_events.py listens; here no stream begins.
    "api-events": Rule(READ, (("get", "events", None),), narrowed("events"), (503,)),
    "api-scores": Rule(POSTURE, (("get", "scores", None),), narrowed("scores")),
    "api-coverages": Rule(POSTURE, (("get", "coverage", None),), narrowed("coverage")),
    "api-findings": Rule(
        POSTURE,
        (("get", "findings?status=any", None), ("get", "findings?kind=score_dropped", None)),
        narrowed("findings"),
    ),
    "api-finding": Rule(
        POSTURE,
        (),
        lambda world, slug: [("get", f"findings/{finding_of(world, slug)}", None)],
    ),
    "api-tickets": Rule(READ, (), narrowed("tickets")),
    "api-deliveries": Rule(READ, (), narrowed("deliveries")),
    "api-decisions": Rule(READ, (), narrowed("decisions")),
    "api-rules": Rule(Scope.RULES_READ, (("get", "rules", None),), narrowed("rules")),
    "api-audit": Rule(Scope.AUDIT_READ, (("get", "audit", None),), narrowed("audit")),
    "api-reports": Rule(
        Scope.REPORTS_READ,
        (),
        lambda world, slug: [
            ("get", f"reports?tenant={slug}", None),
            ("post", "reports", {"tenant": slug, "month": "2026-09"}),
        ],
    ),
    "api-report": Rule(
        Scope.REPORTS_READ,
        (),
        lambda world, slug: [("get", f"reports/{report_of(world, slug)}?tenant={slug}", None)],
    ),
    "api-report-pdf": Rule(
        Scope.REPORTS_READ,
        (),
        lambda world, slug: [("get", f"reports/{report_of(world, slug)}/pdf?tenant={slug}", None)],
    ),
    "api-auto-closed": Rule(Scope.REPORTS_READ, (), narrowed("reports/auto-closed")),
}


def test_every_endpoint_has_a_rule() -> None:
    assert {pattern.name for pattern in urlpatterns} == set(RULES)


KEYS: dict[str, Callable[[Callable[..., Caller], World], Caller]] = {
    "A": lambda key_of, w: key_of(granted=[w.tenants["qa"]]),
    "A and B": lambda key_of, w: key_of(granted=[w.tenants["qa"], w.tenants["qatest"]]),
    "A of all": lambda key_of, w: key_of(tenants=[w.tenants["qa"]]),
    "group": lambda key_of, w: key_of(groups=[group_of(w.tenants["qa"], w.tenants["qatest"])]),
    "CISO of A": lambda key_of, w: key_of("customer_ciso", [w.tenants["qa"]]),
}
BY_TOKEN = ("A", "A and B", "group")
"""Keys that are also tried as applications, which come with a token of the directory."""


@pytest.fixture(params=[*KEYS, *(f"token of {one}" for one in BY_TOKEN)])
def caller(request, key_of, bearer_of, world: World) -> Caller:
    kind = request.param.removeprefix("token of ")
    return KEYS[kind](key_of if kind == request.param else bearer_of, world)


def make(caller: Caller, world: World, one: Call) -> tuple[int, str]:
    """Make the call, read the answer, and undo what it did."""
    method, path, body = one
    if isinstance(body, dict) and body.get("cases"):
        body = {**body, "cases": [str(world.cases["third"].public_id)]}
    with transaction.atomic():
        answer = caller.call(method, path, body)
        text = answer.getvalue().decode(errors="replace") + str(dict(answer.headers))
        transaction.set_rollback(True)
    return answer.status_code, text


@pytest.fixture(autouse=True)
def posture(world: World) -> None:
    for tenant in world.tenants.values():
        make_posture(tenant)


def traces(world: World) -> list[str]:
    found = world.cases["third"]
    with scope(world.tenants["third"]):
        resources = AzureResource.objects.values_list("pseudonym", flat=True)
        places = AzureSubscription.objects.values_list("pseudonym", flat=True)
        findings = Finding.objects.values_list("public_id", flat=True)
        ids = [str(one) for one in (*resources, *places, *findings)]
    return [
        SECRET, "THIRD", "third", str(found.public_id), str(world.entities["third"]),
        str(world.tenants["third"].directory_id), *ids,
    ]  # fmt: skip


def test_nothing_of_another_tenant_is_shown(caller: Caller, world: World) -> None:
    wrong, secrets = [], traces(world)
    for rule in RULES.values():
        for one in rule.open:
            status, text = make(caller, world, one)
            seen = [trace for trace in secrets if trace in text]
            if seen or status not in (*rule.done, 404):
                wrong.append((one, status, seen))
    assert not wrong


def test_what_is_anothers_does_not_exist(caller: Caller, world: World) -> None:
    wrong, secrets = [], traces(world)
    for rule in RULES.values():
        for one in rule.named(world, "third"):
            status, text = make(caller, world, one)
            seen = [trace for trace in secrets if trace in text and trace not in one[1]]
            if status != 404 or seen:
                wrong.append((one, status, seen))
    assert not wrong


def test_nothing_of_another_tenant_is_changed(caller: Caller, world: World) -> None:
    for rule in RULES.values():
        for method, path, body in (*rule.open, *rule.named(world, "third")):
            if isinstance(body, dict) and body.get("cases"):
                body = {**body, "cases": [str(world.cases["third"].public_id)]}
            caller.call(method, path, body)
    for task in ApiTask.objects.filter(key=caller.key):
        carry_out(task.pk)
        task.refresh_from_db()
        assert {outcome for outcome, _ in task.results} == {"refused"}
    with scope(world.tenants["third"]):
        found = Case.objects.get(pk=world.cases["third"].pk)
        assert (found.status, found.assignee_id, found.version) == (0, None, 1)
    assert not audited().filter(tenant=world.tenants["third"]).exists()


def test_the_walk_would_find_something(key_of, world: World) -> None:
    """A key that may see C is answered, and shows the traces that the walk looks for."""
    everything = key_of()
    assert SECRET in everything.get("cases?status=any&severity=any").content.decode()
    for name, rule in RULES.items():
        if name in ("api-task", "api-task-items"):
            continue  # of this key alone
        for one in rule.named(world, "third"):
            status, _ = make(everything, world, one)
            assert status in (*rule.done, 400, 422), (name, one, status)


@pytest.mark.parametrize("name", RULES)
def test_without_the_scope_it_is_not_there(name: str, key_of, bearer_of, world: World) -> None:
    rule = RULES[name]
    if rule.scope is None:
        assert key_of(scopes=["export"]).get("key").status_code == 200
        return
    scopes = [one for one in ALL_SCOPES if one != rule.scope]
    roles = [role for role, stands_for in APP_ROLES.items() if stands_for != rule.scope]
    for lacking in (key_of(scopes=scopes), bearer_of(scopes=scopes), bearer_of(roles=roles)):
        for one in (*rule.open, *rule.named(world, "qa")):
            assert make(lacking, world, one)[0] == 404, one


DEAD = ("revoked", "expired", "of nobody", "switched off", "none", "odd")
ENDED = ("revoked", "expired", "switched off")


@pytest.mark.parametrize("how", [*DEAD, *(f"token, {one}" for one in ENDED)])
def test_a_dead_key_opens_nothing(how: str, key_of, bearer_of, world: World) -> None:
    caller = bearer_of() if how.startswith("token") else key_of()
    how = how.removeprefix("token, ")
    if how == "revoked":
        assert revoke_key(caller.key, actor="test", now=timezone.now())
    elif how == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif how == "switched off":
        User.objects.filter(pk=caller.key.owner_id).update(is_active=False)
    elif how == "of nobody":
        caller = Caller(None, caller.secret[:-2] + "zz")
    else:
        caller = Caller(None, "" if how == "none" else "x" * 3000)
    for rule in RULES.values():
        for one in (*rule.open, *rule.named(world, "qa")):
            status, text = make(caller, world, one)
            assert status == 401, one
            assert "WWW-Authenticate" in text


def test_a_session_counts_nothing(sign_in, world: World) -> None:
    client: Client = sign_in("admin")
    assert client.get("/").status_code == 200
    assert client.get("/api/v1/cases").status_code == 401


def test_rights_are_asked_for_at_each_request(key_of, world: World) -> None:
    caller = key_of("analyst", [world.tenants["qa"], world.tenants["qatest"]])
    case_path = f"cases/{world.cases['qa'].public_id}"
    assert caller.get(case_path).status_code == 200
    grants = Grant.objects.filter(user=caller.key.owner, tenant=world.tenants["qa"])
    grants.update(role="viewer")
    assert caller.get(case_path).status_code == 200
    assert caller.post(f"{case_path}/actions", {"do": "start"}).status_code == 404
    grants.delete()
    assert caller.get(case_path).status_code == 404
    assert caller.get("key").json()["tenants"] == ["qatest"]


def test_a_customer_never_reads_who_works_for_them(key_of, world: World) -> None:
    provider = key_of("analyst", [world.tenants["qa"]])
    path = f"cases/{world.cases['qa'].public_id}"
    assert provider.post(f"{path}/actions", {"do": "assign"}).status_code == 200
    assert provider.get(path).json()["assignee"]["id"] == provider.key.owner_id
    customer = key_of("customer_ciso", [world.tenants["qa"]])
    expected = {"id": None, "name": "the provider's analyst"}
    assert customer.get(path).json()["assignee"] == expected
    listed = customer.get("cases?assignee=anyone").json()["items"]
    assert [one["assignee"] for one in listed] == [expected]
    assert provider.key.owner.username not in customer.get("audit").content.decode()


def test_a_customer_never_tells_apart_who_works_for_them(key_of, world: World) -> None:
    provider = key_of("analyst", [world.tenants["qa"]])
    number = provider.key.owner_id
    path = f"cases/{world.cases['qa'].public_id}/actions"
    assert provider.post(path, {"do": "assign"}).status_code == 200
    colleague = key_of("viewer", [world.tenants["qa"]])
    assert colleague.get(f"cases/count?assignee={number}").json()["count"] == 1
    assert colleague.get("cases/facets").json()["assignee"] == {str(number): 1, "none": 2}
    customer = key_of("customer_ciso", [world.tenants["qa"]])
    for path in ("cases", "cases/count", "cases/export"):
        answer = customer.get(f"{path}?assignee={number}")
        assert answer.status_code == 400, path
        assert answer.json()["errors"][0]["field"] == "assignee"
    assert customer.get("cases/facets").json()["assignee"] == {"others": 1, "none": 2}
